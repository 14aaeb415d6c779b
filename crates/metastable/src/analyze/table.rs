//! A CSV file as checked rows: every complaint says the line and the column.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::study::suggestion;

/// Columns that have a meaning of their own.
pub(super) const KNOWN: [&str; 11] = [
    "run", "setting", "learner", "seed", "task", "score", "query", "hit", "queries", "way",
    "failed",
];

/// What the other columns are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// Settings that were varied on purpose.
    pub(crate) factors: Vec<String>,
    /// The same, measured in decades.
    pub(crate) logarithmic: Vec<String>,
    /// Sources of chance.
    pub(crate) streams: Vec<String>,
    /// What has to agree for runs to be comparable.
    pub(crate) fingerprint: Vec<String>,
    /// Not to be read.
    pub(crate) ignored: Vec<String>,
}

/// The rows of a file, and where they stand.
pub(super) struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<(u64, StringRecord)>,
    pub(super) columns: Columns,
}

/// A row of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'t> {
    table: &'t Table,
    at: usize,
}

/// Reads a file and checks its columns.
pub(super) fn read(path: &Path, columns: &Columns) -> Result<Table> {
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .from_path(path)
        .with_context(|| format!("while reading {}", path.display()))?;
    let header: Vec<String> = reader
        .headers()
        .with_context(|| format!("while reading {}", path.display()))?
        .iter()
        // Spreadsheets put a mark in front of the file.
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        // The error of the crate names the line, and how many fields there should be.
        let record = record.with_context(|| format!("while reading {}", path.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, record));
    }
    let table = Table {
        path: path.to_owned(),
        header,
        rows,
        columns: columns.clone(),
    };
    table.check_columns()?;
    if table.rows.is_empty() {
        bail!("{}: no row below the header", path.display());
    }
    Ok(table)
}

impl Table {
    fn check_columns(&self) -> Result<()> {
        let file = self.path.display();
        let of_user = [
            ("--factor", &self.columns.factors),
            ("--log", &self.columns.logarithmic),
            ("--stream", &self.columns.streams),
            ("--fingerprint", &self.columns.fingerprint),
            ("--ignore", &self.columns.ignored),
        ];
        let names: Vec<&str> = self.header.iter().map(String::as_str).collect();
        for (flag, wanted) in of_user {
            if let Some(missing) = wanted.iter().find(|name| !self.header.contains(name)) {
                bail!(
                    "{flag} {missing}: {file} has no such column; {}",
                    suggestion(missing, &names)
                );
            }
        }
        for (at, name) in self.header.iter().enumerate() {
            if self.header[..at].contains(name) {
                bail!(
                    "{file}:1: column {}: the name `{name}` occurs twice",
                    at + 1
                );
            }
            let uses = of_user
                .iter()
                .filter(|(_, wanted)| wanted.contains(name))
                .count();
            let known = KNOWN.contains(&name.as_str());
            if uses > 1 || (known && uses > 0 && !self.columns.ignored.contains(name)) {
                bail!(
                    "{file}:1: column {} (`{name}`) has two meanings; name it once",
                    at + 1
                );
            }
            if uses == 0 && !known {
                bail!(
                    "{file}:1: column {} (`{name}`) is not known; say what it is with --factor, --log, --stream, --fingerprint or --ignore {name} (known by \
                     themselves: {})",
                    at + 1,
                    KNOWN.join(", ")
                );
            }
        }
        if !self.has("run") {
            bail!("{file}:1: no column `run`");
        }
        if self.has("score") == self.has("hit") {
            bail!(
                "{file}:1: expected one of the columns `score` (a row for each task) and `hit` (a row for each query)"
            );
        }
        if self.has("hit") && !(self.has("task") && self.has("query")) {
            bail!("{file}:1: `hit` needs the columns `task` and `query`");
        }
        Ok(())
    }

    /// Whether there is such a column, and it is to be read.
    pub(super) fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
            && !self.columns.ignored.iter().any(|name| name == column)
    }

    /// All rows, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows.len()).map(|at| Row { table: self, at })
    }

    /// Name of the file, for complaints about the whole.
    pub(super) fn file(&self) -> String {
        self.path.display().to_string()
    }
}

impl<'t> Row<'t> {
    /// Line in the file, from 1.
    pub(super) fn line(&self) -> u64 {
        self.table.rows[self.at].0
    }

    /// The text in a column; empty if there is none.
    pub(super) fn text(&self, column: &str) -> &'t str {
        if !self.table.has(column) {
            return "";
        }
        let at = self.table.header.iter().position(|name| name == column);
        at.and_then(|at| self.table.rows[self.at].1.get(at))
            .unwrap_or("")
    }

    /// The text in a column that must not be empty.
    pub(super) fn need(&self, column: &str) -> Result<&'t str> {
        match self.text(column) {
            "" => Err(self.complaint(column, "is empty")),
            text => Ok(text),
        }
    }

    /// The value of a column that must be a finite number.
    pub(super) fn number(&self, column: &str) -> Result<f64> {
        let text = self.need(column)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(self.complaint(column, "is not a finite number")),
        }
    }

    /// The value of a column that must be a count, at least `least`; absent if empty.
    pub(super) fn count(&self, column: &str, least: usize) -> Result<Option<usize>> {
        match self.text(column) {
            "" => Ok(None),
            text => match text.parse() {
                Ok(count) if count >= least => Ok(Some(count)),
                _ => {
                    Err(self.complaint(column, &format!("is not a whole number, {least} or more")))
                }
            },
        }
    }

    /// The value of a column that must be yes or no; `None` if empty.
    pub(super) fn truth(&self, column: &str) -> Result<Option<bool>> {
        match self.text(column).to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "1" | "true" | "yes" => Ok(Some(true)),
            "0" | "false" | "no" => Ok(Some(false)),
            _ => Err(self.complaint(column, "is not 1 or 0, true or false, yes or no")),
        }
    }

    /// What is wrong with a value, with line and column.
    pub(super) fn complaint(&self, column: &str, what: &str) -> anyhow::Error {
        let at = self
            .table
            .header
            .iter()
            .position(|name| name == column)
            .map_or(0, |at| at + 1);
        anyhow!(
            "{}:{}: column {at} (`{column}`): `{}` {what}",
            self.table.file(),
            self.line(),
            self.text(column)
        )
    }
}
