//! Settings that do not apply to some runs: a momentum exists for one optimizer only.

use std::collections::BTreeMap;

use super::cell::{self, Commas};
use super::table::Row;

/// The column that decides where another one applies, and its levels for which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) parent: String,
    pub(super) levels: Vec<String>,
}

impl Condition {
    /// `optimizer = sgd`, `optimizer = sgd or rmsprop`.
    pub(super) fn words(&self) -> String {
        format!("{} = {}", self.parent, self.levels.join(" or "))
    }
}

/// The first of the columns `others` whose level tells, in every run, whether `column` has a value.
pub(super) fn condition(rows: &[Row<'_>], column: &str, others: &[&String]) -> Option<Condition> {
    // Among names, `none` is one.
    let are_numbers = rows.iter().any(|row| row.maybe_number(column).is_some());
    let lacks =
        |row: &Row<'_>| row.is_missing(column) && (are_numbers || row.text(column) != "none");
    let is_missing: Vec<bool> = rows.iter().map(lacks).collect();
    let n_missing = is_missing.iter().filter(|missing| **missing).count();
    if n_missing == 0 || n_missing == rows.len() {
        return None;
    }
    let decides = |other: &&&String| {
        let mut levels: BTreeMap<&str, bool> = BTreeMap::new();
        let agree = rows
            .iter()
            .zip(&is_missing)
            .all(|(row, missing)| *levels.entry(row.raw(other)).or_insert(*missing) == *missing);
        // A column with a level of its own for each run decides nothing; nor do measured numbers, of which some are equal by chance.
        let are_measured = levels
            .keys()
            .all(|level| cell::number(level, Commas::Either).is_some());
        let most = if are_measured {
            rows.len() / 2
        } else {
            rows.len() - 1
        };
        agree && levels.len() <= most
    };
    let parent = others
        .iter()
        .filter(|other| other.as_str() != column)
        .find(decides)?;
    let mut levels: Vec<String> = Vec::new();
    for (row, missing) in rows.iter().zip(&is_missing) {
        let level = row.raw(parent);
        if !missing && !levels.iter().any(|known| known == level) {
            levels.push(level.to_owned());
        }
    }
    Some(Condition {
        parent: (*parent).clone(),
        levels,
    })
}
