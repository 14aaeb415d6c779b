//! The stability report of a table of scores, from a reader: columns `learner`, `seed`, `task`, `score` on standard input, the report
//! as Markdown on standard output.
//!
//! ```text
//! cargo run --example scores < scores.csv > report.md
//! cargo run --example scores -- loss < losses.csv > report.md      # where less is better
//! ```
//!
//! Without input it shows a table of its own, made from slices.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::error::Error;
use std::io::{BufRead, IsTerminal, stdin};

use metastable_analysis::rows::Row;
use metastable_analysis::{Options, ScoreScale, Study, analyze, report};

/// Accuracies of two learners in three trainings each, on four tasks.
const OURS: [[f64; 4]; 3] = [
    [0.96, 0.88, 0.92, 1.0],
    [0.92, 0.84, 0.92, 0.96],
    [0.98, 0.9, 0.96, 1.0],
];
const THEIRS: [[f64; 4]; 3] = [
    [0.9, 0.8, 0.9, 0.94],
    [0.86, 0.8, 0.84, 0.92],
    [0.94, 0.82, 0.9, 0.96],
];

fn from_slices() -> Result<Study, Box<dyn Error>> {
    let mut rows = Vec::new();
    for (learner, runs) in [("ours", OURS), ("theirs", THEIRS)] {
        for (seed, tasks) in (0..).zip(runs) {
            for (task, score) in ["a", "b", "c", "d"].into_iter().zip(tasks) {
                rows.push(Row {
                    learner,
                    seed,
                    task,
                    score,
                });
            }
        }
    }
    Ok(Study::from_rows("from slices", rows)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut input = stdin().lock();
    let has_input = !stdin().is_terminal() && !input.fill_buf()?.is_empty();
    let mut study = if has_input {
        Study::read_rows("scores", input)?
    } else {
        from_slices()?
    };
    if let Some(name) = std::env::args().nth(1) {
        // Larger has to be better: losses go in with their sign turned, and the report turns it back.
        for scores in study.runs.iter_mut().filter_map(|run| run.scores.as_mut()) {
            for score in &mut scores.accuracies {
                *score = -*score;
            }
        }
        options.scale = Some(ScoreScale {
            name,
            lower_is_better: true,
        });
        // Thresholds of "steady" are accuracies.
        options.lights.clear();
    }
    let analysis = analyze(&study, &options)?;
    println!("{}", report::markdown(&study, &analysis));
    Ok(())
}
