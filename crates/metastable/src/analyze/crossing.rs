//! Which runs have the same test tasks: all of a setting (crossed), some of them (blocks), or none (each has its own).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use metastable_analysis::components::components;
use metastable_analysis::distribution::fisher_tail;
use metastable_analysis::incomplete::adjusted_means;
use metastable_analysis::{Outcome, ScoreMatrix, TaskScores};

use super::group::{Group, Read};
use super::table::Table;

/// Fewest tasks from which a lack of agreement between runs says something.
const FEWEST_TASKS: usize = 10;

/// What the tasks of the runs of a setting have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Crossing {
    /// All have the same, in some order.
    Shared,
    /// Runs have the same tasks or none in common; why, in words.
    Own(String),
    /// Some tasks are missing in some runs: a run that lacks one, a run that has it, and its name.
    Partial {
        lacking: usize,
        having: usize,
        task: String,
        common: usize,
        all: usize,
    },
}

/// Reads the tasks of each setting, in order of settings.
pub(super) fn crossings<'t>(
    table: &Table,
    groups: &[Group<'t>],
    reads: &[Read<'t>],
) -> BTreeMap<&'t str, Crossing> {
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, read) in reads.iter().enumerate() {
        if read.run.scores.is_some() && read.run.outcome == Outcome::Completed {
            members.entry(groups[at].setting).or_default().push(at);
        }
    }
    members
        .into_iter()
        .map(|(setting, runs)| (setting, of_runs(table, reads, &runs)))
        .collect()
}

fn of_runs(table: &Table, reads: &[Read<'_>], runs: &[usize]) -> Crossing {
    if table.columns.own_tasks {
        return Crossing::Own(String::from("--own-tasks"));
    }
    if let Some(task) = other_shape(reads, runs) {
        return Crossing::Own(format!(
            "task `{task}` has another `way` or number of queries in another run, so equal names are not equal tasks"
        ));
    }
    let sets: Vec<BTreeSet<&str>> = runs
        .iter()
        .map(|at| reads[*at].tasks.iter().copied().collect())
        .collect();
    let blocks: BTreeSet<&BTreeSet<&str>> = sets.iter().collect();
    if blocks.len() < 2 {
        return Crossing::Shared;
    }
    // Disjoint blocks hold as many names together as one by one.
    let all: BTreeSet<&str> = blocks.iter().flat_map(|set| set.iter().copied()).collect();
    let sum: usize = blocks.iter().map(|set| set.len()).sum();
    if all.len() == sum {
        return Crossing::Own(if blocks.len() == sets.len() {
            String::from("no task occurs in two runs")
        } else {
            format!(
                "the runs fall into {} groups without a common task",
                blocks.len()
            )
        });
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for task in sets.iter().flatten() {
        *counts.entry(task).or_insert(0) += 1;
    }
    let common = counts.values().filter(|n| **n == sets.len()).count();
    for (at, set) in sets.iter().enumerate() {
        if let Some(task) = all.iter().find(|task| !set.contains(*task))
            && let Some(having) = sets.iter().position(|set| set.contains(task))
        {
            return Crossing::Partial {
                lacking: runs[at],
                having: runs[having],
                task: (*task).to_owned(),
                common,
                all: all.len(),
            };
        }
    }
    Crossing::Shared
}

/// A task whose number of classes or of queries differs between two runs.
fn other_shape<'t>(reads: &[Read<'t>], runs: &[usize]) -> Option<&'t str> {
    let mut known: BTreeMap<&str, [Option<usize>; 2]> = BTreeMap::new();
    for at in runs {
        for (task, shape) in reads[*at].tasks.iter().copied().zip(&reads[*at].shapes) {
            if *known.entry(task).or_insert(*shape) != *shape {
                return Some(task);
            }
        }
    }
    None
}

/// Says so if runs number their tasks alike and do not agree at all on which are hard: then each may have its own.
pub(super) fn doubt(reads: &[Read<'_>], groups: &[Group<'_>]) -> Option<String> {
    let mut rows: BTreeMap<&str, Vec<Vec<f64>>> = BTreeMap::new();
    for (group, read) in groups.iter().zip(reads) {
        let is_number = |task: &&str| task.parse::<u64>().is_ok();
        let Some(scores) = &read.run.scores else {
            continue;
        };
        if scores.accuracies.len() < FEWEST_TASKS || !read.tasks.iter().all(is_number) {
            return None;
        }
        let mut scored: Vec<(&str, f64)> = read
            .tasks
            .iter()
            .copied()
            .zip(scores.accuracies.iter().copied())
            .collect();
        scored.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let of_run = scored.into_iter().map(|(_, score)| score).collect();
        rows.entry(group.setting).or_default().push(of_run);
    }
    for rows in rows.into_values().filter(|rows| rows.len() > 1) {
        let found = ScoreMatrix::from_rows(&rows)
            .and_then(|scores| components(&scores, None, 0.95))
            .ok()?;
        let squares = found.mean_squares;
        if squares.residual <= 0.0 {
            return None;
        }
        let between = (found.n_tasks - 1) as f64;
        let ratio = squares.task / squares.residual;
        let p = fisher_tail(ratio, between, between * (found.n_runs - 1) as f64);
        if p > 0.05 {
            return Some(format!(
                "tasks have the same numbers in every run, but the runs agree no more than chance on which are hard (F = {ratio:.2}, p = \
                 {p:.2}): if every run drew test episodes of its own, say so with --own-tasks"
            ));
        }
    }
    None
}

/// Brings the runs of every setting to one list of tasks, or to their means where tasks are their own.
pub(super) fn settle(table: &Table, groups: &[Group<'_>], reads: &mut [Read<'_>]) -> Result<()> {
    for (setting, crossing) in crossings(table, groups, reads) {
        let of_setting: Vec<usize> = (0..reads.len())
            .filter(|at| groups[*at].setting == setting)
            .collect();
        match crossing {
            Crossing::Own(_) => {
                for at in of_setting {
                    mean_alone(&mut reads[at]);
                }
            }
            Crossing::Shared => in_order(&of_setting, reads),
            Crossing::Partial { .. } if table.columns.common_tasks => {
                keep_common(table, setting, &of_setting, reads)?;
                in_order(&of_setting, reads);
            }
            Crossing::Partial { .. } => adjust(table, &of_setting, reads)?,
        }
    }
    Ok(())
}

/// Gives every run its mean as if it had been on every task of the setting. A failed run that lacks some has no score: what it lacks
/// may be what it would have done badly.
fn adjust(table: &Table, runs: &[usize], reads: &mut [Read<'_>]) -> Result<()> {
    let is_whole = |read: &Read<'_>| read.run.outcome == Outcome::Completed;
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for read in runs
        .iter()
        .map(|at| &reads[*at])
        .filter(|read| is_whole(read))
    {
        for task in read.tasks.iter().copied() {
            let next = places.len();
            places.entry(task).or_insert(next);
        }
    }
    let cells = |read: &Read<'_>| -> Option<Vec<Option<f64>>> {
        let mut cells = vec![None; places.len()];
        for (task, score) in read.tasks.iter().zip(&read.run.scores.as_ref()?.accuracies) {
            *cells.get_mut(*places.get(task)?)? = Some(*score);
        }
        (is_whole(read) || cells.iter().all(Option::is_some)).then_some(cells)
    };
    let mut members = Vec::new();
    let mut of_runs = Vec::new();
    for at in runs {
        match cells(&reads[*at]) {
            Some(found) => {
                members.push(*at);
                of_runs.push(found);
            }
            None => reads[*at].run.scores = None,
        }
    }
    let found = adjusted_means(&of_runs).with_context(|| {
        format!(
            "{}: the runs have different tasks, and share too few of them for adjusted means; --own-tasks compares the runs by the means of their own tasks",
            table.file()
        )
    })?;
    let are_shares = table.columns.scale().is_none();
    for ((at, cells), mean) in members.into_iter().zip(of_runs).zip(found.means) {
        let read = &mut reads[at];
        let mean = if are_shares {
            mean.clamp(0.0, 1.0)
        } else {
            mean
        };
        read.score = Some(mean);
        if let Some(scores) = &mut read.run.scores {
            *scores = TaskScores {
                accuracies: vec![mean],
                n_way: scores.n_way,
                cells: Some(cells),
                ..TaskScores::default()
            };
        }
    }
    Ok(())
}

/// The same for runs at several settings, of which only the noise of the test is wanted: where tasks are not shared, it is not known.
pub(super) fn align(table: &Table, groups: &[Group<'_>], reads: &mut [Read<'_>]) {
    for (setting, crossing) in crossings(table, groups, reads) {
        let of_setting: Vec<usize> = (0..reads.len())
            .filter(|at| groups[*at].setting == setting)
            .collect();
        if crossing == Crossing::Shared {
            in_order(&of_setting, reads);
        } else {
            for at in of_setting {
                mean_alone(&mut reads[at]);
            }
        }
    }
}

/// The mean of a run's own tasks: where tasks differ between runs, nothing else is comparable.
fn mean_alone(read: &mut Read<'_>) {
    if let (Some(scores), Some(mean)) = (&mut read.run.scores, read.score) {
        *scores = TaskScores {
            accuracies: vec![mean],
            n_way: scores.n_way,
            ..TaskScores::default()
        };
    }
}

/// Leaves only the tasks that every run has that did not fail.
fn keep_common(table: &Table, setting: &str, runs: &[usize], reads: &mut [Read<'_>]) -> Result<()> {
    let mut common: Option<BTreeSet<&str>> = None;
    for at in runs {
        let read = &reads[*at];
        if read.run.scores.is_none() || read.run.outcome != Outcome::Completed {
            continue;
        }
        let own: BTreeSet<&str> = read.tasks.iter().copied().collect();
        common = Some(match common {
            None => own,
            Some(common) => common.intersection(&own).copied().collect(),
        });
    }
    let common = common.unwrap_or_default();
    if common.is_empty() {
        bail!(
            "{}: --common-tasks: no task occurs in every run of setting `{setting}`; --own-tasks compares the means of the runs",
            table.file()
        );
    }
    for at in runs {
        let read = &mut reads[*at];
        if let Some(scores) = &mut read.run.scores {
            let kept = |(at, task): (usize, &&str)| common.contains(*task).then_some(at);
            let kept: Vec<usize> = read.tasks.iter().enumerate().filter_map(kept).collect();
            scores.select(&kept);
            read.tasks = kept.iter().map(|at| read.tasks[*at]).collect();
            let sum: f64 = scores.accuracies.iter().sum();
            read.score = (!kept.is_empty()).then(|| sum / kept.len() as f64);
        }
    }
    Ok(())
}

/// Puts the tasks of every run into the order of the first that did not fail; a failed run that lacks some, or has others, has
/// no scores.
fn in_order(runs: &[usize], reads: &mut [Read<'_>]) {
    let is_model = |at: &&usize| {
        reads[**at].run.scores.is_some() && reads[**at].run.outcome == Outcome::Completed
    };
    let scored = |at: &&usize| reads[**at].run.scores.is_some();
    let Some(model) = runs.iter().find(is_model).or(runs.iter().find(scored)) else {
        return;
    };
    let names = reads[*model].tasks.clone();
    for at in runs {
        let read = &mut reads[*at];
        let own: BTreeMap<&str, usize> = read.tasks.iter().copied().zip(0..).collect();
        let Some(scores) = &mut read.run.scores else {
            continue;
        };
        let place = |task: &&str| own.get(task).copied();
        let places: Option<Vec<usize>> = names.iter().map(place).collect();
        match places {
            Some(places) if own.len() == names.len() => {
                scores.select(&places);
                read.tasks.clone_from(&names);
            }
            _ => read.run.scores = None,
        }
    }
}
