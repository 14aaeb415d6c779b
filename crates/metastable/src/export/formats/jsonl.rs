//! JSON lines: one object a row, its fields in the order of the columns; an absent cell is `null`.

use std::io::Write;

use anyhow::Result;
use serde::ser::{SerializeMap, Serializer};

use super::super::column::{Column, Value};
use super::writer::Writer;
use crate::files::WholeFile;

pub(super) struct Jsonl {
    file: WholeFile,
    columns: &'static [Column],
}

impl Jsonl {
    pub(super) fn new(file: WholeFile, columns: &'static [Column]) -> Self {
        Self { file, columns }
    }
}

impl Writer for Jsonl {
    fn row(&mut self, values: &[Value<'_>]) -> Result<()> {
        let mut json = serde_json::Serializer::new(&mut self.file);
        let mut object = json.serialize_map(Some(values.len()))?;
        for (column, value) in self.columns.iter().zip(values) {
            object.serialize_entry(column.name, value)?;
        }
        object.end()?;
        Ok(self.file.write_all(b"\n")?)
    }

    fn end(self: Box<Self>) -> Result<WholeFile> {
        Ok(self.file)
    }
}
