//! A table as checked rows: every complaint says the line and the column.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::cell::{self, Commas};
pub(crate) use super::columns::Columns;
use super::columns::Meaning;
use super::sheet::Sheet;
use super::suggest;
use super::wide::{self, Across};
use super::{curves, exported, file, naming};

/// The rows of a file, and where they stand.
pub(super) struct Table {
    path: PathBuf,
    pub(super) sheet: Sheet,
    pub(super) meaning: Meaning,
    index: BTreeMap<String, usize>,
    /// What commas are in the numbers of each column.
    commas: Vec<Commas>,
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
    let file = path.display().to_string();
    let mut sheet = file::read(path)?;
    let mut columns = columns.clone();
    let mut roles = Vec::new();
    if let Some(found) = exported::joined(path, &sheet)? {
        (sheet, roles) = (found.sheet, found.roles);
        columns.ignored.retain(|name| sheet.header.contains(name));
    }
    columns.rejoin(&sheet.header);
    if !columns.only.is_empty() {
        sheet = sheet.only(&file, &columns.only)?;
    }
    columns.take_roles(&sheet, roles);
    for (prefixes, across) in [
        (&columns.wide, Across::Tasks),
        (&columns.wide_steps, Across::Steps),
    ] {
        if !prefixes.is_empty() {
            sheet = wide::lengthened(&file, &sheet, prefixes, across)?;
        }
    }
    let steps = match &columns.curves {
        Some(steps) => Some(steps.clone()),
        None => curves::is_chart(&sheet),
    };
    if let Some(steps) = steps {
        let ignored = std::mem::take(&mut columns.ignored);
        sheet = curves::lengthened(&file, &sheet, &steps, &ignored)?;
    }
    if let Some(pattern) = &columns.run_name {
        sheet = naming::with_fields(&file, &sheet, columns.named("run"), pattern)?;
    }
    let suggested = || suggest::sentence(&file, &sheet, &columns);
    let meaning = columns.meaning(&file, &sheet, suggested)?;
    if percentages(&file, &sheet, &meaning)? && columns.scale().is_none() && columns.unit.is_none()
    {
        columns.unit = Some(String::from("percent"));
    }
    let mut index = BTreeMap::new();
    for (at, name) in meaning.names.iter().enumerate() {
        if !name.is_empty() {
            index.insert(name.clone(), at);
        }
    }
    for (at, (name, own)) in sheet.header.iter().zip(&meaning.names).enumerate() {
        // Flags name a column as the file does.
        if !own.is_empty() {
            index.entry(name.clone()).or_insert(at);
        }
    }
    let table = Table {
        path: path.to_owned(),
        commas: (0..sheet.header.len())
            .map(|at| sheet.commas_of(at))
            .collect(),
        sheet,
        meaning,
        index,
        columns,
    };
    if table.has("score") == table.has("hit") {
        bail!(
            "{file}:1: expected one of the columns `score` (a row for each run or task) and `hit` (a row for each query); --column score=NAME says \
             which column is the score, --wide BEGINNING that each column whose name begins so is a task"
        );
    }
    if table.has("hit") && !(table.has("task") && table.has("query")) {
        bail!("{file}:1: `hit` needs the columns `task` and `query`");
    }
    if table.has("hit") && table.has("step") {
        bail!(
            "{file}:1: `step` does not go with `hit`; --ignore step leaves it out, or give the score of each step"
        );
    }
    Ok(table)
}

/// Whether scores are written with signs for percent, all of them; a sign on some is a mistake in one or the other.
fn percentages(file: &str, sheet: &Sheet, meaning: &Meaning) -> Result<bool> {
    let Some(at) = meaning.names.iter().position(|name| name == "score") else {
        return Ok(false);
    };
    // Signs are rare, and reading a number is not free.
    if !(0..sheet.n_rows()).any(|row| sheet.cell(row, at).contains('%')) {
        return Ok(false);
    }
    let mut first: [Option<usize>; 2] = [None; 2];
    for row in 0..sheet.n_rows() {
        let text = sheet.cell(row, at);
        if cell::number(text, Commas::Either).is_some() {
            first[usize::from(cell::is_percentage(text))].get_or_insert(row);
        }
    }
    match first {
        [Some(without), Some(with)] => bail!(
            "{}: column {} (`{}`): `{}` has no sign for percent, and `{}` in {} has one; write all scores alike",
            sheet.place(file, sheet.line(without)),
            at + 1,
            sheet.header[at],
            sheet.cell(without, at),
            sheet.cell(with, at),
            sheet.spot(sheet.line(with)),
        ),
        [_, with] => Ok(with.is_some()),
    }
}

impl Table {
    /// Whether there is such a column, and it is to be read.
    pub(super) fn has(&self, column: &str) -> bool {
        self.meaning.names.iter().any(|name| name == column)
    }

    /// Where a column stands, for those who read it row by row.
    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.index.get(column).copied()
    }

    /// All rows, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.sheet.n_rows()).map(|at| Row { table: self, at })
    }

    /// Name of the file, for complaints about the whole.
    pub(super) fn file(&self) -> String {
        self.path.display().to_string()
    }
}

impl<'t> Row<'t> {
    /// Line in the file, or number of the row, from 1; 0 if the file has none for it.
    pub(super) fn line(&self) -> u32 {
        self.table.sheet.line(self.at)
    }

    /// The text at a position; empty if there is none.
    pub(super) fn at(&self, position: Option<usize>) -> &'t str {
        position.map_or("", |position| self.table.sheet.cell(self.at, position))
    }

    /// The text in a column of the file, read or not; empty if there is none.
    pub(super) fn raw(&self, name: &str) -> &'t str {
        let header = &self.table.sheet.header;
        self.at(header.iter().position(|it| it == name))
    }

    /// The text in a column; empty if there is none.
    pub(super) fn text(&self, column: &str) -> &'t str {
        let at = self.table.index.get(column);
        at.map_or("", |at| self.table.sheet.cell(self.at, *at))
    }

    /// The text in a column that must not be empty.
    pub(super) fn need(&self, column: &str) -> Result<&'t str> {
        match self.text(column) {
            "" => Err(self.complaint(column, "is empty")),
            text => Ok(text),
        }
    }

    /// The name of the run: its column, else learner and seed, else its line or number.
    pub(super) fn run(&self) -> Result<Cow<'t, str>> {
        if self.table.has("run") {
            return self.need("run").map(Cow::Borrowed);
        }
        if self.table.has("task") || self.table.has("step") {
            // Without seeds a learner has one run.
            if !self.table.has("seed") {
                return Ok(Cow::Borrowed("run"));
            }
            if self.is_missing("seed") {
                return Err(self.complaint(
                    "seed",
                    "is missing; without a column `run`, learner and seed name the run of a row",
                ));
            }
            return Ok(Cow::Owned(format!("seed-{}", self.text("seed"))));
        }
        let spot = self.table.sheet.spot(self.line());
        Ok(Cow::Owned(spot.replace(' ', "-")))
    }

    /// Whether a column has no value.
    pub(super) fn is_missing(&self, column: &str) -> bool {
        cell::is_missing(self.text(column))
    }

    /// The finite number in a column, if it is one.
    pub(super) fn maybe_number(&self, column: &str) -> Option<f64> {
        let at = *self.table.index.get(column)?;
        cell::number(self.at(Some(at)), self.table.commas[at])
    }

    /// The value of a column that must be a finite number.
    pub(super) fn number(&self, column: &str) -> Result<f64> {
        self.need(column)?;
        self.maybe_number(column).ok_or_else(|| {
            let why = cell::why_no_number(self.text(column));
            self.complaint(column, &format!("is not a finite number{why}"))
        })
    }

    /// The value of a column that must be a count, at least `least`; absent if missing. pandas writes `3.0`.
    pub(super) fn count(&self, column: &str, least: usize) -> Result<Option<usize>> {
        if !self.table.has(column) || self.is_missing(column) {
            return Ok(None);
        }
        let text = self.text(column);
        let whole = text.strip_suffix(".0").unwrap_or(text);
        match whole.parse() {
            Ok(count) if count >= least => Ok(Some(count)),
            _ => Err(self.complaint(column, &format!("is not a whole number, {least} or more"))),
        }
    }

    /// Whether the answer to a query is right; `None` if missing.
    pub(super) fn hit(&self) -> Result<Option<bool>> {
        if self.is_missing("hit") {
            return Ok(None);
        }
        match cell::hit(self.text("hit")) {
            Some(hit) => Ok(Some(hit)),
            None => Err(self.complaint(
                "hit",
                "is not 1 or 0, true or false, yes or no, correct or wrong, success or failure",
            )),
        }
    }

    /// Whether the run failed; `None` if nothing says so.
    pub(super) fn failed(&self) -> Result<Option<bool>> {
        let states = &self.table.meaning.failed_states;
        if !self.table.has("failed") {
            return Ok(None);
        }
        let text = self.text("failed");
        if self.is_missing("failed") {
            return Ok(None);
        }
        if !states.is_empty() {
            return Ok(Some(states.iter().any(|state| state == text)));
        }
        match cell::state(text) {
            Some(failed) => Ok(Some(failed)),
            None => Err(self.complaint(
                "failed",
                "is not yes or no; --column failed=COLUMN:STATE|STATE says which states are failures",
            )),
        }
    }

    /// What is wrong with a value, with line and column.
    pub(super) fn complaint(&self, column: &str, what: &str) -> anyhow::Error {
        let (at, name) = match self.table.index.get(column) {
            Some(at) => (at + 1, self.table.sheet.header[*at].as_str()),
            None => (0, column),
        };
        anyhow!(
            "{}: column {at} (`{name}`): `{}` {what}",
            self.table.sheet.place(&self.table.file(), self.line()),
            self.text(column)
        )
    }
}
