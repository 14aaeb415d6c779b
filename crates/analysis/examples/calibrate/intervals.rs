//! Coverage of the intervals of one learner's figures, and of the difference of two.

use std::fmt::Write as _;

use metastable_analysis::comparison::compare;
use metastable_analysis::components::components;
use metastable_analysis::distribution::normal_quantile;
use metastable_analysis::robust::{
    ENOUGH_TO_RESAMPLE, Resampling, Strata, improvement_with_interval, iqm, with_interval,
};
use metastable_analysis::spread::spread;
use metastable_analysis::summary::mean;
use metastable_analysis::tail::{cvar, tail};
use metastable_analysis::{Interval, Options, ScoreMatrix};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use rayon::prelude::*;

use crate::noise::{Law, generator, normal, uniform};
use crate::share;

const QUERIES: u64 = 75;
/// Seeds that there are: what runs are drawn from, so that every truth is a finite mean.
const POPULATION: usize = 2000;
/// Those of them by which the truth of a tail is taken, which needs a test of each.
const TESTED: usize = 400;
/// What a seed does, and a task, on the logit scale: standard deviations.
const SEED_SD: f64 = 0.1;
const TASK_SD: f64 = 0.5;
/// How much better the second learner is, in standard deviations of a seed: it wins in about three of four.
const LEAD: f64 = 1.0;

/// What a row of the table varies.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    law: Law,
    accuracy: f64,
    /// Share of the seeds that end at chance.
    fails: f64,
}

const CASES: [Case; 6] = [
    Case {
        name: "normal",
        law: Law::Normal,
        accuracy: 0.9,
        fails: 0.0,
    },
    Case {
        name: "skew",
        law: Law::Skewed,
        accuracy: 0.9,
        fails: 0.0,
    },
    Case {
        name: "t3",
        law: Law::HeavyTailed,
        accuracy: 0.9,
        fails: 0.0,
    },
    Case {
        name: "20 % bad",
        law: Law::BadSeeds,
        accuracy: 0.9,
        fails: 0.0,
    },
    Case {
        name: "normal, 5 % of seeds fail",
        law: Law::Normal,
        accuracy: 0.9,
        fails: 0.05,
    },
    Case {
        name: "normal, at 98.5 %",
        law: Law::Normal,
        accuracy: 0.985,
        fails: 0.0,
    },
];

/// The intervals that are tried, in the order of the columns.
const KINDS: [&str; 9] = [
    "mean of trainings",
    "the same, new tasks",
    "one more training",
    "95 % of trainings",
    "seed SD",
    "CVaR10",
    "IQM",
    "difference of two",
    "P(A > B)",
];

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// All seeds of a learner: what each adds on the logit scale; infinitely bad is a seed that fails.
fn population(case: Case, lead: f64, seed: u64) -> Vec<f64> {
    let mut rng = generator(seed, 77);
    let center = (case.accuracy / (1.0 - case.accuracy)).ln() + lead * SEED_SD;
    let n_failing = (case.fails * POPULATION as f64).round() as usize;
    (0..POPULATION)
        .map(|at| {
            let effect = SEED_SD * case.law.draw(&mut rng);
            if at < n_failing {
                f64::NEG_INFINITY
            } else {
                center + effect
            }
        })
        .collect()
}

/// Accuracy that a seed has on a task; of a seed that fails, chance.
fn accuracy(seed: f64, task: f64) -> f64 {
    if seed.is_finite() {
        logistic(seed + task)
    } else {
        0.2
    }
}

fn on_tasks(seed: f64, tasks: &[f64]) -> f64 {
    tasks.iter().map(|task| accuracy(seed, *task)).sum::<f64>() / tasks.len() as f64
}

/// The test of one seed: the share of right queries of each task.
fn test(seed: f64, tasks: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    let of = |task: &f64| {
        let law = Binomial::new(QUERIES, accuracy(seed, *task));
        law.map_or(f64::NAN, |law| law.sample(rng) as f64) / QUERIES as f64
    };
    tasks.iter().map(of).collect()
}

/// Tables of the tests of `n_runs` seeds of each population, drawn with replacement.
fn draw(of: [&[f64]; 2], n_runs: usize, tasks: &[f64], rng: &mut ChaCha8Rng) -> [Vec<Vec<f64>>; 2] {
    of.map(|population| {
        (0..n_runs)
            .map(|_| {
                let at = (uniform(rng) * POPULATION as f64) as usize;
                test(population[at], tasks, rng)
            })
            .collect()
    })
}

/// For each kind of interval whether it holds its truth; `None` where the analysis gives none.
fn held(
    case: Case,
    n_runs: usize,
    n_tasks: usize,
    of: [&[f64]; 2],
    over_tasks: f64,
    at: u64,
) -> Option<[Option<bool>; KINDS.len()]> {
    let mut rng = generator(41, at);
    let tasks: Vec<f64> = (0..n_tasks).map(|_| TASK_SD * normal(&mut rng)).collect();
    let [a, b] = draw(of, n_runs, &tasks, &mut rng);
    let next = mean(&test(
        of[0][(at as usize * 7919) % POPULATION],
        &tasks,
        &mut rng,
    ));

    // The truth on these tasks, over all seeds.
    let means = of.map(|population| {
        population
            .iter()
            .map(|seed| on_tasks(*seed, &tasks))
            .collect::<Vec<f64>>()
    });
    let tested: Vec<Vec<f64>> = (0..TESTED)
        .map(|it| test(of[0][it * (POPULATION / TESTED)], &tasks, &mut rng))
        .collect();
    let noise = {
        let of_task = |task: &f64| {
            let p = accuracy((case.accuracy / (1.0 - case.accuracy)).ln(), *task);
            p * (1.0 - p)
        };
        mean(&tasks.iter().map(of_task).collect::<Vec<_>>()) / (QUERIES * n_tasks as u64) as f64
    };
    let center = mean(&means[0]);
    let scatter = mean(
        &means[0]
            .iter()
            .map(|it| (it - center).powi(2))
            .collect::<Vec<_>>(),
    );
    let mut with_noise = |means: &[f64]| -> Vec<f64> {
        let of = |it: &f64| it + noise.sqrt() * normal(&mut rng);
        means.iter().map(of).collect()
    };
    let noisy = with_noise(&means[0]);
    let mut ordered = noisy.clone();
    ordered.sort_by(f64::total_cmp);
    let middle = mean(&ordered[POPULATION / 4..3 * POPULATION / 4]);
    // Run `k` against all, by order: the share of pairs that A wins.
    let other = &means[1];
    let wins = {
        let mut sorted = with_noise(other);
        sorted.sort_by(f64::total_cmp);
        let below = |it: &f64| sorted.partition_point(|x| x < it) as f64 / POPULATION as f64;
        mean(&noisy.iter().map(below).collect::<Vec<_>>())
    };

    let options = Options {
        n_resamples: 400,
        n_null_draws: 100,
        tail_shares: vec![0.1],
        ..Options::default()
    };
    let how = Resampling {
        seed: at,
        n_resamples: 400,
        level: 0.95,
        settings: false,
        from_runs: ENOUGH_TO_RESAMPLE,
    };
    let (table, second) = (
        ScoreMatrix::from_rows(&a).ok()?,
        ScoreMatrix::from_rows(&b).ok()?,
    );
    let found = spread(&table, 0.95).ok()?;
    let honest = components(&table, None, 0.95).ok()?;
    let worst = tail(&table, QUERIES as usize, true, &options).ok()?;
    let strata =
        |runs: &[Vec<f64>]| Strata::new(vec![runs.iter().map(|run| mean(run)).collect()]).ok();
    let (x, y) = (strata(&a)?, strata(&b)?);
    let robust = with_interval(&x, iqm, "iqm", how).ok()?;
    let improved = improvement_with_interval(&x, &y, "improvement", how).ok()?;
    let pair = compare(&table, &second, &options).ok()?;
    let holds = |interval: Option<&Interval>, truth: f64| interval.map(|it| it.contains(truth));
    let of_cvar = mean(&tested.iter().map(|run| cvar(run, 0.1)).collect::<Vec<_>>());
    let tolerated = found.tolerance.as_ref().map(|it| {
        noisy.iter().filter(|run| it.contains(**run)).count() as f64 / POPULATION as f64 >= 0.95
    });
    Some([
        holds(found.mean.interval.as_ref(), center),
        holds(Some(&honest.interval), over_tasks),
        holds(found.prediction.as_ref(), next),
        tolerated,
        holds(
            found.between_seeds().and_then(|it| it.interval.as_ref()),
            scatter.sqrt(),
        ),
        holds(
            worst.levels.first().and_then(|it| it.over_runs.as_ref()),
            of_cvar,
        ),
        holds(robust.interval.as_ref(), middle),
        holds(pair.difference.interval.as_ref(), center - mean(other)),
        holds(improved.interval.as_ref(), wins),
    ])
}

pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(out, "| runs x tasks | seeds | {} |", KINDS.join(" | "));
    let _ = writeln!(out, "| --- | ---{} |", " | ---".repeat(KINDS.len()));
    for (n_runs, n_tasks) in [
        (3, 100),
        (5, 100),
        (10, 100),
        (20, 100),
        (3, 600),
        (5, 600),
        (10, 600),
        (20, 600),
    ] {
        for case in CASES {
            let (a, b) = (
                population(case, 0.0, seed),
                population(case, -LEAD, seed + 1),
            );
            // All tasks that there are: their law at evenly spaced shares.
            let of = |it: u32| TASK_SD * normal_quantile((f64::from(it) + 0.5) / 400.0);
            let all: Vec<f64> = (0..400).map(of).collect();
            let over_tasks = mean(
                &a.iter()
                    .map(|seed| on_tasks(*seed, &all))
                    .collect::<Vec<_>>(),
            );
            let found: Vec<[Option<bool>; KINDS.len()]> = (0..repetitions)
                .into_par_iter()
                .filter_map(|at| {
                    held(
                        case,
                        n_runs,
                        n_tasks,
                        [&a, &b],
                        over_tasks,
                        seed * 1_000_000 + at,
                    )
                })
                .collect();
            let cells: Vec<String> = (0..KINDS.len())
                .map(|kind| {
                    let told: Vec<bool> = found.iter().filter_map(|it| it[kind]).collect();
                    if told.is_empty() {
                        return "none".to_owned();
                    }
                    share(
                        told.iter().filter(|it| **it).count() as u64,
                        told.len() as u64,
                    )
                })
                .collect();
            let _ = writeln!(
                out,
                "| {n_runs} x {n_tasks} | {} | {} |",
                case.name,
                cells.join(" | ")
            );
        }
    }
}
