//! The tables. One file holds one table; a column is a line in its list, and docs/export.md is held to these lists.

mod curves;
mod hits;
mod probabilities;
mod runs;
mod settings;
mod signals;
mod steps;
mod supports;
mod tasks;

#[cfg(test)]
mod tests;

use anyhow::Result;

use super::column::{Column, Value};
use super::subject::Subject;

/// Every table, in the order of the documentation.
pub(crate) const TABLES: &[&Table] = &[
    &runs::TABLE,
    &settings::TABLE,
    &steps::TABLE,
    &signals::TABLE,
    &tasks::TABLE,
    &hits::TABLE,
    &supports::TABLE,
    &probabilities::TABLE,
    &curves::TABLE,
];

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    /// Name of its file, without the format.
    pub(crate) name: &'static str,
    /// What one row is.
    pub(crate) row: &'static str,
    pub(crate) columns: &'static [Column],
    /// Rows that a run has under each first number of a row.
    pub(crate) shape: fn(&Subject) -> Vec<usize>,
}

impl Table {
    /// Hands on each row that a run has.
    pub(crate) fn rows(
        &self,
        subject: &Subject,
        mut put: impl FnMut(&[Value<'_>]) -> Result<()>,
    ) -> Result<()> {
        let mut values = Vec::with_capacity(self.columns.len());
        for (first, n_rows) in (self.shape)(subject).into_iter().enumerate() {
            for second in 0..n_rows {
                values.clear();
                let cells = self.columns.iter();
                values.extend(cells.map(|column| (column.cell)(subject, [first, second])));
                put(&values)?;
            }
        }
        Ok(())
    }
}

/// The first column of every table: what joins them.
const RUN: Column = Column::text("run", "name of the run in its study", |run, _| {
    run.label().into()
});

/// The column that joins the tables of test episodes: the first of the two numbers of a row.
const TASK: Column = Column::count(
    "task",
    "",
    "number of the episode, from 0",
    |_, [task, _]| task.into(),
);
