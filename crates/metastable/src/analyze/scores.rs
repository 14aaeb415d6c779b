//! From rows to the records of the analysis: runs by tasks, and runs by factors and streams.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use metastable_analysis::{Options, Outcome, Run, Study, TaskScores};

use super::factors::factor_table;
use super::table::{Row, Table};

/// All rows of one run.
pub(super) struct Group<'t> {
    setting: &'t str,
    id: String,
    pub(super) rows: Vec<Row<'t>>,
}

/// The records of a table. Runs with settings that differ on purpose are no seeds of one learner: a table with factors
/// gives lists of factors only; one without gives both families.
pub(super) fn study(table: &Table, options: &Options) -> Result<Study> {
    let groups = groups(table)?;
    let mut runs = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        runs.push(run(table, group, at)?);
    }
    if table.has("task") {
        same_tasks(table, &groups, &mut runs)?;
    }
    let columns = &table.columns;
    let has_factors = !columns.factors.is_empty() || !columns.logarithmic.is_empty();
    let factors = if has_factors || !columns.streams.is_empty() {
        Some(factor_table(table, &groups, &runs, options)?)
    } else {
        None
    };
    let runs: Vec<Run> = runs.into_iter().map(|read| read.run).collect();
    if factors.is_none() && !table.has("task") {
        bail!(
            "{}: one score for each run, and no column that says how runs differ; give the column `task`, or name factors or streams",
            table.file()
        );
    }
    Ok(Study {
        runs: if has_factors || !table.has("task") {
            Vec::new()
        } else {
            runs
        },
        factors,
        ..Study::default()
    })
}

/// A run, its tasks by name in the order of the file, and its one score if the table has no tasks.
pub(super) struct Read<'t> {
    pub(super) run: Run,
    tasks: Vec<&'t str>,
    pub(super) score: Option<f64>,
}

fn groups(table: &Table) -> Result<Vec<Group<'_>>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for row in table.rows() {
        let (setting, run) = (or(row.text("setting"), "table"), row.need("run")?);
        let learner = or(row.text("learner"), "table");
        let at = *known.entry((setting, learner, run)).or_insert_with(|| {
            groups.push(Group {
                setting,
                id: run.to_owned(),
                rows: Vec::new(),
            });
            groups.len() - 1
        });
        groups[at].rows.push(row);
    }
    // Names of runs that occur in several settings, or with several learners, are told apart by those.
    let names: Vec<String> = groups.iter().map(|group| group.id.clone()).collect();
    for group in &mut groups {
        if names.iter().filter(|name| **name == group.id).count() > 1 {
            let learner = or(group.rows[0].text("learner"), "table");
            group.id = format!("{}/{learner}/{}", group.setting, group.id);
        }
    }
    Ok(groups)
}

fn or<'t>(text: &'t str, otherwise: &'t str) -> &'t str {
    if text.is_empty() { otherwise } else { text }
}

fn run<'t>(table: &Table, group: &Group<'t>, at: usize) -> Result<Read<'t>> {
    let first = group.rows[0];
    let own = ["seed", "way", "queries", "failed"];
    let made = table.columns.fingerprint.iter().map(String::as_str);
    for column in own.into_iter().chain(made) {
        constant(group, column)?;
    }
    // Without seeds nothing says which runs belong together: each has a number of its own, and none is paired.
    let seed = first
        .count("seed", 0)?
        .map_or(at as u64, |seed| seed as u64);
    let mut tasks: Vec<&str> = Vec::new();
    let mut sums: Vec<(f64, usize, Row<'_>)> = Vec::new();
    let mut lines: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut score = None;
    for row in &group.rows {
        let is_blank = row.text("score").is_empty() && row.text("hit").is_empty();
        if is_blank && first.truth("failed")? == Some(true) {
            continue;
        }
        let task = if table.has("task") {
            row.need("task")?
        } else {
            ""
        };
        let query = if table.has("hit") {
            row.need("query")?
        } else {
            ""
        };
        if let Some(line) = lines.insert((task, query), row.line()) {
            let column = if table.has("hit") {
                "query"
            } else if table.has("task") {
                "task"
            } else {
                "run"
            };
            return Err(row.complaint(
                column,
                &format!("occurs twice for run `{}`, first in line {line}", group.id),
            ));
        }
        let value = value(table, row)?;
        score = Some(value);
        if task.is_empty() {
            continue;
        }
        let at = tasks
            .iter()
            .position(|known| *known == task)
            .unwrap_or_else(|| {
                tasks.push(task);
                sums.push((0.0, 0, *row));
                tasks.len() - 1
            });
        sums[at].0 += value;
        sums[at].1 += 1;
    }
    if !table.has("task") && group.rows.len() > 1 {
        return Err(group.rows[1].complaint("run", "occurs twice, and there is no column `task`"));
    }
    let queries = if table.has("hit") {
        queries(&sums)?
    } else {
        first.count("queries", 1)?
    };
    let way = first.count("way", 2)?;
    let failed = first.truth("failed")?.unwrap_or(score.is_none());
    let scores = (!tasks.is_empty()).then(|| TaskScores {
        accuracies: sums.iter().map(|(sum, n, _)| sum / *n as f64).collect(),
        queries_per_task: queries,
        n_way: way,
    });
    Ok(Read {
        run: Run {
            id: group.id.clone(),
            learner: or(first.text("learner"), "table").to_owned(),
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
        tasks,
        score,
    })
}

/// The score or hit of a row.
fn value(table: &Table, row: &Row<'_>) -> Result<f64> {
    if table.has("hit") {
        return match row.truth("hit")? {
            Some(hit) => Ok(f64::from(u8::from(hit))),
            None => Err(row.complaint("hit", "is empty")),
        };
    }
    let score = row.number("score")?;
    if table.has("task") && !(0.0..=1.0).contains(&score) {
        return Err(row.complaint(
            "score",
            "is not a fraction, 0 to 1; divide percentages by 100",
        ));
    }
    Ok(score)
}

/// Queries of each task: all have to have as many.
fn queries(sums: &[(f64, usize, Row<'_>)]) -> Result<Option<usize>> {
    let Some((_, first, _)) = sums.first() else {
        return Ok(None);
    };
    match sums.iter().find(|(_, n, _)| n != first) {
        None => Ok(Some(*first)),
        Some((_, n, row)) => {
            let what = format!(
                "has {n} queries, and the first task of the run has {first}; every task needs as many"
            );
            Err(row.complaint("task", &what))
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

/// Puts the tasks of every run into the order of the first of its setting; all must have the same.
fn same_tasks(table: &Table, groups: &[Group<'_>], runs: &mut [Read<'_>]) -> Result<()> {
    for at in 0..runs.len() {
        if runs[at].run.scores.is_none() {
            continue;
        }
        let setting = groups[at].setting;
        let Some(model) = (0..at)
            .find(|&other| groups[other].setting == setting && runs[other].run.scores.is_some())
        else {
            continue;
        };
        let (head, tail) = runs.split_at_mut(at);
        let (model, own) = (&head[model], &mut tail[0]);
        let lacking = |these: &[&str], those: &[&str]| {
            these
                .iter()
                .find(|task| !those.contains(task))
                .map(|task| (*task).to_owned())
        };
        for (a, b, task) in [
            (
                &own.run.id,
                &model.run.id,
                lacking(&model.tasks, &own.tasks),
            ),
            (
                &model.run.id,
                &own.run.id,
                lacking(&own.tasks, &model.tasks),
            ),
        ] {
            if let Some(task) = task {
                bail!(
                    "{}: run `{a}` (line {}) lacks task `{task}`, which run `{b}` has; runs of a setting are compared on the same tasks",
                    table.file(),
                    groups[at].rows[0].line()
                );
            }
        }
        let Some(scores) = &mut own.run.scores else {
            continue;
        };
        let of = |task: &&str| own.tasks.iter().position(|known| known == task);
        scores.accuracies = model
            .tasks
            .iter()
            .filter_map(|task| Some(scores.accuracies[of(task)?]))
            .collect();
        own.tasks.clone_from(&model.tasks);
    }
    Ok(())
}
