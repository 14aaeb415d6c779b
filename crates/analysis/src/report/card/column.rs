//! Rows and columns of the card, and how their values are written.

use crate::estimate::Estimate;
use crate::failure::Failures;
use crate::metric::Measures;
use crate::report::document::{percent, percent_range};
use crate::words::Words;

/// What one row is about.
pub(crate) struct Row<'r> {
    /// Name of the learner.
    pub(crate) learner: &'r str,
    /// Figures across the learners of the setting.
    pub(crate) of_setting: Option<&'r Measures>,
    /// Figures of the runs that the row counts.
    pub(crate) measures: &'r Measures,
    /// Failed runs of all, for the row of all runs.
    pub(crate) failures: Option<&'r Failures>,
    /// How scores are written.
    pub(crate) words: Words<'r>,
}

/// A column of the card.
pub(crate) struct Column {
    /// A quantity with its unit.
    pub(crate) head: &'static str,
    /// Its value; a column without one in any row is left out.
    pub(crate) cell: fn(&Row<'_>) -> Option<String>,
    /// What its light judges, and the name of its thresholds in the options.
    pub(crate) light: Option<(&'static str, Judged)>,
}

/// An estimate that a light judges.
pub(crate) type Judged = fn(&Row<'_>) -> Option<Estimate>;

/// A share or a difference of shares in percent.
pub(super) fn with_interval(estimate: &Estimate) -> String {
    match &estimate.interval {
        Some(interval) => format!(
            "{} {}",
            percent(estimate.value),
            percent_range(interval.lower, interval.upper)
        ),
        None => percent(estimate.value),
    }
}

/// A score in its unit.
pub(super) fn score_with_interval(words: Words<'_>, estimate: &Estimate) -> String {
    match &estimate.interval {
        Some(interval) => format!(
            "{} {}",
            words.bare(estimate.value),
            words.bare_range(interval)
        ),
        None => words.bare(estimate.value),
    }
}
