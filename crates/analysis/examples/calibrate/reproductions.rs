//! Words on a published mean: how often they are wrong, and how often they are said.

use std::fmt::Write as _;

use metastable_analysis::ScoreMatrix;
use metastable_analysis::reproduction::{PlusMinus, Published, Rule, Word, reproduction};
use rayon::prelude::*;

use crate::noise::{Law, generator, normal};
use crate::share;

/// Standard deviation of a task, and of a run on a task; 600 tasks on both sides.
const TASK: f64 = 0.02;
const RESIDUAL: f64 = 0.02;
const TASKS: usize = 600;
/// True differences: none, at the margin, twice the margin.
const DIFFERENCES: [f64; 3] = [0.0, 0.005, 0.01];

fn word(n_runs: usize, seed_sd: f64, law: Law, difference: f64, seed: u64, at: u64) -> Word {
    let mut rng = generator(seed, at);
    let tasks: Vec<f64> = (0..TASKS).map(|_| TASK * normal(&mut rng)).collect();
    let rows: Vec<Vec<f64>> = (0..n_runs)
        .map(|_| {
            let run = 0.9 + difference + seed_sd * law.draw(&mut rng);
            let score = |task: &f64| run + task + RESIDUAL * normal(&mut rng);
            tasks.iter().map(score).collect()
        })
        .collect();
    let error = ((TASK * TASK + RESIDUAL * RESIDUAL) / TASKS as f64).sqrt();
    let published = Published {
        value: 0.9 + seed_sd * law.draw(&mut rng) + error * normal(&mut rng),
        plus_minus: Some((1.96 * error, PlusMinus::Tasks95)),
        runs: 1,
        tasks: TASKS,
        digit: 0.0,
    };
    let scores = ScoreMatrix::from_rows(&rows);
    let judged = scores.and_then(|it| reproduction(&it, &published, &Rule::default()));
    judged.map_or(Word::Undecided, |it| it.word)
}

pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "Our runs against one published run, margin 0.5 pp, error rate 5 %, {TASKS} test tasks on both sides. Where nothing differs, \
         *not reproduced* is false; at the margin either word is false with at most 5 % by construction; at 1 pp *reproduced* is.\n\n\
         | runs | seed SD, pp | seeds | no difference: reproduced | not reproduced | 0.5 pp: reproduced | not reproduced | 1 pp: reproduced | not reproduced |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for n_runs in [3, 5, 10] {
        for seed_sd in [0.0005, 0.001, 0.002, 0.005] {
            for law in [Law::Normal, Law::Skewed] {
                let count = |difference: f64| {
                    let each = |at| word(n_runs, seed_sd, law, difference, seed, at);
                    let words: Vec<Word> = (0..repetitions).into_par_iter().map(each).collect();
                    let n = |of| words.iter().filter(|word| **word == of).count() as u64;
                    [n(Word::Reproduced), n(Word::NotReproduced)]
                };
                let cells: Vec<String> = DIFFERENCES
                    .iter()
                    .flat_map(|difference| count(*difference))
                    .map(|k| share(k, repetitions))
                    .collect();
                let _ = writeln!(
                    out,
                    "| {n_runs} | {:.2} | {} | {} |",
                    100.0 * seed_sd,
                    law.name(),
                    cells.join(" | ")
                );
            }
        }
    }
}
