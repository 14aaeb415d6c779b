//! Cells of a file and the lines they stand in, whatever the format was.

use anyhow::{Result, bail};

use super::cell::{self, Commas};
use crate::study::suggestion;

/// A header and rows of text, in one buffer: a table of hits has millions of rows.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// What the file was taken for, in words.
    pub(super) format: String,
    /// Names of the columns.
    pub(super) header: Vec<String>,
    /// What a comma in a number may be.
    pub(super) commas: Commas,
    /// Whether rows are counted, since no row has a line of its own: Parquet, one JSON list.
    pub(super) counts_rows: bool,
    /// The column that counts the rows of the file and says nothing else, as pandas writes its index.
    pub(super) index: Option<String>,
    cells: String,
    ends: Vec<usize>,
    lines: Vec<u32>,
}

/// A cell without the blanks around it. Looking for blanks would cost more than all else of the millions of cells that have none.
fn trimmed(cell: &str) -> &str {
    let is_print = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = cell.as_bytes();
    if is_print(bytes.first()) && is_print(bytes.last()) {
        cell
    } else {
        cell.trim()
    }
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

    /// A sheet without rows of the same kind of file.
    pub(super) fn like(&self, format: String, header: Vec<String>) -> Self {
        Self {
            commas: self.commas,
            counts_rows: self.counts_rows,
            index: self.index.clone(),
            ..Self::new(format, header)
        }
    }

    /// Adds a row with a cell for each column; line 0 is a row that the file has not.
    pub(super) fn push<'c>(&mut self, line: usize, cells: impl IntoIterator<Item = &'c str>) {
        for cell in cells {
            self.cells.push_str(trimmed(cell));
            self.ends.push(self.cells.len());
        }
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
    }

    /// The rows whose cells are those of `COLUMN=VALUE`, all of them.
    pub(super) fn only(&self, file: &str, conditions: &[String]) -> Result<Self> {
        let names: Vec<&str> = self.header.iter().map(String::as_str).collect();
        let mut wanted = Vec::new();
        for condition in conditions {
            let Some((column, value)) = condition.split_once('=') else {
                bail!("--where {condition}: expected COLUMN=VALUE, such as metric=accuracy");
            };
            let Some(at) = names.iter().position(|name| *name == column) else {
                bail!(
                    "--where {condition}: {file} has no column `{column}`; {}",
                    suggestion(column, &names)
                );
            };
            if (0..self.n_rows()).all(|row| self.cell(row, at) != value) {
                let mut known: Vec<&str> =
                    (0..self.n_rows()).map(|row| self.cell(row, at)).collect();
                known.sort_unstable();
                known.dedup();
                known.truncate(20);
                bail!(
                    "--where {condition}: no row has `{value}` in column `{column}`; {}",
                    suggestion(value, &known)
                );
            }
            wanted.push((at, value));
        }
        // What all remaining rows share says nothing more.
        let kept: Vec<usize> = (0..names.len())
            .filter(|at| wanted.iter().all(|(column, _)| column != at))
            .collect();
        let header = kept.iter().map(|at| self.header[*at].clone()).collect();
        let mut out = self.like(
            format!("{}, {}", self.format, conditions.join(", ")),
            header,
        );
        for row in 0..self.n_rows() {
            if wanted
                .iter()
                .all(|(at, value)| self.cell(row, *at) == *value)
            {
                out.push(
                    self.line(row) as usize,
                    kept.iter().map(|at| self.cell(row, *at)),
                );
            }
        }
        if out.n_rows() == 0 {
            bail!("--where {}: no row fits all of them", conditions.join(","));
        }
        Ok(out)
    }

    /// Rows below the header.
    pub(super) fn n_rows(&self) -> usize {
        self.lines.len()
    }

    /// Line of a row, from 1, as an editor counts; the number of the row where a file has no lines.
    pub(super) fn line(&self, row: usize) -> u32 {
        self.lines[row]
    }

    /// A line in words: `line 3`, or `row 3` where rows are counted.
    pub(super) fn spot(&self, line: u32) -> String {
        match line {
            0 => String::from("a run without a row here"),
            _ if self.counts_rows => format!("row {line}"),
            _ => format!("line {line}"),
        }
    }

    /// Where a complaint is about: `scores.csv:3`, or `scores.json: row 3` where rows are counted.
    pub(super) fn place(&self, file: &str, line: u32) -> String {
        if line == 0 || self.counts_rows {
            format!("{file}: {}", self.spot(line))
        } else {
            format!("{file}:{line}")
        }
    }

    /// The first column, if its name is one that programs give to an index, and its cells count from 0 or 1.
    pub(super) fn counting(&self) -> Option<String> {
        const NAMES: [&str; 6] = [
            "index",
            "level_0",
            "unnamed: 0",
            "rownames",
            "row.names",
            "row",
        ];
        let name = self.header.first()?;
        let counts_from = |start: usize| {
            let is_next = |row| self.cell(row, 0).parse() == Ok(row + start);
            (0..self.n_rows()).all(is_next)
        };
        let is_named = NAMES.contains(&name.to_lowercase().as_str());
        (is_named && (counts_from(0) || counts_from(1))).then(|| name.clone())
    }

    /// What commas in the numbers of a column are: where they do not separate cells, any number with decimals behind one settles it.
    pub(super) fn commas_of(&self, column: usize) -> Commas {
        let has_comma = |row| cell::has_decimal_comma(self.cell(row, column));
        if self.commas == Commas::Either && (0..self.n_rows()).any(has_comma) {
            Commas::Decimal
        } else {
            self.commas
        }
    }

    /// The text of a cell.
    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.header.len() + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.cells[start..self.ends[at]]
    }
}
