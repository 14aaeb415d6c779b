//! The card: one row per learner and setting, and one more where failed runs weigh on the first.

use std::collections::BTreeMap;

use crate::estimate::Estimate;
use crate::failure::Failures;
use crate::metric::Measures;
use crate::options::Light;
use crate::report::chapters::tail::TAIL;
use crate::report::document::{Table, decimal, percent, percent_range};
use crate::report::group::Group;
use crate::report::light::judge;
use crate::report::svg::text::number;
use crate::spread::Spread;
use crate::tail::Tail;
use crate::threshold::StepsToThreshold;

/// What one row is about.
pub(crate) struct Row<'r> {
    /// Figures of the runs that the row counts.
    pub(crate) measures: &'r Measures,
    /// Failed runs of all, for the row of all runs.
    pub(crate) failures: Option<&'r Failures>,
}

/// A column of the card.
pub(crate) struct Column {
    /// A quantity with its unit.
    pub(crate) head: &'static str,
    /// Its value; a column without one in any row is left out.
    pub(crate) cell: fn(&Row<'_>) -> Option<String>,
    /// What its light judges, and the name of its thresholds in the options.
    pub(crate) light: Option<(&'static str, Judged)>,
}

/// An estimate that a light judges.
type Judged = fn(&Row<'_>) -> Option<Estimate>;

/// All columns, after the learner's name.
const COLUMNS: &[Column] = &[
    Column {
        head: "accuracy, % [seed CI]",
        cell: accuracy,
        light: None,
    },
    Column {
        head: "seed SD, pp [CI]",
        cell: deviation,
        light: Some(("seed_sd", |row| row.measures.get::<Spread>()?.seed_sd)),
    },
    Column {
        head: "CVaR10, % (null)",
        cell: tail,
        light: Some(("tail", below_null)),
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

/// The table.
pub(crate) fn table(groups: &[Group<'_>], lights: &BTreeMap<String, Light>) -> Table {
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    let mut names = Vec::new();
    let mut add = |name: String, row: &Row<'_>| {
        let cell = |column: &Column| Some((column.cell)(row)? + &verdict(column, row, lights));
        names.push(name);
        rows.push(COLUMNS.iter().map(cell).collect());
    };
    for group in groups {
        let Some(analysis) = group.analysis else {
            continue;
        };
        let all = Row {
            measures: &analysis.all,
            failures: Some(&analysis.failures),
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
                    failures: None,
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
        caption: format!(
            "Every tested run counts in a row unless it says otherwise. CI: interval for another set of seeds, at the level of the \
             analysis; null: what query sampling alone would give. Intervals rest on normal theory and are not cut at 0 or 100 %; a \
             limit beyond them says that the runs are too few. {}",
            rule(lights)
        ),
        head: std::iter::once("learner")
            .chain(known.iter().map(|column| COLUMNS[*column].head))
            .map(str::to_owned)
            .collect(),
        rows: names.into_iter().zip(&rows).map(cells).collect(),
    }
}

/// The light of a cell as ` · steady`, if its column has one.
fn verdict(column: &Column, row: &Row<'_>, lights: &BTreeMap<String, Light>) -> String {
    let judged = column.light.as_ref().and_then(|(name, of)| {
        let verdict = judge(&of(row)?, *lights.get(*name)?);
        Some(format!(" · {}", verdict.word()))
    });
    judged.unwrap_or_default()
}

/// What the words of the lights mean.
fn rule(lights: &BTreeMap<String, Light>) -> String {
    let each: Vec<String> = COLUMNS
        .iter()
        .filter_map(|column| {
            let (name, _) = column.light.as_ref()?;
            let light = lights.get(*name)?;
            let column = column.head.split(',').next()?;
            let less = if *name == "tail" {
                " less its null"
            } else {
                ""
            };
            Some(format!(
                "{column}{less} {} and {}",
                number(100.0 * light.good, 1),
                number(100.0 * light.bad, 1)
            ))
        })
        .collect();
    if each.is_empty() {
        return String::new();
    }
    format!(
        "Steady: on the good side of the first threshold, and the interval excludes the second; unstable: the reverse; open: in \
         between, or too few runs to say. Thresholds, in percentage points: {}.",
        each.join("; ")
    )
}

/// How far the worst tenth lies from what query sampling alone gives.
fn below_null(row: &Row<'_>) -> Option<Estimate> {
    let tail: Tail = row.measures.get()?;
    let mut levels = tail.levels.into_iter();
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
