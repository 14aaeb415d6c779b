//! JSON lines: one flat object in each line.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::sheet::Sheet;

/// Reads JSON lines. A key that a line lacks is a missing cell; the columns stand in the order of their first occurrence.
pub(super) fn sheet(file: &str, text: &str) -> Result<Sheet> {
    let mut header: Vec<String> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows: Vec<(usize, Map<String, Value>)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line_number = at + 1;
        if line.trim().is_empty() {
            continue;
        }
        // Python writes NaN, which JSON does not know.
        let row = match serde_json::from_str::<Map<String, Value>>(line) {
            Ok(row) => row,
            Err(error) => match serde_json::from_str(&without_nan(line)) {
                Ok(row) => row,
                Err(_) => bail!(
                    "{file}:{line_number}: not a JSON object in one line ({error}); JSON lines have one object a line"
                ),
            },
        };
        for (key, value) in &row {
            if value.is_array() || value.is_object() {
                bail!(
                    "{file}:{line_number}: `{key}` holds a list or an object; write one value a key"
                );
            }
            if !index.contains_key(key) {
                index.insert(key.clone(), header.len());
                header.push(key.clone());
            }
        }
        rows.push((line_number, row));
    }
    let mut sheet = Sheet::new(String::from("JSON lines"), header.clone());
    for (line, row) in rows {
        let cells: Vec<String> = header
            .iter()
            .map(|key| match row.get(key) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            })
            .collect();
        sheet.push(line, cells.iter().map(String::as_str));
    }
    Ok(sheet)
}

/// Python's `NaN` and `Infinity` outside of strings, as `null`.
fn without_nan(line: &str) -> String {
    let mut out = String::new();
    for (at, piece) in line.split('"').enumerate() {
        if at > 0 {
            out.push('"');
        }
        if at % 2 == 0 {
            let piece = piece
                .replace("-Infinity", "null")
                .replace("Infinity", "null");
            out += &piece.replace("NaN", "null");
        } else {
            out += piece;
        }
    }
    out
}
