//! The formats of tables. All are written row by row, beside their place, and take their names when they are whole.

mod csv;
mod jsonl;
mod parquet;
mod writer;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;

use self::writer::Writer;
use super::column::Value;
use super::tables::Table;
use crate::files::WholeFile;

/// What `--format` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables as comma-separated values
    Csv,
    /// Tables as Parquet
    Parquet,
    /// Tables as one JSON object a line
    Jsonl,
    /// The training logs as TensorBoard's event files
    Tensorboard,
}

impl Format {
    /// The file of a table of that name.
    pub(super) fn file(self, table: &str) -> String {
        let ending = match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Jsonl | Self::Tensorboard => "jsonl",
        };
        format!("{table}.{ending}")
    }
}

/// A table being written.
pub(crate) struct Sheet {
    path: PathBuf,
    writer: Box<dyn Writer>,
}

impl Sheet {
    /// Starts a file with the columns of a table.
    pub(super) fn csv(folder: &Path, table: &'static Table) -> Result<Self> {
        Self::open(folder, table, "csv", |file| {
            Ok(Box::new(csv::Csv::new(file, table.columns)?))
        })
    }

    /// See [`Sheet::csv`].
    pub(super) fn jsonl(folder: &Path, table: &'static Table) -> Result<Self> {
        Self::open(folder, table, "jsonl", |file| {
            Ok(Box::new(jsonl::Jsonl::new(file, table.columns)))
        })
    }

    /// See [`Sheet::csv`].
    pub(super) fn parquet(folder: &Path, table: &'static Table) -> Result<Self> {
        Self::open(folder, table, "parquet", |file| {
            Ok(Box::new(parquet::Parquet::new(file, table)?))
        })
    }

    fn open(
        folder: &Path,
        table: &Table,
        extension: &str,
        writer: impl FnOnce(WholeFile) -> Result<Box<dyn Writer>>,
    ) -> Result<Self> {
        let path = folder.join(table.name).with_extension(extension);
        Ok(Self {
            writer: writer(WholeFile::create(&path)?)?,
            path,
        })
    }

    /// Writes one row.
    pub(super) fn row(&mut self, values: &[Value<'_>]) -> Result<()> {
        let written = self.writer.row(values);
        written.with_context(|| format!("while writing {}; is the disk full?", self.path.display()))
    }

    /// The file takes its name, which is handed on.
    pub(super) fn place(self) -> Result<PathBuf> {
        let ended = self.writer.end();
        ended
            .with_context(|| format!("while writing {}; is the disk full?", self.path.display()))?
            .place()?;
        Ok(self.path)
    }
}
