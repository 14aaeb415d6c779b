//! From rows to the records of the analysis: runs by tasks, and runs by factors and streams.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use metastable_analysis::{Options, Outcome, Run, Study, TaskScores};

use super::factors::factor_table;
use super::table::{Row, Table};

/// How far over its bounds a share may be: means in single precision end there.
const ROUNDING: f64 = 1e-6;

/// Name of the one task of runs that have a single score.
const WHOLE: &str = "all";

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
    pub(super) score: Option<f64>,
}

/// A table as runs, before anything is computed.
pub(super) struct Runs<'t> {
    pub(super) groups: Vec<Group<'t>>,
    pub(super) reads: Vec<Read<'t>>,
}

impl<'t> Runs<'t> {
    /// Reads the runs of a table.
    pub(super) fn of(table: &'t Table) -> Result<Self> {
        let groups = groups(table)?;
        let mut reads = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            reads.push(run(table, group, at)?);
        }
        Ok(Self { groups, reads })
    }
}

/// The records of a table. Runs with settings that differ on purpose are no seeds of one learner: a table with factors
/// gives lists of factors only; one without gives both families.
pub(super) fn study(table: &Table, runs: Runs<'_>, options: &Options) -> Result<Study> {
    let Runs { groups, mut reads } = runs;
    let columns = &table.columns;
    let has_factors = !columns.all_factors().is_empty();
    if !has_factors {
        shares(table, &groups, &reads)?;
        if columns.own_tasks {
            means_alone(&mut reads);
        } else {
            same_tasks(table, &groups, &mut reads)?;
        }
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
    for row in table.rows() {
        let (setting, run) = (or(row.text("setting"), "table"), row.run()?);
        let learner = or(row.text("learner"), "table");
        let at = *known
            .entry((setting, learner, run.clone()))
            .or_insert_with(|| {
                *named.entry(run.to_string()).or_insert(0) += 1;
                groups.push(Group {
                    setting,
                    learner,
                    id: run.into_owned(),
                    rows: Vec::new(),
                });
                groups.len() - 1
            });
        groups[at].rows.push(row);
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

fn run<'t>(table: &Table, group: &Group<'t>, at: usize) -> Result<Read<'t>> {
    let first = group.rows[0];
    let made = table.columns.fingerprint.iter().map(String::as_str);
    for column in ["seed", "failed"].into_iter().chain(made) {
        constant(group, column)?;
    }
    let is_stream = |name: &str| table.columns.streams.iter().any(|stream| stream == name);
    // Without seeds nothing says which runs belong together: each has a number of its own, and none is paired. A seed that
    // is a stream may have any name.
    let seed = match first.count("seed", 0) {
        Ok(seed) => seed.map_or(at as u64, |seed| seed as u64),
        Err(_) if is_stream("seed") => at as u64,
        Err(error) => return Err(error),
    };
    let said = first.failed()?;
    let tasks = scored_tasks(table, group, said == Some(true))?;
    let sum: f64 = tasks.values.iter().sum();
    let score = (!tasks.values.is_empty()).then(|| sum / tasks.values.len() as f64);
    let failed = said.unwrap_or(false);
    let has_scores = !(tasks.values.is_empty() || failed && tasks.lacks);
    let scores = has_scores.then_some(TaskScores {
        accuracies: tasks.values,
        queries_per_task: tasks.queries,
        n_way: tasks.way,
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
            history: Vec::new(),
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
        score,
    })
}

/// Scores of one run by task, in the order of the file.
struct Tasks<'t> {
    names: Vec<&'t str>,
    values: Vec<f64>,
    /// Queries and classes that all tasks have; none where they differ, or are not known.
    queries: Option<usize>,
    way: Option<usize>,
    /// Whether scores are missing.
    lacks: bool,
}

fn scored_tasks<'t>(table: &Table, group: &Group<'t>, failed: bool) -> Result<Tasks<'t>> {
    let has_hits = table.has("hit");
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut names = Vec::new();
    let mut sums: Vec<(f64, usize)> = Vec::new();
    let mut counts = [Vec::new(), Vec::new()];
    let mut lacks = false;
    for row in &group.rows {
        let value = if has_hits { "hit" } else { "score" };
        let is_blank = row.is_missing(value) || row.maybe_number(value).is_none();
        if failed && is_blank {
            lacks = true;
            continue;
        }
        if row.is_missing(value) {
            return Err(row.complaint(
                value,
                "is missing, and nothing says that the run failed; say so in a column `failed` (or --column failed=COLUMN:STATE), or remove the row",
            ));
        }
        let task = if table.has("task") {
            row.need("task")?
        } else {
            WHOLE
        };
        let query = if has_hits { row.need("query")? } else { "" };
        if let Some(line) = lines.insert((task, query), row.line()) {
            let column = match (has_hits, table.has("task")) {
                (true, _) => "query",
                (false, true) => "task",
                (false, false) => "run",
            };
            let remedy = if table.has("task") {
                ""
            } else {
                "; a run without the column `task` has one row"
            };
            return Err(row.complaint(
                column,
                &format!(
                    "occurs twice for run `{}`, first in line {line}{remedy}",
                    group.id
                ),
            ));
        }
        let value = match row.truth("hit") {
            Ok(Some(hit)) if has_hits => f64::from(u8::from(hit)),
            Err(error) if has_hits => return Err(error),
            _ => row.number("score")?,
        };
        let at = *index.entry(task).or_insert_with(|| {
            names.push(task);
            sums.push((0.0, 0));
            names.len() - 1
        });
        sums[at].0 += value;
        sums[at].1 += 1;
        if sums[at].1 == 1 {
            counts[0].push(row.count("way", 2)?);
            counts[1].push(row.count("queries", 1)?);
        }
    }
    if has_hits {
        counts[1] = sums.iter().map(|(_, n)| Some(*n)).collect();
    }
    let common = |counts: &[Option<usize>]| {
        let first = *counts.first()?;
        counts
            .iter()
            .all(|count| *count == first)
            .then_some(first)?
    };
    Ok(Tasks {
        values: sums.iter().map(|(sum, n)| sum / *n as f64).collect(),
        queries: common(&counts[1]),
        way: common(&counts[0]),
        names,
        lacks,
    })
}

/// Puts percent and rounded shares in bounds, and refuses scores of another scale where the report is in percent.
fn shares(table: &Table, groups: &[Group<'_>], reads: &[Read<'_>]) -> Result<()> {
    for (group, read) in groups.iter().zip(reads) {
        let Some(scores) = &read.run.scores else {
            continue;
        };
        let outside = |score: &f64| !(-ROUNDING..=1.0 + ROUNDING).contains(score);
        let Some(at) = scores.accuracies.iter().position(outside) else {
            continue;
        };
        let is_of = |row: &&Row<'_>| !table.has("task") || row.text("task") == read.tasks[at];
        let row = group.rows.iter().find(is_of).unwrap_or(&group.rows[0]);
        return Err(row.complaint(
            "score",
            "is no share between 0 and 1, and runs by tasks are reported in percent; for percentages give --unit percent; for returns, losses and \
             other scales name what differs between runs: --factor learner --stream seed (with --direction lower where less is better)",
        ));
    }
    Ok(())
}

/// Each run by the mean of its own tasks: where tasks differ between runs, nothing else is comparable.
fn means_alone(reads: &mut [Read<'_>]) {
    for read in reads {
        if let (Some(scores), Some(mean)) = (&mut read.run.scores, read.score) {
            scores.accuracies = vec![mean];
            scores.queries_per_task = None;
        }
    }
}

/// Brings scores into the unit of the analysis: percent become shares, shares over one by rounding become one.
pub(super) fn scaled(table: &Table, reads: &mut [Read<'_>]) {
    let is_percent = matches!(table.columns.unit.as_deref(), Some("percent" | "%"));
    for read in reads {
        let values = read
            .run
            .scores
            .iter_mut()
            .flat_map(|scores| &mut scores.accuracies);
        for value in values.chain(&mut read.score) {
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

/// Complains if a column changes within a run.
pub(super) fn constant(group: &Group<'_>, column: &str) -> Result<()> {
    let first = group.rows[0];
    match group
        .rows
        .iter()
        .find(|row| row.text(column) != first.text(column))
    {
        None => Ok(()),
        Some(row) => {
            let what = format!(
                "differs within run `{}`: line {} has `{}`",
                group.id,
                first.line(),
                first.text(column)
            );
            Err(row.complaint(column, &what))
        }
    }
}

/// Puts the tasks of every run into the order of the first of its setting that did not fail; all must have the same, but a
/// failed run that lacks some has no scores.
fn same_tasks(table: &Table, groups: &[Group<'_>], reads: &mut [Read<'_>]) -> Result<()> {
    let mut models: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for failed in [false, true] {
        for at in 0..reads.len() {
            let did_fail = reads[at].run.outcome != Outcome::Completed;
            if reads[at].run.scores.is_none() || did_fail != failed {
                continue;
            }
            let tasks = &reads[at].tasks;
            let (model, order) = models.entry(groups[at].setting).or_insert_with(|| {
                let order = tasks.iter().enumerate().map(|(place, task)| (*task, place));
                (at, order.collect())
            });
            let own: BTreeMap<&str, usize> = tasks
                .iter()
                .enumerate()
                .map(|(place, task)| (*task, place))
                .collect();
            let lacks = reads[*model]
                .tasks
                .iter()
                .find(|task| !own.contains_key(*task));
            let extra = tasks.iter().find(|task| !order.contains_key(*task));
            let (ids, lacking) = match (lacks, extra) {
                (None, None) => ([at, at], None),
                (Some(task), _) => ([at, *model], Some(*task)),
                (None, Some(task)) => ([*model, at], Some(*task)),
            };
            if let Some(task) = lacking {
                if did_fail {
                    reads[at].run.scores = None;
                    continue;
                }
                bail!(
                    "{}: run `{}` (line {}) lacks task `{task}`, which run `{}` has; runs of a setting are compared on the same tasks. Where every \
                     run has tasks of its own, --own-tasks compares the means of the runs; a run that broke off is said so in `failed`",
                    table.file(),
                    groups[ids[0]].id,
                    groups[ids[0]].rows[0].line(),
                    groups[ids[1]].id,
                );
            }
            let names = reads[*model].tasks.clone();
            let read = &mut reads[at];
            if let Some(scores) = &mut read.run.scores {
                scores.accuracies = names
                    .iter()
                    .filter_map(|task| Some(scores.accuracies[*own.get(task)?]))
                    .collect();
                read.tasks = names;
            }
        }
    }
    Ok(())
}
