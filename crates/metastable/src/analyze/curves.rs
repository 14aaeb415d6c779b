//! Charts of trackers as tables: a row for each step, a column for each run.

use anyhow::{Result, bail};

use super::sheet::Sheet;
use crate::study::suggestion;

/// Names of the first column in exported charts.
const STEPS: [&str; 8] = [
    "step",
    "_step",
    "epoch",
    "global_step",
    "trainer/global_step",
    "training_iteration",
    "iteration",
    "wall time",
];

/// Between the name of a run and that of its metric, in charts of Weights & Biases.
const BETWEEN: &str = " - ";

/// The column of steps, if the header is that of an exported chart: `Step`, then `RUN - METRIC`, one metric for all.
pub(super) fn is_chart(sheet: &Sheet) -> Option<String> {
    let (first, rest) = sheet.header.split_first()?;
    let metric = |name: &String| Some(name.rsplit_once(BETWEEN)?.1.to_owned());
    let runs: Vec<&String> = rest.iter().filter(|name| !is_limit(name)).collect();
    let shared = metric(runs.first()?)?;
    let is_one = runs
        .iter()
        .all(|name| metric(name).as_ref() == Some(&shared));
    (is_one && STEPS.contains(&first.to_lowercase().as_str())).then(|| first.clone())
}

/// Whether a column is the lowest or the highest value about a step: no run of its own.
fn is_limit(name: &str) -> bool {
    name.ends_with("__MIN") || name.ends_with("__MAX")
}

/// The same table with a row for each run and step: columns `run`, `step`, `score`. Empty cells are steps that a run has not.
pub(super) fn lengthened(
    file: &str,
    sheet: &Sheet,
    steps: &str,
    ignored: &[String],
) -> Result<Sheet> {
    let names: Vec<&str> = sheet.header.iter().map(String::as_str).collect();
    let Some(at) = names.iter().position(|name| *name == steps) else {
        bail!(
            "--curves {steps}: {file} has no such column; {}",
            suggestion(steps, &names)
        );
    };
    let runs: Vec<usize> = (0..names.len())
        .filter(|column| *column != at && !names[*column].is_empty())
        .filter(|column| {
            !is_limit(names[*column]) && !ignored.iter().any(|it| it == names[*column])
        })
        .collect();
    if runs.is_empty() {
        bail!("--curves {steps}: {file} has no other column, and each run needs one");
    }
    let header = ["run", "step", "score"].map(String::from).to_vec();
    let mut long = sheet.like(
        format!("{}, {} runs in columns", sheet.format, runs.len()),
        header,
    );
    for run in runs {
        let name = names[run]
            .rsplit_once(BETWEEN)
            .map_or(names[run], |it| it.0);
        for row in 0..sheet.n_rows() {
            let cells = [name, sheet.cell(row, at), sheet.cell(row, run)];
            long.push(sheet.line(row) as usize, cells);
        }
    }
    Ok(long)
}
