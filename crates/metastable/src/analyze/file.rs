//! A file as a sheet, in whichever of the formats it is.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::sheet::Sheet;
use super::{decode, delimited, expanded, lines, parquet};

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
        let mut sheet = if text.trim_start().starts_with(['{', '[']) {
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
    if let Some(wider) = expanded::expanded(&sheet) {
        sheet = wider;
    }
    sheet.index = sheet.counting();
    if sheet.n_rows() == 0 {
        bail!("{name}: no row below the header");
    }
    Ok(sheet)
}
