//! CSV: a header, then rows; an absent cell is empty, numbers have all their digits.

use std::borrow::Cow;

use anyhow::{Context, Result};

use super::super::column::{Column, Value};
use super::writer::Writer;
use crate::files::WholeFile;

pub(super) struct Csv {
    writer: csv::Writer<WholeFile>,
}

impl Csv {
    pub(super) fn new(file: WholeFile, columns: &[Column]) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(columns.iter().map(|column| column.name))?;
        Ok(Self { writer })
    }
}

impl Writer for Csv {
    fn row(&mut self, values: &[Value<'_>]) -> Result<()> {
        for value in values {
            self.writer.write_field(text(value).as_bytes())?;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn end(self: Box<Self>) -> Result<WholeFile> {
        let unwritten = |error: csv::IntoInnerError<_>| error.into_error();
        let file = self.writer.into_inner().map_err(unwritten);
        file.context("while writing the last rows")
    }
}

fn text<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Absent => Cow::Borrowed(""),
        Value::Count(count) => count.to_string().into(),
        // The shortest text that is read back as the same bits, with an exponent where it is shorter.
        Value::Number(number) => format!("{number:?}").into(),
        Value::Flag(flag) => flag.to_string().into(),
        Value::Text(text) => Cow::Borrowed(text),
    }
}
