//! The lists of columns against the documentation and against what they are taken from.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::column::Kind;
use super::{TABLES, Table, steps};
use crate::run::log::LogLine;

impl Table {
    /// As docs/export.md has it.
    fn markdown(&self) -> String {
        let mut text = format!(
            "### `{}`\n\nA row is {}.\n\n| column | type | unit | what it is |\n| --- | --- | --- | --- |\n",
            self.name, self.row
        );
        for column in self.columns {
            let kind = match column.kind {
                Kind::Count => "whole number",
                Kind::Number => "number",
                Kind::Flag => "true or false",
                Kind::Text => "text",
            };
            let (name, unit, about) = (column.name, column.unit, column.about);
            text += &format!("| `{name}` | {kind} | {unit} | {about} |\n");
        }
        text
    }
}

#[test]
fn the_documentation_has_every_column_and_no_other() {
    let page = include_str!("../../../../../docs/export.md");
    for table in TABLES {
        let text = table.markdown();
        assert!(page.contains(&text), "docs/export.md lacks this:\n\n{text}");
    }
    assert_eq!(page.matches("\n### ").count(), TABLES.len());
    let columns: usize = TABLES.iter().map(|table| table.columns.len()).sum();
    assert_eq!(page.matches("\n| `").count(), columns);
}

#[test]
fn names_of_columns_are_plain_and_tell_them_apart() {
    for table in TABLES {
        let names: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns.len(), "{}", table.name);
        let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(names.into_iter().all(is_plain), "{}", table.name);
    }
}

/// A number that the log gets is a column, or this fails; what is no number by itself is in `signals` anyway.
#[test]
fn every_number_of_the_log_is_a_column() {
    let line = LogLine {
        step: 1,
        train_loss: 1.0,
        train_accuracy: 1.0,
        gradient_norm: 1.0,
        n_clipped: 1,
        outer_lr: 1.0,
        validation_accuracy: Some(1.0),
        validation_loss: Some(1.0),
        update_ratio: 1.0,
        gradient_squares: [1.0; 2],
        losses: vec![1.0],
        layer_norms: vec![vec![1.0]],
        observation: None,
        domains: Vec::new(),
        inspection: None,
    };
    let Value::Object(fields) = serde_json::to_value(line).unwrap() else {
        panic!("a line of the log is no object");
    };
    let fields = fields.iter().filter(|(_, value)| value.is_number());
    let fields: BTreeSet<&str> = fields.map(|(name, _)| name.as_str()).collect();
    let columns = steps::COLUMNS.iter().map(|column| column.name);
    let columns: BTreeSet<&str> = columns.filter(|name| *name != "run").collect();
    assert_eq!(fields, columns);
}
