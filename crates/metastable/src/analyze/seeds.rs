//! Seeds of runs: only equality counts, so that any label serves.

use std::collections::{BTreeMap, BTreeSet};

use super::cell;
use super::group::Group;
use super::table::Table;

/// A number for each run; equal ones are seeds that runs share.
pub(super) struct Seeds<'t> {
    pub(super) numbers: Vec<u64>,
    /// Labels in order of their numbers, where they are no whole numbers.
    pub(super) names: Vec<&'t str>,
}

impl<'t> Seeds<'t> {
    /// Whole numbers stand for themselves, other labels (`seed-a`, `-1`, `0x2f`) for their place in the file. A run without a seed has a number
    /// that no other run has: nothing says which runs belong together, and it is not paired.
    pub(super) fn of(table: &Table, groups: &[Group<'t>]) -> Self {
        let label = |group: &Group<'t>| -> &'t str { group.rows[0].text("seed") };
        let is_stream = table.columns.streams.iter().any(|stream| stream == "seed");
        let mut labels: Vec<Option<&str>> = groups
            .iter()
            .map(|group| Some(label(group)).filter(|text| !cell::is_missing(text)))
            .collect();
        let mut seen = BTreeSet::new();
        let is_repeated = (groups.iter().zip(&labels)).any(|(group, label)| {
            label.is_some() && !seen.insert((group.setting, group.learner, *label))
        });
        if is_stream && is_repeated {
            // Beside other streams a seed is no name of a run.
            labels.fill(None);
        }
        let known: Vec<&str> = labels.iter().copied().flatten().collect();
        let as_numbers: Option<BTreeMap<&str, u64>> = known
            .iter()
            .map(|label| Some((*label, whole(label)?)))
            .collect();
        let (numbers, names) = match as_numbers {
            Some(numbers) => (numbers, Vec::new()),
            None => in_order(&known),
        };
        let used: BTreeSet<u64> = numbers.values().copied().collect();
        let mut free = (0..).filter(|number| !used.contains(number));
        let numbers = labels.iter().map(|label| match label {
            Some(label) => numbers[label],
            None => free.next().unwrap_or(u64::MAX),
        });
        Self {
            numbers: numbers.collect(),
            names,
        }
    }
}

/// A whole number, also as pandas writes it beside missing ones.
fn whole(label: &str) -> Option<u64> {
    label.strip_suffix(".0").unwrap_or(label).parse().ok()
}

fn in_order<'t>(labels: &[&'t str]) -> (BTreeMap<&'t str, u64>, Vec<&'t str>) {
    let (mut numbers, mut names) = (BTreeMap::new(), Vec::new());
    for label in labels {
        numbers.entry(*label).or_insert_with(|| {
            names.push(*label);
            names.len() as u64 - 1
        });
    }
    (numbers, names)
}
