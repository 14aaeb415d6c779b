//! The receipt: what a table was taken for, before anything is computed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use metastable_analysis::Outcome;

use super::scores::Runs;
use super::table::Table;

/// What was read, in lines.
pub(super) fn receipt(table: &Table, runs: &Runs<'_>) -> String {
    let mut text = format!(
        "{}: {}, {} rows\n",
        table.file(),
        table.sheet.format,
        table.sheet.n_rows()
    );
    let reads = &runs.reads;
    let names = |of: fn(&metastable_analysis::Run) -> &str| -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for read in reads {
            *counts.entry(of(&read.run)).or_insert(0) += 1;
        }
        counts
    };
    let learners = names(|run| &run.learner);
    let settings = names(|run| &run.setting);
    let failed = reads
        .iter()
        .filter(|read| read.run.outcome != Outcome::Completed)
        .count();
    let list: Vec<String> = (learners.iter().take(8))
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    let _ = writeln!(
        text,
        "runs: {} ({failed} failed); learners: {} ({}{}); settings: {}",
        reads.len(),
        learners.len(),
        list.join(", "),
        if learners.len() > 8 { ", ..." } else { "" },
        settings.len()
    );
    let _ = writeln!(text, "seeds: {}", seeds(table, runs));
    let tasks: BTreeSet<&str> = reads
        .iter()
        .flat_map(|read| read.tasks.iter().copied())
        .collect();
    let _ = if table.has("task") {
        writeln!(text, "tasks: {}", tasks.len())
    } else {
        writeln!(text, "tasks: none, one score a run")
    };
    let _ = writeln!(text, "columns: {}", columns(table));
    for (a, b) in copies(runs) {
        let _ = writeln!(
            text,
            "warning: runs `{a}` and `{b}` have equal scores on every task; equal runs are no seeds, and their spread says nothing"
        );
    }
    for line in left_out(table, runs) {
        let _ = writeln!(text, "left out: {line}");
    }
    text
}

fn seeds(table: &Table, runs: &Runs<'_>) -> String {
    if !table.has("seed") {
        return String::from(
            "no column `seed`: learners are compared by the means of their runs (Welch), nothing is paired",
        );
    }
    let mut by_learner: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for read in &runs.reads {
        by_learner
            .entry(&read.run.learner)
            .or_default()
            .insert(read.run.seed);
    }
    let all: BTreeSet<u64> = by_learner.values().flatten().copied().collect();
    let shared = all
        .iter()
        .filter(|seed| by_learner.values().all(|own| own.contains(seed)));
    match (by_learner.len(), shared.count()) {
        (1, _) => format!("{}", all.len()),
        (_, 0) => format!("{}, none shared by all learners", all.len()),
        (_, n) => format!("{}, {n} shared by all learners", all.len()),
    }
}

/// Each column and what it was taken for.
fn columns(table: &Table) -> String {
    let flags = &table.columns;
    let says = |name: &String, own: &String| {
        let mut what = Vec::new();
        for (kind, list) in [
            ("factor", &flags.factors),
            ("factor in decades", &flags.logarithmic),
            ("stream", &flags.streams),
            ("fingerprint", &flags.fingerprint),
            ("names", &flags.categories),
            ("numbers", &flags.numbers),
        ] {
            if list.contains(name) {
                what.push(kind);
            }
        }
        if own.is_empty() {
            what.push("not read");
        } else if what.is_empty() || own != name {
            what.push(own);
        }
        format!("`{name}` {}", what.join(", "))
    };
    let header = table.sheet.header.iter().zip(&table.meaning.names);
    let all: Vec<String> = header.map(|(name, own)| says(name, own)).collect();
    all.join("; ")
}

/// Learner, setting, and the bits of the score of each task.
type Key<'r> = (&'r str, &'r str, Vec<(&'r str, u64)>);

/// Runs of one learner and setting with equal scores on two tasks or more, each with the first that it equals; scores that
/// are all 0 or all 1 are no copies but a bound.
fn copies<'r>(runs: &'r Runs<'_>) -> Vec<(&'r str, &'r str)> {
    let mut first: BTreeMap<Key<'_>, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for read in &runs.reads {
        let Some(scores) = &read.run.scores else {
            continue;
        };
        let at_bound = |bound: f64| scores.accuracies.iter().all(|a| (a - bound).abs() < 1e-12);
        if scores.accuracies.len() < 2 || at_bound(0.0) || at_bound(1.0) {
            continue;
        }
        let bits = scores.accuracies.iter().map(|score| score.to_bits());
        let mut scored: Vec<(&str, u64)> = read.tasks.iter().copied().zip(bits).collect();
        scored.sort_unstable();
        match first.entry((&read.run.learner, &read.run.setting, scored)) {
            Entry::Occupied(known) => found.push((*known.get(), read.run.id.as_str())),
            Entry::Vacant(place) => {
                place.insert(&read.run.id);
            }
        }
    }
    found
}

/// Chapters that the table cannot carry, and what would bring each.
fn left_out(table: &Table, runs: &Runs<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if !table.columns.all_factors().is_empty() {
        lines.push(String::from(
            "outcome, tail and comparison: runs with different settings are no seeds of one learner; leave --factor, --log, --category and --number out",
        ));
        return lines;
    }
    let scores = || {
        runs.reads
            .iter()
            .filter_map(|read| read.run.scores.as_ref())
    };
    if !table.has("task") {
        lines.push(String::from(
            "tasks and the tail: needs a row for each task, with the column `task`",
        ));
    } else if scores().any(|scores| scores.queries_per_task.is_none()) {
        lines.push(String::from(if table.has("hit") || table.has("queries") {
            "query noise: the number of queries differs between tasks; it needs one number for all"
        } else {
            "query noise and the null model of the tail: needs the column `queries`, or a row for each query with `query` and `hit`"
        }));
    }
    if scores().any(|scores| scores.n_way.is_none()) {
        lines.push(String::from(if table.has("way") {
            "comparison with guessing: `way` differs between tasks; it needs one number for all"
        } else {
            "comparison with guessing: needs the column `way`"
        }));
    }
    if !table.has("failed") {
        lines.push(String::from(
            "failures that the scores do not show: needs the column `failed`",
        ));
    }
    if table.columns.streams.is_empty() {
        lines.push(String::from(
            "sources of chance: needs --stream with the columns that say which seeds varied",
        ));
    }
    lines.push(String::from(
        "key factors: needs --factor or --log with the settings that varied",
    ));
    lines
}
