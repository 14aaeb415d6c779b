//! JSON lines, one object in each line; or one list of objects.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::sheet::Sheet;

/// Reads JSON lines, or one list of objects. A key that a row lacks is a missing cell; the columns stand in the order of their first
/// occurrence. Objects within a row become columns `outer.inner`; a list is a cell with its own text.
pub(super) fn sheet(file: &str, text: &str) -> Result<Sheet> {
    if text.trim_start().starts_with('[') {
        return list(file, text);
    }
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
                    "{file}:{line_number}: not a JSON object in one line ({error}); write one object a line (pandas: to_json(..., orient=\"records\", \
                     lines=True); jq: -c '.[]')"
                ),
            },
        };
        rows.push((line_number, row));
    }
    Ok(of_rows("JSON lines", rows))
}

/// One list of objects, as pandas writes with `orient="records"`: the number of a row stands for its line.
fn list(file: &str, text: &str) -> Result<Sheet> {
    let rows: Vec<Map<String, Value>> = match serde_json::from_str(text) {
        Ok(rows) => rows,
        Err(error) => match serde_json::from_str(&without_nan(text)) {
            Ok(rows) => rows,
            Err(_) => {
                bail!("{file}: not a JSON list of objects ({error}); write one object a line")
            }
        },
    };
    let mut sheet = of_rows("JSON list", (1..).zip(rows).collect());
    sheet.counts_rows = true;
    Ok(sheet)
}

fn of_rows(format: &str, rows: Vec<(usize, Map<String, Value>)>) -> Sheet {
    let mut header: Vec<String> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    let mut flat: Vec<(usize, BTreeMap<String, String>)> = Vec::new();
    for (line, row) in rows {
        let mut cells = Vec::new();
        for (key, value) in row {
            flatten(key, value, &mut cells);
        }
        for (key, _) in &cells {
            if !index.contains_key(key) {
                index.insert(key.clone(), header.len());
                header.push(key.clone());
            }
        }
        flat.push((line, cells.into_iter().collect()));
    }
    let mut sheet = Sheet::new(format.to_owned(), header.clone());
    for (line, cells) in flat {
        let cell = |key| cells.get(key).map_or("", String::as_str);
        sheet.push(line, header.iter().map(cell));
    }
    sheet
}

/// A value as cells: objects go into their keys.
fn flatten(key: String, value: Value, cells: &mut Vec<(String, String)>) {
    match value {
        Value::Null => cells.push((key, String::new())),
        Value::String(text) => cells.push((key, text)),
        Value::Object(inner) => {
            for (name, value) in inner {
                flatten(format!("{key}.{name}"), value, cells);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => cells.push((key, value.to_string())),
    }
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
