//! A run of the table: its rows, and what they say.

use anyhow::Result;
use metastable_analysis::Run;

use super::table::{Row, Table};

/// All rows of one run.
pub(super) struct Group<'t> {
    pub(super) setting: &'t str,
    pub(super) learner: &'t str,
    pub(super) id: String,
    pub(super) rows: Vec<Row<'t>>,
}

/// A run, its tasks by name in the order of the file, and the mean of its scores as the file has them.
pub(super) struct Read<'t> {
    pub(super) run: Run,
    pub(super) tasks: Vec<&'t str>,
    /// Classes and queries of each of them, where they are known.
    pub(super) shapes: Vec<[Option<usize>; 2]>,
    pub(super) score: Option<f64>,
}

/// Complains if a column changes within a run.
pub(super) fn constant(table: &Table, group: &Group<'_>, column: &str) -> Result<()> {
    let first = group.rows[0];
    let at = table.position(column);
    let differs = |row: &&Row<'_>| row.at(at) != first.at(at);
    match group.rows.iter().find(differs) {
        None => Ok(()),
        Some(row) => {
            let what = format!(
                "differs within run `{}`: {} has `{}`",
                group.id,
                table.sheet.spot(first.line()),
                first.text(column)
            );
            Err(row.complaint(column, &what))
        }
    }
}
