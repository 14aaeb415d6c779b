//! Cells of a file and the lines they stand in, whatever the format was.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{decode, delimited, lines, parquet};

/// A header and rows of text, in one buffer: a table of hits has millions of rows.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// What the file was taken for, in words.
    pub(super) format: String,
    /// Names of the columns.
    pub(super) header: Vec<String>,
    /// Whether `0,54` may be a number: only where commas do not separate.
    pub(super) decimal_comma: bool,
    cells: String,
    ends: Vec<usize>,
    lines: Vec<u32>,
}

impl Sheet {
    /// A sheet without rows.
    pub(super) fn new(format: String, header: Vec<String>) -> Self {
        Self {
            format,
            header,
            ..Self::default()
        }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn push<'c>(&mut self, line: usize, cells: impl IntoIterator<Item = &'c str>) {
        for cell in cells {
            self.cells.push_str(cell.trim());
            self.ends.push(self.cells.len());
        }
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
    }

    /// Rows below the header.
    pub(super) fn n_rows(&self) -> usize {
        self.lines.len()
    }

    /// Line of a row, from 1, as an editor counts; the number of the row where a file has no lines.
    pub(super) fn line(&self, row: usize) -> u32 {
        self.lines[row]
    }

    /// The text of a cell.
    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.header.len() + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.cells[start..self.ends[at]]
    }
}

/// Reads a file: Parquet by its first bytes, JSON lines by their first brace, separated text otherwise; gzip and UTF-16 are
/// unpacked first.
pub(super) fn read(path: &Path) -> Result<Sheet> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("while reading {name}"))?;
    let (bytes, packed) =
        decode::unpacked(bytes).with_context(|| format!("while reading {name}"))?;
    let mut sheet = if bytes.starts_with(b"PAR1") && !packed {
        parquet::sheet(path)?
    } else {
        let (text, encoding) = decode::text(&name, bytes)?;
        let mut sheet = if text.trim_start().starts_with('{') {
            lines::sheet(&name, &text)?
        } else {
            delimited::sheet(&name, &text)?
        };
        if !encoding.is_empty() {
            sheet.format = format!("{}, {encoding}", sheet.format);
        }
        sheet
    };
    if packed {
        sheet.format += ", gzip";
    }
    if sheet.n_rows() == 0 {
        bail!("{name}: no row below the header");
    }
    Ok(sheet)
}
