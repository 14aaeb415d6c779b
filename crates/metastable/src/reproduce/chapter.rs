//! The comparison with published numbers as a chapter of a study's report.

use anyhow::Result;
use metastable_analysis::report::Published;
use metastable_analysis::reproduction::Rule;

use super::judge::{self, Row};
use super::{formats, published, sentence};
use crate::campaign::Finished;
use crate::campaign::factors::is_one_thing;
use crate::campaign::folder::Index;

/// Published numbers beside the runs of a study.
#[derive(Default)]
pub(crate) struct Compared {
    /// As the chapter shows them.
    pub(crate) shown: Vec<Published>,
    /// When which verdict is given.
    pub(crate) rule: String,
    /// As `reproduction.json` has them.
    pub(crate) rows: Vec<Row>,
}

/// Compares the runs by the usual rule; empty where no number is for them, or where settings are varied on purpose.
pub(crate) fn compared(index: &Index, finished: &[Finished]) -> Result<Compared> {
    if !is_one_thing(index) {
        return Ok(Compared::default());
    }
    let rows = judge::rows(&published::cells()?, finished, &Rule::default(), false)?;
    let shown = rows.iter().map(shown).collect();
    let rule = formats::rule(&rows);
    Ok(Compared { shown, rule, rows })
}

fn shown(row: &Row) -> Published {
    let cell = &row.published;
    Published {
        learner: row.ours.learner.clone(),
        cell: format!("{} {}", cell.data, cell.shape()),
        printed: cell.printed(),
        source: format!("{} {}, {}", cell.paper.authors, cell.paper.year, cell.place),
        runs: row.ours.runs,
        ours: row.ours.interval,
        comparison: row.comparison.clone(),
        verdict: sentence::word(row.verdict).to_owned(),
        reason: sentence::reason(row),
    }
}
