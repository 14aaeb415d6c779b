//! Cells that hold a whole object: trackers' `config` and `summary`, as JSON or as Python prints a dictionary.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::cell;
use super::lines::{flatten, parsed};
use super::sheet::Sheet;

/// The sheet with a column `outer.inner` for each key of a column whose cells are objects; none if no column is.
pub(super) fn expanded(sheet: &Sheet) -> Option<Sheet> {
    let objects: Vec<Option<Vec<Map<String, Value>>>> = (0..sheet.header.len())
        .map(|at| column(sheet, at))
        .collect();
    if objects.iter().all(Option::is_none) {
        return None;
    }
    let mut header: Vec<String> = Vec::new();
    // Of each new column, the old one that holds it.
    let mut origins: Vec<usize> = Vec::new();
    // Of each old column whose cells are objects, what is in them by name.
    let mut inner: Vec<Option<Vec<BTreeMap<String, String>>>> = Vec::new();
    for (at, (name, column)) in sheet.header.iter().zip(objects).enumerate() {
        let Some(column) = column else {
            header.push(name.clone());
            origins.push(at);
            inner.push(None);
            continue;
        };
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut rows: Vec<BTreeMap<String, String>> = Vec::new();
        for object in column {
            let mut cells = Vec::new();
            for (key, value) in object {
                flatten(format!("{name}.{key}"), value, &mut cells);
            }
            for (key, _) in &cells {
                if known.insert(key.clone()) {
                    header.push(key.clone());
                    origins.push(at);
                }
            }
            rows.push(cells.into_iter().collect());
        }
        inner.push(Some(rows));
    }
    let mut out = sheet.like(sheet.format.clone(), header.clone());
    for row in 0..sheet.n_rows() {
        let cells = header
            .iter()
            .zip(&origins)
            .map(|(name, at)| match &inner[*at] {
                Some(rows) => rows[row].get(name).map_or("", String::as_str),
                None => sheet.cell(row, *at),
            });
        out.push(sheet.line(row) as usize, cells);
    }
    Some(out)
}

/// The objects of a column, one for each row; none if a cell is something else, or all are empty.
fn column(sheet: &Sheet, at: usize) -> Option<Vec<Map<String, Value>>> {
    let mut found = Vec::new();
    let mut is_object = false;
    for row in 0..sheet.n_rows() {
        let text = sheet.cell(row, at);
        if cell::is_missing(text) {
            found.push(Map::new());
            continue;
        }
        if !(text.starts_with('{') && text.ends_with('}')) {
            return None;
        }
        let json = parsed(text).or_else(|_| serde_json::from_str(&as_json(text)));
        is_object = true;
        found.push(json.ok()?);
    }
    is_object.then_some(found)
}

/// Python's text of a dictionary as JSON: quotes doubled, its words for true, false and nothing, tuples as lists.
fn as_json(text: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("True", "true"),
        ("False", "false"),
        ("None", "null"),
        ("nan", "null"),
        ("-inf", "null"),
        ("inf", "null"),
    ];
    let mut out = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' || letter == '"' {
            let end = end_of_quote(&rest[1..], letter);
            out += &Value::String(unescaped(&rest[1..=end])).to_string();
            rest = rest.get(end + 2..).unwrap_or("");
            continue;
        }
        if let Some((word, json)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            out += json;
            rest = &rest[word.len()..];
            continue;
        }
        match letter {
            '(' => out.push('['),
            ')' => out.push(']'),
            other => out.push(other),
        }
        rest = &rest[letter.len_utf8()..];
    }
    out
}

/// Bytes before the quote that ends a text; all of them, if none does.
fn end_of_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        if letter == quote && !escaped {
            return at;
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        out.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_of_python_become_json() {
        let text =
            r#"{'a': 0.5, 'b': "it's", 'c': None, 'd': (1, 2), 'e': {'f': True}, 'g\'h': nan}"#;
        let value: Value = serde_json::from_str(&as_json(text)).unwrap();
        let expected = serde_json::json!({"a": 0.5, "b": "it's", "c": null, "d": [1, 2], "e": {"f": true}, "g'h": null});
        assert_eq!(value, expected);
        for broken in ["{'a", "{'", "{", "{'a': 'b}", "{\u{e9}'\u{e9}\\"] {
            assert!(serde_json::from_str::<Value>(&as_json(broken)).is_err());
        }
    }
}
