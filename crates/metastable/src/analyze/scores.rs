//! From rows to the records of the analysis: runs by tasks, and runs by factors and streams.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use metastable_analysis::{Options, Outcome, Run, Study, TaskScores};

use super::crossing::{align, settle};
use super::factors::factor_table;
use super::group::{Group, Read, constant};
use super::seeds::Seeds;
use super::table::{Row, Table};
use super::tasks;

/// How far over its bounds a share may be: means in single precision end there.
const ROUNDING: f64 = 1e-6;

/// A table as runs, before anything is computed.
pub(super) struct Runs<'t> {
    pub(super) groups: Vec<Group<'t>>,
    pub(super) reads: Vec<Read<'t>>,
    /// Names of seeds in order of their numbers, where the table gives names.
    pub(super) seed_names: Vec<&'t str>,
}

impl<'t> Runs<'t> {
    /// Reads the runs of a table.
    pub(super) fn of(table: &'t Table) -> Result<Self> {
        let groups = groups(table)?;
        let seeds = Seeds::of(table, &groups);
        let mut reads = Vec::new();
        for (group, seed) in groups.iter().zip(seeds.numbers) {
            reads.push(run(table, group, seed)?);
        }
        Ok(Self {
            groups,
            reads,
            seed_names: seeds.names,
        })
    }
}

/// The records of a table. Runs with settings that differ on purpose are no seeds of one learner: a table with factors
/// gives lists of factors only; one without gives both families.
pub(super) fn study(table: &Table, runs: Runs<'_>, options: &Options) -> Result<Study> {
    let Runs {
        mut groups,
        mut reads,
        seed_names: _,
    } = runs;
    let columns = &table.columns;
    let has_factors = !columns.all_factors().is_empty();
    if has_factors {
        align(table, &groups, &mut reads);
    } else {
        if columns.scale().is_none() {
            shares(table, &groups, &reads)?;
        }
        settle(table, &groups, &mut reads)?;
    }
    if let Some(reference) = &columns.reference {
        reference.apply(table, &mut groups, &mut reads)?;
    }
    if !has_factors {
        on_scale(table, &mut reads);
    }
    let factors = if has_factors || !columns.streams.is_empty() {
        Some(factor_table(table, &groups, &reads, options)?)
    } else {
        None
    };
    Ok(Study {
        runs: if has_factors {
            Vec::new()
        } else {
            reads.into_iter().map(|read| read.run).collect()
        },
        factors,
        ..Study::default()
    })
}

fn groups(table: &Table) -> Result<Vec<Group<'_>>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known = BTreeMap::new();
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    // Rows of one run mostly follow each other: its names are then not looked up again.
    let mut last = None;
    let [setting, learner, run] = ["setting", "learner", "run"].map(|it| table.position(it));
    let has_run = table.has("run");
    for row in table.rows() {
        let name = if has_run && !row.at(run).is_empty() {
            Cow::Borrowed(row.at(run))
        } else {
            row.run()?
        };
        let key = (
            or(row.at(setting), "table"),
            or(row.at(learner), "table"),
            name,
        );
        let at = match &last {
            Some((known, at)) if *known == key => *at,
            _ => *known.entry(key.clone()).or_insert_with(|| {
                *named.entry(key.2.to_string()).or_insert(0) += 1;
                groups.push(Group {
                    setting: key.0,
                    learner: key.1,
                    id: key.2.to_string(),
                    rows: Vec::new(),
                });
                groups.len() - 1
            }),
        };
        groups[at].rows.push(row);
        last = Some((key, at));
    }
    // Names of runs that occur in several settings, or with several learners, are told apart by those.
    for group in &mut groups {
        if named.get(&group.id).is_some_and(|n| *n > 1) {
            group.id = format!("{}/{}/{}", group.setting, group.learner, group.id);
        }
    }
    Ok(groups)
}

fn or<'t>(text: &'t str, otherwise: &'t str) -> &'t str {
    if text.is_empty() { otherwise } else { text }
}

fn run<'t>(table: &Table, group: &Group<'t>, seed: u64) -> Result<Read<'t>> {
    let first = group.rows[0];
    let made = table.columns.fingerprint.iter().map(String::as_str);
    for column in ["seed", "failed"].into_iter().chain(made) {
        constant(table, group, column)?;
    }
    let said = first.failed()?;
    let tasks = tasks::scored(table, group, said == Some(true))?;
    let sum: f64 = tasks.values.iter().sum();
    let score = (!tasks.values.is_empty()).then(|| sum / tasks.values.len() as f64);
    let failed = said.unwrap_or(false);
    let has_scores = !(tasks.values.is_empty() || failed && tasks.lacks);
    let by_task = |which: usize, common: Option<usize>| -> Option<Vec<usize>> {
        let differ = common.is_none() && !tasks.shapes.is_empty();
        differ.then(|| tasks.shapes.iter().map(|shape| shape[which]).collect())?
    };
    let scores = has_scores.then(|| TaskScores {
        task_queries: by_task(1, tasks.queries),
        task_ways: by_task(0, tasks.way),
        accuracies: tasks.values,
        queries_per_task: tasks.queries,
        n_way: tasks.way,
        cells: None,
        best: None,
    });
    Ok(Read {
        run: Run {
            id: group.id.clone(),
            learner: group.learner.to_owned(),
            setting: group.setting.to_owned(),
            seed,
            outcome: if failed {
                Outcome::Diverged {
                    step: 0,
                    cause: String::from("the table says that it failed"),
                }
            } else {
                Outcome::Completed
            },
            history: tasks.curve,
            train_seconds: 0.0,
            test: None,
            scores,
            adaptation: None,
            training: None,
            selection: None,
            fingerprint: (table.columns.fingerprint.iter())
                .map(|column| (column.clone(), first.text(column).to_owned()))
                .collect(),
        },
        tasks: tasks.names,
        shapes: tasks.shapes,
        score,
    })
}

/// Refuses scores of another scale where the report is in percent, by the row that has one.
fn shares(table: &Table, groups: &[Group<'_>], reads: &[Read<'_>]) -> Result<()> {
    let whole = if table.columns.is_percent() {
        100.0
    } else {
        1.0
    };
    let outside = |share: f64| !(-ROUNDING..=1.0 + ROUNDING).contains(&share);
    for (group, read) in groups.iter().zip(reads) {
        let scores = read
            .run
            .scores
            .iter()
            .flat_map(|it| &it.accuracies)
            .copied();
        let curve = read.run.history.iter();
        let curve = curve.filter_map(|progress| progress.validation_accuracy);
        if !scores.chain(curve).any(outside) {
            continue;
        }
        let is_own = |row: &&Row<'_>| {
            let score = row.maybe_number("score");
            score.is_some_and(|score| outside(score / whole))
        };
        let row = group.rows.iter().find(is_own).unwrap_or(&group.rows[0]);
        let what = if table.columns.is_percent() {
            "is not a percentage between 0 and 100; for another scale, give its name, such as --unit return, and --direction lower if less \
             is better, as for a loss"
        } else {
            "is not a share between 0 and 1, and scores without a unit are shares of right answers; for percentages give --unit percent; for \
             another scale give its name, such as --unit return, and --direction lower if less is better, as for a loss"
        };
        return Err(row.complaint("score", what));
    }
    Ok(())
}

/// Scores of another scale: larger ones have to be better, and shares are what queries, classes and curves of accuracy are about.
fn on_scale(table: &Table, reads: &mut [Read<'_>]) {
    let Some(scale) = table.columns.scale() else {
        return;
    };
    for read in reads {
        read.run.history.clear();
        if let Some(scores) = &mut read.run.scores {
            (scores.queries_per_task, scores.n_way) = (None, None);
            (scores.task_queries, scores.task_ways) = (None, None);
            if scale.lower_is_better {
                let cells = scores.cells.iter_mut().flatten().flatten();
                for score in scores.accuracies.iter_mut().chain(cells) {
                    *score = -*score;
                }
            }
        }
    }
}

/// Brings scores and curves into the unit of the analysis: percent become shares, shares over one by rounding become one.
pub(super) fn scaled(table: &Table, reads: &mut [Read<'_>]) {
    let is_percent = table.columns.is_percent();
    if !is_percent && table.columns.scale().is_some() {
        return;
    }
    for read in reads {
        let values = read
            .run
            .scores
            .iter_mut()
            .flat_map(|scores| &mut scores.accuracies);
        let curve = read.run.history.iter_mut();
        let curve = curve.filter_map(|progress| progress.validation_accuracy.as_mut());
        for value in values.chain(&mut read.score).chain(curve) {
            if is_percent {
                *value /= 100.0;
            }
            if *value > 1.0 && *value <= 1.0 + ROUNDING {
                *value = 1.0;
            } else if *value < 0.0 && *value >= -ROUNDING {
                *value = 0.0;
            }
        }
    }
}
