//! Parquet, without arrow: cells are gathered column by column, and written in groups of rows. Every column is optional;
//! what the columns are is in the file's own metadata too.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Map, json};

use super::super::column::{Column, Kind, Value};
use super::super::tables::Table;
use super::writer::Writer;
use crate::files::WholeFile;

/// Rows of a group: what is in memory at once.
const GROUP: usize = 1 << 16;

pub(super) struct Parquet {
    writer: SerializedFileWriter<WholeFile>,
    columns: Vec<Buffer>,
    n_rows: usize,
}

/// Cells of one column that are not written yet.
struct Buffer {
    /// 1 where there is a value, 0 where it is absent.
    levels: Vec<i16>,
    /// Those that are there.
    cells: Cells,
}

enum Cells {
    Counts(Vec<i64>),
    Numbers(Vec<f64>),
    Flags(Vec<bool>),
    Texts(Vec<ByteArray>),
}

impl Parquet {
    pub(super) fn new(file: WholeFile, table: &Table) -> Result<Self> {
        let fields: Vec<String> = table.columns.iter().map(field).collect();
        let schema = format!("message {} {{ {} }}", table.name, fields.join(" "));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("metastable {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(notes(table)))
            .build();
        let schema = Arc::new(parse_message_type(&schema)?);
        Ok(Self {
            writer: SerializedFileWriter::new(file, schema, Arc::new(properties))?,
            columns: table.columns.iter().map(Buffer::new).collect(),
            n_rows: 0,
        })
    }

    fn write_group(&mut self) -> Result<()> {
        let mut group = self.writer.next_row_group()?;
        for buffer in &mut self.columns {
            let mut column = group.next_column()?.context("a column too many")?;
            buffer.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        self.n_rows = 0;
        Ok(())
    }
}

impl Writer for Parquet {
    fn row(&mut self, values: &[Value<'_>]) -> Result<()> {
        for (buffer, value) in self.columns.iter_mut().zip(values) {
            buffer.push(value)?;
        }
        self.n_rows += 1;
        if self.n_rows == GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<WholeFile> {
        if self.n_rows > 0 {
            self.write_group()?;
        }
        Ok(self.writer.into_inner()?)
    }
}

/// A column in the language of schemas.
fn field(column: &Column) -> String {
    let name = column.name;
    match column.kind {
        Kind::Count => format!("optional int64 {name} (INTEGER(64,false));"),
        Kind::Number => format!("optional double {name};"),
        Kind::Flag => format!("optional boolean {name};"),
        Kind::Text => format!("optional binary {name} (STRING);"),
    }
}

/// What a row and each column are.
fn notes(table: &Table) -> Vec<KeyValue> {
    let columns = table.columns.iter().map(|column| {
        let about = json!({ "unit": column.unit, "about": column.about });
        (column.name.to_owned(), about)
    });
    let columns: Map<_, _> = columns.collect();
    vec![
        KeyValue::new("row".to_owned(), table.row.to_owned()),
        KeyValue::new("columns".to_owned(), json!(columns).to_string()),
    ]
}

impl Buffer {
    fn new(column: &Column) -> Self {
        Self {
            levels: Vec::new(),
            cells: match column.kind {
                Kind::Count => Cells::Counts(Vec::new()),
                Kind::Number => Cells::Numbers(Vec::new()),
                Kind::Flag => Cells::Flags(Vec::new()),
                Kind::Text => Cells::Texts(Vec::new()),
            },
        }
    }

    fn push(&mut self, value: &Value<'_>) -> Result<()> {
        match (&mut self.cells, value) {
            (_, Value::Absent) => {
                self.levels.push(0);
                return Ok(());
            }
            // The file says that they are without sign: large ones keep their bits.
            (Cells::Counts(cells), Value::Count(count)) => cells.push(count.cast_signed()),
            (Cells::Numbers(cells), Value::Number(number)) => cells.push(*number),
            (Cells::Flags(cells), Value::Flag(flag)) => cells.push(*flag),
            (Cells::Texts(cells), Value::Text(text)) => cells.push(text.as_ref().into()),
            (_, value) => bail!("{value:?} is of another kind than its column, which is a bug"),
        }
        self.levels.push(1);
        Ok(())
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        match &mut self.cells {
            Cells::Counts(cells) => write::<Int64Type>(column, cells, &self.levels),
            Cells::Numbers(cells) => write::<DoubleType>(column, cells, &self.levels),
            Cells::Flags(cells) => write::<BoolType>(column, cells, &self.levels),
            Cells::Texts(cells) => write::<ByteArrayType>(column, cells, &self.levels),
        }?;
        self.levels.clear();
        Ok(())
    }
}

fn write<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<()> {
    let n = column.typed::<T>().write_batch(cells, Some(levels), None)?;
    ensure!(
        n == cells.len(),
        "{n} of {} cells were written",
        cells.len()
    );
    cells.clear();
    Ok(())
}
