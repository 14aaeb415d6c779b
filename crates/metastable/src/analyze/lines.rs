//! JSON lines, one object in each line; one list of objects; or one document that holds a table in another way.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::document;
use super::sheet::Sheet;

/// A row of a table, with the place that it came from.
pub(super) type Placed = (usize, Map<String, Value>);

/// Reads JSON lines, one list of objects, or one document. A key that a row lacks is a missing cell; the columns stand in the order of
/// their first occurrence. Objects within a row become columns `outer.inner`; a list is a cell with its own text.
pub(super) fn sheet(file: &str, text: &str) -> Result<Sheet> {
    match parsed::<Value>(text) {
        Ok(Value::Array(rows)) => return list(file, rows),
        Ok(Value::Object(whole)) => return document::sheet(file, whole),
        Ok(_) => bail!("{file}: a single JSON value, not a table; write one object a line"),
        Err(error) if text.trim_start().starts_with('[') => {
            bail!("{file}: not a JSON list of objects ({error}); write one object a line")
        }
        Err(_) => {}
    }
    let mut rows: Vec<Placed> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line_number = at + 1;
        if line.trim().is_empty() {
            continue;
        }
        match parsed::<Map<String, Value>>(line) {
            Ok(row) => rows.push((line_number, row)),
            // Objects over several lines each, one after the other.
            Err(_) if rows.is_empty() => match stream(text) {
                Some(rows) => return Ok(counted("JSON objects", rows)),
                None => bail!("{}", no_object(file, line_number, line)),
            },
            Err(_) => bail!("{}", no_object(file, line_number, line)),
        }
    }
    Ok(of_rows("JSON lines", rows))
}

fn no_object(file: &str, line_number: usize, line: &str) -> String {
    let error = serde_json::from_str::<Map<String, Value>>(line);
    let why = error.err().map_or_else(String::new, |it| it.to_string());
    format!(
        "{file}:{line_number}: not a JSON object in one line ({why}); write one object a line (pandas: to_json(..., orient=\"records\", \
         lines=True); jq: -c '.[]')"
    )
}

/// Python writes NaN, which JSON does not know.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match without_nan(text) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    })
}

/// Objects that follow each other, on as many lines as they take.
fn stream(text: &str) -> Option<Vec<Map<String, Value>>> {
    let plain = without_nan(text);
    let text = plain.as_deref().unwrap_or(text);
    serde_json::Deserializer::from_str(text)
        .into_iter::<Map<String, Value>>()
        .collect::<Result<_, _>>()
        .ok()
}

/// One list of objects, as pandas writes with `orient="records"`: the number of a row stands for its line.
fn list(file: &str, rows: Vec<Value>) -> Result<Sheet> {
    let mut objects = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        match row {
            Value::Object(row) => objects.push(row),
            _ => bail!(
                "{file}: row {}: not an object; a list of rows has an object for each, with the names of the columns (pandas: to_json(..., \
                 orient=\"records\"))",
                at + 1
            ),
        }
    }
    Ok(counted("JSON list", objects))
}

/// A table whose rows are counted, for want of lines.
pub(super) fn counted(format: &str, rows: Vec<Map<String, Value>>) -> Sheet {
    let mut sheet = of_rows(format, (1..).zip(rows).collect());
    sheet.counts_rows = true;
    sheet
}

pub(super) fn of_rows(format: &str, rows: Vec<Placed>) -> Sheet {
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
pub(super) fn flatten(key: String, value: Value, cells: &mut Vec<(String, String)>) {
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

/// Python's `NaN` and `Infinity` outside of strings, as `null`; none if there is none.
fn without_nan(text: &str) -> Option<String> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quoted, mut escaped) = (text, false, false);
    while let Some(letter) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"];
        let found = word.into_iter().find(|it| !quoted && rest.starts_with(it));
        if let Some(found) = found {
            out += "null";
            rest = &rest[found.len()..];
            continue;
        }
        quoted ^= letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    Some(out)
}
