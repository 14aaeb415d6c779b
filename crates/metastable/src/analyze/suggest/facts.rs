//! What the cells of a column say.

use std::collections::BTreeSet;

use super::names::{LOSSES, LOWER, Look, SCORES, is_neither};
use crate::analyze::cell;
use crate::analyze::sheet::Sheet;

/// Ratio of the ends of a number from which it is measured in decades.
const DECADES: f64 = 50.0;

/// What the cells of a column say.
pub(super) struct Facts {
    pub(super) n_levels: usize,
    n_rows: usize,
    pub(super) are_numbers: bool,
    pub(super) are_whole: bool,
    pub(super) are_states: bool,
    /// True or false in words, as the success of single trials is written.
    pub(super) are_truths: bool,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Facts {
    pub(super) fn of(sheet: &Sheet, column: usize) -> Self {
        let mut levels = BTreeSet::new();
        let mut facts = Self {
            n_levels: 0,
            n_rows: sheet.n_rows(),
            are_numbers: true,
            are_whole: true,
            are_states: true,
            are_truths: true,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        };
        for row in 0..sheet.n_rows() {
            let text = sheet.cell(row, column);
            if cell::is_missing(text) {
                continue;
            }
            levels.insert(text);
            match cell::number(text, sheet.commas) {
                Some(value) => {
                    facts.low = facts.low.min(value);
                    facts.high = facts.high.max(value);
                    facts.are_whole &= value >= 0.0 && value.fract().abs() < f64::EPSILON;
                }
                None => (facts.are_numbers, facts.are_whole) = (false, false),
            }
            facts.are_states &= cell::state(text).is_some();
            facts.are_truths &= cell::success(text).is_some();
        }
        facts.n_levels = levels.len();
        facts.are_numbers &= facts.n_levels > 0;
        facts.are_truths &= facts.n_levels > 0;
        facts
    }

    /// A setting that varied, or something else.
    pub(super) fn setting(&self, base: &str, name: &str, has_parts: bool) -> Look {
        let is_metric = [
            "metrics.", "test/", "val/", "eval/", "train/", "system/", "split",
        ]
        .iter()
        .any(|front| name.starts_with(front))
            || SCORES.contains(&base)
            || LOSSES.contains(&base)
            || LOWER.iter().any(|part| base.contains(part));
        let is_name = ["id", "name", "number", "index", "tags", "user", "sweep"].contains(&base)
            || base.ends_with("_id")
            || base.starts_with('_');
        if self.n_levels < 2 || is_metric || is_neither(base) || is_name || has_parts {
            Look::Other
        } else if self.are_numbers && self.low > 0.0 && self.high / self.low >= DECADES {
            Look::Decades
        } else if self.are_numbers {
            Look::Number
        } else if self.n_levels <= 64 && 2 * self.n_levels <= self.n_rows {
            Look::Names
        } else {
            Look::Other
        }
    }
}
