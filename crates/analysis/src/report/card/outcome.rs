//! Columns on the outcome of trainings.

use super::column::{Column, Row, score_with_interval};
use crate::estimate::Estimate;
use crate::report::chapters::tail::TAIL;
use crate::report::document::{decimal, percent};
use crate::spread::Spread;
use crate::tail::Tail;
use crate::threshold::StepsToThreshold;

/// What runs and their tests say.
pub(super) const COLUMNS: &[Column] = &[
    Column {
        head: "accuracy, % [seed CI]",
        cell: accuracy,
        light: None,
    },
    Column {
        head: "next, % [one more training]",
        cell: next,
        light: None,
    },
    Column {
        head: "seed SD, pp [CI]",
        cell: deviation,
        light: Some(("seed_sd", |row| {
            row.measures.get::<Spread>()?.between_seeds().cloned()
        })),
    },
    Column {
        head: "CVaR10, % (null)",
        cell: tail,
        light: Some(("tail", of_tail)),
    },
    Column {
        head: "failed runs",
        cell: failed,
        light: Some(("failed", |row| Some(row.failures?.rate.clone()))),
    },
    Column {
        head: "steps to threshold",
        cell: steps,
        light: None,
    },
    Column {
        head: "runs × tasks",
        cell: size,
        light: None,
    },
];

fn of_tail(row: &Row<'_>) -> Option<Estimate> {
    below_null(&row.measures.get()?)
}

/// How far the worst tenth lies from what query sampling alone gives.
pub(crate) fn below_null(tail: &Tail) -> Option<Estimate> {
    let mut levels = tail.levels.iter();
    let level = levels.find(|level| (level.share - TAIL).abs() < 1e-9)?;
    let mut limits = level.over_tasks.clone();
    limits.lower -= level.null_exact;
    limits.upper -= level.null_exact;
    Some(Estimate::new(level.cvar - level.null_exact, limits))
}

fn failed(row: &Row<'_>) -> Option<String> {
    let left_out = || "(left out)".to_owned();
    Some(row.failures.map_or_else(left_out, |failures| {
        format!("{} of {}", failures.failed.len(), failures.n_runs)
    }))
}

const NONE: &str = "no tested run";

fn accuracy(row: &Row<'_>) -> Option<String> {
    let spread: Option<Spread> = row.measures.get();
    Some(spread.map_or_else(
        || NONE.to_owned(),
        |s| score_with_interval(row.words, &s.mean),
    ))
}

fn next(row: &Row<'_>) -> Option<String> {
    let spread: Spread = row.measures.get()?;
    let next = spread.prediction?;
    Some(row.words.bare_range(&next))
}

fn deviation(row: &Row<'_>) -> Option<String> {
    let spread: Option<Spread> = row.measures.get();
    let of_seeds = |s: Spread| {
        s.between_seeds().map_or_else(
            || "needs two runs".to_owned(),
            |sd| row.words.bare_points_with(sd),
        )
    };
    Some(spread.map_or_else(|| NONE.to_owned(), of_seeds))
}

fn tail(row: &Row<'_>) -> Option<String> {
    let tail: Option<Tail> = row.measures.get();
    let level = tail.and_then(|tail| {
        let mut levels = tail.levels.into_iter();
        levels.find(|level| (level.share - TAIL).abs() < 1e-9)
    });
    // The null needs the number of queries: a table of scores may not have it.
    let missing = if !row.words.are_shares() {
        return None;
    } else if row.measures.get::<Spread>().is_some() {
        "needs the number of queries"
    } else {
        NONE
    };
    Some(level.map_or_else(
        || missing.to_owned(),
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
