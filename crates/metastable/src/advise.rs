//! `advise`: which further runs would settle what a study leaves open, how long they take, and what more of each would buy.

use anyhow::{Context, Result};
use metastable_analysis::planner::power_of_ratio;
use metastable_analysis::report::{Advice, Widths};
use metastable_analysis::{analyze, report};
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
        print!("{}", text(&told));
    }
    Ok(opened.left_out.or(read))
}

fn text(told: &Told<'_>) -> String {
    let advice = told.advice;
    let mut out: String = advice
        .sentences
        .iter()
        .map(|it| format!("{it}\n"))
        .collect();
    out.extend(advice.time().map(|time| time + "\n"));
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
        "twice the support sets",
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
            it.twice_supports
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
