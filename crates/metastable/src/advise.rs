//! `advise`: which further runs would settle what a study leaves open, how long they take, and what more of each would buy.

use anyhow::{Context, Result};
use metastable_analysis::planner::power_of_ratio;
use metastable_analysis::report::{Advice, Widths};
use metastable_analysis::{Study, analyze, report};
use serde::Serialize;

use crate::Ending;
use crate::flags;
use crate::opened::Opened;
use crate::report::tables;

/// Seeds and ratios of the table of power.
const SEEDS: [usize; 4] = [10, 20, 40, 80];
const RATIOS: [f64; 3] = [1.5, 2.0, 4.0];

/// What `advise --json` prints.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    advice: &'a Advice,
    /// Expected time of training of the new runs one after the other.
    seconds: f64,
    /// Chances to tell two learners apart in spread.
    power: Vec<Power>,
}

/// Chance that the ratio of two learners' standard deviations over seeds is found, for normal seeds.
#[derive(Serialize)]
struct Power {
    /// Runs of each learner.
    seeds: usize,
    /// For a ratio of 1.5, 2, 4.
    chances: [f64; 3],
}

/// Runs the command.
pub(crate) fn command(flags: &flags::Advise) -> Result<Ending> {
    let opened = Opened::new(&flags.dir)?;
    let (tables, options, read) = tables(&opened.folder, &opened.index, &opened.finished, None)?;
    let analysis = analyze(&tables, &options).context("while analyzing the runs")?;
    let advice = report::advice(&tables, &analysis);
    let told = Told {
        advice: &advice,
        seconds: seconds(&tables, advice.new_runs),
        power: SEEDS
            .map(|seeds| Power {
                seeds,
                chances: RATIOS.map(|ratio| power_of_ratio(ratio, seeds, 3.0, options.level)),
            })
            .into(),
    };
    if flags.json {
        println!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        print!("{}", text(&told, tables.runs.len()));
    }
    Ok(opened.left_out.or(read))
}

/// How long the new runs train if one follows another, each as long as those so far did on average.
#[allow(clippy::cast_precision_loss, reason = "numbers of runs")]
fn seconds(study: &Study, new_runs: usize) -> f64 {
    let trained: f64 = study.runs.iter().map(|run| run.train_seconds).sum();
    trained / study.runs.len().max(1) as f64 * new_runs as f64
}

fn text(told: &Told<'_>, n_runs: usize) -> String {
    let advice = told.advice;
    let mut out: String = advice
        .sentences
        .iter()
        .map(|it| format!("{it}\n"))
        .collect();
    if advice.new_runs > 0 {
        out += &format!(
            "About {} of training if one run follows another (as long as the {n_runs} runs so far took).\n",
            duration(told.seconds),
        );
    }
    if let Some(command) = &advice.command {
        out += &format!("\n{command}\n");
    }
    if !advice.widths.is_empty() {
        out += "\nExpected half-width of the interval of a mean over other trainings and tasks, in percentage points:\n";
        out += &rows(&widths(&advice.widths));
        out += "\nChance to find a ratio of two learners' standard deviations over seeds, in percent (normal seeds):\n";
        out += &rows(&power(&told.power));
    }
    out
}

fn widths(of: &[Widths]) -> Vec<Vec<String>> {
    let head = [
        "learner",
        "runs x tasks",
        "now",
        "twice the runs",
        "twice the tasks",
        "twice the queries",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let points = |fraction: f64| format!("{:.2}", 100.0 * fraction);
    for it in of {
        table.push(vec![
            format!("{} ({})", it.learner, it.setting),
            format!("{} x {}", it.n_runs, it.n_tasks),
            points(it.now),
            points(it.twice_runs),
            points(it.twice_tasks),
            it.twice_queries
                .map_or_else(|| "unknown".to_owned(), points),
        ]);
    }
    table
}

fn power(of: &[Power]) -> Vec<Vec<String>> {
    let head = std::iter::once("seeds of each".to_owned());
    let mut table = vec![
        head.chain(RATIOS.map(|ratio| format!("x {ratio}")))
            .collect(),
    ];
    for it in of {
        let chances = it.chances.map(|chance| format!("{:.0}", 100.0 * chance));
        table.push(
            std::iter::once(it.seeds.to_string())
                .chain(chances)
                .collect(),
        );
    }
    table
}

/// A table for a terminal: the first column flush left, the others flush right.
fn rows(table: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = table.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..table.first().map_or(0, Vec::len)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, width))| match at {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
        cells.collect::<String>() + "\n"
    };
    table.iter().map(line).collect()
}

/// `40 s`, `4 min`, `2.5 h`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
