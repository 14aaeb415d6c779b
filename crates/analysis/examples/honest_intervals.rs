//! Honest intervals from a table of scores: one line for each run, one number for each task, on standard input.
//!
//! ```text
//! cargo run --example honest_intervals < scores.txt
//! ```
//!
//! Without input (or with an empty one) it shows a table of its own, so that it can be tried at once.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::io::{IsTerminal, Read, stdin};

use metastable_analysis::ScoreMatrix;
use metastable_analysis::components::components;
use metastable_analysis::spread::spread;
use metastable_analysis::tail::cvar;

const SAMPLE: &str = "0.96 0.88 0.92 1.00 0.93 0.99 0.75 0.95\n\
                      0.92 0.84 0.92 0.96 0.91 0.97 0.70 0.93\n\
                      0.98 0.90 0.96 1.00 0.94 0.98 0.81 0.97";

fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    if !stdin().is_terminal() {
        stdin().read_to_string(&mut text)?;
    }
    if text.trim().is_empty() {
        SAMPLE.clone_into(&mut text);
    }
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        rows.push(
            line.split_whitespace()
                .map(str::parse)
                .collect::<Result<Vec<f64>, _>>()?,
        );
    }
    let scores = ScoreMatrix::from_rows(&rows)?;
    let spread = spread(&scores, 0.95)?;
    println!(
        "{} runs x {} tasks, mean {:.4}",
        spread.n_runs, spread.n_tasks, spread.mean.value
    );
    for (at, run) in spread.runs.iter().enumerate() {
        let (printed, student) = (run.printed.half_width(), run.student.half_width());
        println!(
            "run {at}: {:.4} +- {printed:.4} as papers print it (Student {student:.4})",
            run.mean
        );
    }
    println!(
        "worst tenth of tasks, first run: {:.4}",
        cvar(scores.run(0), 0.1)
    );
    let Some(seed_sd) = &spread.seed_sd else {
        println!("one run says nothing about another training");
        return Ok(());
    };
    if let Some(interval) = &seed_sd.interval {
        println!(
            "seed SD {:.4}, known only to lie in {:.4} .. {:.4}",
            seed_sd.value, interval.lower, interval.upper
        );
    }
    let honest = components(&scores, None, 0.95)?;
    println!(
        "honest: {:.4} +- {:.4} ({}); shares: seed {:.0} %, task {:.0} %, rest {:.0} %",
        honest.mean,
        honest.interval.half_width(),
        honest.interval.method,
        100.0 * honest.run.share,
        100.0 * honest.task.share,
        100.0 * honest.residual.share
    );
    Ok(())
}
