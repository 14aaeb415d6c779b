//! The scores of one run by task, whatever its rows are: tasks, queries, steps, or the run as a whole.

use std::collections::BTreeMap;

use anyhow::Result;
use metastable_analysis::Progress;

use super::cell;
use super::group::Group;
use super::table::{Row, Table};

/// Name of the one task of runs that have a single score.
pub(super) const WHOLE: &str = "all";

/// Scores of one run by task, in the order of the file.
pub(super) struct Tasks<'t> {
    pub(super) names: Vec<&'t str>,
    pub(super) values: Vec<f64>,
    /// Queries and classes that all tasks have; none where they differ, or are not known.
    pub(super) queries: Option<usize>,
    pub(super) way: Option<usize>,
    /// The same by task, where they differ.
    pub(super) shapes: Vec<[Option<usize>; 2]>,
    /// Whether scores are missing.
    pub(super) lacks: bool,
    /// The learning curve of a run without tasks; empty without the column `step`.
    pub(super) curve: Vec<Progress>,
}

/// What one task has come to so far.
struct Task<'t> {
    sum: f64,
    n: usize,
    /// Its rows, by what tells them apart: the query, or nothing.
    rows: Vec<(&'t str, u32)>,
    shape: [Option<usize>; 2],
}

/// Reads the rows of a run. `failed` ones may lack scores.
pub(super) fn scored<'t>(table: &Table, group: &Group<'t>, failed: bool) -> Result<Tasks<'t>> {
    let (rows, curve) = last_steps(table, group)?;
    let (has_hits, has_tasks) = (table.has("hit"), table.has("task"));
    let value = if has_hits { "hit" } else { "score" };
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut names, mut tasks): (Vec<&str>, Vec<Task<'t>>) = (Vec::new(), Vec::new());
    let mut lacks = false;
    let mut last: Option<(&str, usize)> = None;
    let [at_value, at_task, at_query] = [value, "task", "query"].map(|it| table.position(it));
    for row in &rows {
        let number = match row.at(at_value) {
            "1" => Some(1.0),
            "0" => Some(0.0),
            _ if has_hits => row.hit()?.map(|hit| f64::from(u8::from(hit))),
            text => row.maybe_number(value).or_else(|| cell::success(text)),
        };
        let number = match number {
            Some(number) => number,
            // A word in place of a score; a cell with digits is a number gone wrong.
            None if failed && cell::is_no_attempt(row.at(at_value)) => {
                lacks = true;
                continue;
            }
            None if row.is_missing(value) => {
                return Err(row.complaint(
                    value,
                    "is missing, and nothing says that the run failed; say so in a column `failed` (or --column failed=COLUMN:STATE), or remove the row",
                ));
            }
            None => row.number(value)?,
        };
        // Only an empty cell is looked at again, for its complaint.
        let cell = |at: Option<usize>, column: &str| match row.at(at) {
            "" => row.need(column),
            text => Ok(text),
        };
        let task = if has_tasks {
            cell(at_task, "task")?
        } else {
            WHOLE
        };
        let query = if has_hits {
            cell(at_query, "query")?
        } else {
            ""
        };
        let at = match last {
            Some((name, at)) if name == task => at,
            _ => *index.entry(task).or_insert_with(|| {
                names.push(task);
                tasks.push(Task {
                    sum: 0.0,
                    n: 0,
                    rows: Vec::new(),
                    shape: [None; 2],
                });
                names.len() - 1
            }),
        };
        last = Some((task, at));
        let one = &mut tasks[at];
        if one.n == 0 {
            one.shape = [row.count("way", 2)?, row.count("queries", 1)?];
        }
        one.sum += number;
        one.n += 1;
        one.rows.push((query, row.line()));
    }
    for (task, one) in names.iter().zip(&mut tasks) {
        refuse_twice(table, group, task, one)?;
        if has_hits {
            one.shape[1] = Some(one.n);
        }
    }
    let shapes: Vec<[Option<usize>; 2]> = tasks.iter().map(|task| task.shape).collect();
    let common = |which: usize| {
        let first = shapes.first()?[which];
        let same = shapes.iter().all(|shape| shape[which] == first);
        same.then_some(first)?
    };
    Ok(Tasks {
        values: tasks.iter().map(|task| task.sum / task.n as f64).collect(),
        queries: common(1),
        way: common(0),
        shapes,
        names,
        lacks,
        curve,
    })
}

/// Complains if a task, or a query of it, has two rows.
fn refuse_twice(table: &Table, group: &Group<'_>, task: &str, one: &mut Task<'_>) -> Result<()> {
    one.rows.sort_unstable();
    let Some(pair) = one.rows.windows(2).find(|pair| pair[0].0 == pair[1].0) else {
        return Ok(());
    };
    let (column, remedy) = match (table.has("hit"), table.has("task")) {
        (true, _) => ("query", ""),
        (false, true) => (
            "task",
            "; rows of another time of the training are told apart by a column `step` (--column step=NAME), rows of another \
             run by `run` or `seed`; if `task` is a setting that was varied, and each row a run, say --factor task",
        ),
        (false, false) => (
            "run",
            "; a run has one row, or a row for each task (`task`) or each time of its training (`step`): --column task=NAME or step=NAME",
        ),
    };
    let is_second = |row: &&Row<'_>| row.line() == pair[1].1;
    let Some(row) = group.rows.iter().find(is_second) else {
        return Ok(());
    };
    let of_task = if column == "query" {
        format!(" in task `{task}`")
    } else {
        String::new()
    };
    let what = format!(
        "occurs twice for run `{}`{of_task}, first in {}{remedy}",
        group.id,
        table.sheet.spot(pair[0].1)
    );
    Err(row.complaint(column, &what))
}

/// With the column `step`: the last row of each task that has a score, and the learning curve of a run without tasks.
/// Without it: all rows.
fn last_steps<'t>(table: &Table, group: &Group<'t>) -> Result<(Vec<Row<'t>>, Vec<Progress>)> {
    if !table.has("step") {
        return Ok((group.rows.clone(), Vec::new()));
    }
    let mut of_task: BTreeMap<&str, (f64, Row<'t>)> = BTreeMap::new();
    let mut known: BTreeMap<(&str, u64), u32> = BTreeMap::new();
    let mut order = Vec::new();
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for row in &group.rows {
        // Trackers leave a cell empty where a metric was not written at a step.
        if row.is_missing("score") {
            continue;
        }
        let step = row.number("step")?;
        let score = match cell::success(row.text("score")) {
            Some(score) => score,
            None => row.number("score")?,
        };
        let task = if table.has("task") {
            row.need("task")?
        } else {
            WHOLE
        };
        if let Some(line) = known.insert((task, step.to_bits()), row.line()) {
            let what = format!(
                "occurs twice for run `{}`, first in {}; rows of another task are told apart by a column `task` (--column task=NAME)",
                group.id,
                table.sheet.spot(line)
            );
            return Err(row.complaint("step", &what));
        }
        match of_task.get_mut(task) {
            None => {
                order.push(task);
                of_task.insert(task, (step, *row));
            }
            Some((last, at)) if step > *last => (*last, *at) = (step, *row),
            Some(_) => {}
        }
        curve.push((step, score));
    }
    if table.has("task") {
        curve.clear();
    }
    curve.sort_by(|a, b| a.0.total_cmp(&b.0));
    let curve = curve.into_iter().map(|(step, score)| Progress {
        step: step.max(0.0).round() as usize,
        train_loss: f64::NAN,
        train_accuracy: f64::NAN,
        validation_accuracy: Some(score),
    });
    let rows = order.iter().map(|task| of_task[task].1).collect();
    Ok((rows, curve.collect()))
}
