//! The card: one row per learner and setting, and one more where failed runs weigh on the first.

use crate::estimate::Estimate;
use crate::metric::Measures;
use crate::report::chapters::tail::TAIL;
use crate::report::document::{Table, decimal, percent, percent_range};
use crate::report::group::Group;
use crate::spread::Spread;
use crate::tail::Tail;
use crate::threshold::StepsToThreshold;

/// What one row is about.
pub(crate) struct Row<'r> {
    /// Figures of the runs that the row counts.
    pub(crate) measures: &'r Measures,
    /// How many of all runs failed, in words.
    pub(crate) failures: &'r str,
}

/// A column of the card.
pub(crate) struct Column {
    /// A quantity with its unit.
    pub(crate) head: &'static str,
    /// Its value; a column without one in any row is left out.
    pub(crate) cell: fn(&Row<'_>) -> Option<String>,
}

/// All columns, after the learner's name.
const COLUMNS: &[Column] = &[
    Column {
        head: "accuracy, % [seed CI]",
        cell: accuracy,
    },
    Column {
        head: "seed SD, pp [CI]",
        cell: deviation,
    },
    Column {
        head: "CVaR10, % (null)",
        cell: tail,
    },
    Column {
        head: "failed runs",
        cell: |row| Some(row.failures.to_owned()),
    },
    Column {
        head: "steps to threshold",
        cell: steps,
    },
    Column {
        head: "runs × tasks",
        cell: size,
    },
];

/// The table.
pub(crate) fn table(groups: &[Group<'_>]) -> Table {
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    let mut names = Vec::new();
    let mut add = |name: String, row: &Row<'_>| {
        names.push(name);
        rows.push(COLUMNS.iter().map(|column| (column.cell)(row)).collect());
    };
    for group in groups {
        let Some(analysis) = group.analysis else {
            continue;
        };
        let n_failed = analysis.failures.failed.len();
        let failures = format!("{n_failed} of {}", analysis.failures.n_runs);
        let all = Row {
            measures: &analysis.all,
            failures: &failures,
        };
        add(group.name.clone(), &all);
        if let Some(sound) = analysis
            .without_failed
            .as_ref()
            .filter(|sound| sound.get::<Spread>().is_some())
        {
            // Untested runs never entered; only a tested failure makes the second row differ.
            if analysis.tested_seeds.len() > sound.get::<Spread>().map_or(0, |s| s.n_runs) {
                let sound = Row {
                    measures: sound,
                    failures: "(left out)",
                };
                add(format!("{}, failed runs left out", group.name), &sound);
            }
        }
    }
    let is_known = |column: &usize| rows.iter().any(|row| row[*column].is_some());
    let known: Vec<usize> = (0..COLUMNS.len()).filter(is_known).collect();
    let cells = |(name, row): (String, &Vec<Option<String>>)| {
        let cell = |column: &usize| row[*column].clone().unwrap_or_else(|| "none".to_owned());
        std::iter::once(name)
            .chain(known.iter().map(cell))
            .collect()
    };
    Table {
        caption: "Every tested run counts in a row unless it says otherwise. CI: interval for another set of seeds, at the level of \
                  the analysis; null: what query sampling alone would give. Intervals rest on normal theory and are not cut \
                  at 0 or 100 %; a limit beyond them says that the runs are too few."
            .to_owned(),
        head: std::iter::once("learner")
            .chain(known.iter().map(|column| COLUMNS[*column].head))
            .map(str::to_owned)
            .collect(),
        rows: names.into_iter().zip(&rows).map(cells).collect(),
    }
}

const NONE: &str = "no tested run";

fn accuracy(row: &Row<'_>) -> Option<String> {
    let spread: Option<Spread> = row.measures.get();
    Some(spread.map_or_else(|| NONE.to_owned(), |s| with_interval(&s.mean)))
}

fn deviation(row: &Row<'_>) -> Option<String> {
    let spread: Option<Spread> = row.measures.get();
    let of_seeds = |s: Spread| {
        s.seed_sd
            .as_ref()
            .map_or_else(|| "needs two runs".to_owned(), with_interval)
    };
    Some(spread.map_or_else(|| NONE.to_owned(), of_seeds))
}

fn tail(row: &Row<'_>) -> Option<String> {
    let tail: Option<Tail> = row.measures.get();
    let level = tail.and_then(|tail| {
        let mut levels = tail.levels.into_iter();
        levels.find(|level| (level.share - TAIL).abs() < 1e-9)
    });
    Some(level.map_or_else(
        || NONE.to_owned(),
        |level| format!("{} ({})", percent(level.cvar), percent(level.null_exact)),
    ))
}

fn steps(row: &Row<'_>) -> Option<String> {
    let steps: StepsToThreshold = row.measures.get()?;
    let reached = format!("({} of {} runs)", steps.n_reached, steps.runs.len());
    Some(steps.median.map_or_else(
        || format!("not reached {reached}"),
        |median| format!("{} {reached}", decimal(median, 0)),
    ))
}

fn size(row: &Row<'_>) -> Option<String> {
    let spread: Spread = row.measures.get()?;
    Some(format!("{} × {}", spread.n_runs, spread.n_tasks))
}

fn with_interval(estimate: &Estimate) -> String {
    match &estimate.interval {
        Some(interval) => format!(
            "{} {}",
            percent(estimate.value),
            percent_range(interval.lower, interval.upper)
        ),
        None => percent(estimate.value),
    }
}
