//! Whole reports of studies in which nothing differs: how many claim something all the same.

use std::fmt::Write as _;

use metastable_analysis::{Certainty, Options, Outcome, Run, Study, TaskScores, analyze, report};
use rand_distr::{Binomial, Distribution};
use rayon::prelude::*;

use crate::noise::{Law, generator, normal};
use crate::share;

const TASKS: usize = 100;

/// Queries of a task.
const QUERIES: u64 = 75;

/// Learners that differ in nothing, on one list of tasks in each of some settings that differ in nothing.
#[derive(Clone, Copy)]
struct Alike {
    n_settings: usize,
    n_learners: usize,
    n_seeds: usize,
    law: Law,
    /// Standard deviation of what a seed does.
    seed_sd: f64,
    /// Of the difficulty of a task.
    task_sd: f64,
}

/// The options of a report: fewer resamples than a user's, because a row of the page takes many reports.
fn options() -> Options {
    Options {
        n_resamples: 400,
        n_profile_resamples: 200,
        n_null_draws: 200,
        ..Options::default()
    }
}

fn study(alike: Alike, repetition: u64) -> Study {
    let Alike {
        n_settings,
        n_learners,
        n_seeds,
        law,
        seed_sd,
        task_sd,
    } = alike;
    let mut rng = generator(23, repetition);
    let mut runs = Vec::new();
    for setting in 0..n_settings {
        let difficulty: Vec<f64> = (0..TASKS).map(|_| task_sd * normal(&mut rng)).collect();
        for (learner, seed) in (0..n_learners * n_seeds).map(|at| (at / n_seeds, at % n_seeds)) {
            let of_seed = 0.9 + seed_sd * law.draw(&mut rng);
            let accuracies = difficulty
                .iter()
                .map(|task| {
                    let p = (of_seed + task).clamp(0.0, 1.0);
                    let law = Binomial::new(QUERIES, p);
                    law.map_or(f64::NAN, |law| law.sample(&mut rng) as f64) / QUERIES as f64
                })
                .collect();
            runs.push(Run {
                id: format!("l{learner}-{setting}-{seed}"),
                learner: format!("l{learner}"),
                setting: format!("setting {setting}"),
                seed: seed as u64,
                outcome: Outcome::Completed,
                history: Vec::new(),
                train_seconds: 0.0,
                test: None,
                scores: Some(TaskScores {
                    accuracies,
                    n_way: Some(5),
                    queries_per_task: Some(QUERIES as usize),
                    ..TaskScores::default()
                }),
                adaptation: None,
                training: None,
                selection: None,
                fingerprint: Default::default(),
            });
        }
    }
    Study {
        name: "null".to_owned(),
        runs,
        ..Study::default()
    }
}

/// The first screen of a report, and the metrics that tell two things apart.
fn report_of(alike: Alike, repetition: u64) -> (String, Vec<String>) {
    let study = study(alike, repetition);
    let Ok(analysis) = analyze(&study, &options()) else {
        return (String::new(), Vec::new());
    };
    let text = report::markdown(&study, &analysis);
    let screen = text.split("## Card").next().unwrap_or_default().to_owned();
    let told = analysis
        .findings
        .iter()
        .filter(|it| it.certainty == Certainty::Distinguishable)
        .map(|it| it.metric.clone())
        .collect();
    (screen, told)
}

fn reports(alike: Alike, repetitions: u64, seed: u64) -> Vec<(String, Vec<String>)> {
    (0..repetitions)
        .into_par_iter()
        .map(|at| report_of(alike, seed * 1_000_000 + at))
        .collect()
}

/// Claims in reports in which nothing differs.
pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| learners x seeds x settings | seeds | tasks | a claim on the first screen, % | any sentence that tells two things apart, % | by metric |\n\
         | --- | --- | --- | --- | --- | --- |"
    );
    for task_sd in [0.0, 0.05] {
        for (n_learners, n_seeds, n_settings) in [
            (2, 3, 1),
            (4, 3, 1),
            (4, 5, 1),
            (4, 10, 1),
            (2, 5, 2),
            (2, 10, 3),
        ] {
            for law in [Law::Normal, Law::HeavyTailed] {
                let alike = Alike {
                    n_settings,
                    n_learners,
                    n_seeds,
                    law,
                    seed_sd: 0.01,
                    task_sd,
                };
                let found = reports(alike, repetitions, seed);
                let claims = [" Behind: ", " moves the ", " falls by "];
                let screens = found
                    .iter()
                    .filter(|it| claims.iter().any(|claim| it.0.contains(claim)));
                let mut metrics: Vec<&String> = found.iter().flat_map(|it| &it.1).collect();
                metrics.sort();
                metrics.dedup();
                let by: Vec<String> = metrics
                    .iter()
                    .map(|metric| {
                        let k = found.iter().filter(|it| it.1.contains(metric)).count() as u64;
                        format!("{metric} {}", share(k, repetitions))
                    })
                    .collect();
                let any = found.iter().filter(|it| !it.1.is_empty()).count() as u64;
                let _ = writeln!(
                    out,
                    "| {n_learners} x {n_seeds} x {n_settings} | {} | {} | {} | {} | {} |",
                    law.name(),
                    if task_sd > 0.0 { "differ" } else { "equal" },
                    share(screens.count() as u64, repetitions),
                    share(any, repetitions),
                    if by.is_empty() {
                        "none".to_owned()
                    } else {
                        by.join(", ")
                    }
                );
            }
        }
    }
}

/// Verdicts on stability where the truth is known: of learners whose standard deviation over seeds is at, under and over the
/// two thresholds.
pub(crate) fn write_verdicts(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| learners x seeds | seeds | SD over seeds, pp | \"not stable enough\" of at least one, % | \"stable enough\" of at least one, % |\n\
         | --- | --- | --- | --- | --- |"
    );
    for (n_learners, n_seeds) in [(4, 3), (4, 5), (4, 10), (4, 20)] {
        for law in Law::ALL {
            for seed_sd in [0.002, 0.005, 0.015, 0.03] {
                let alike = Alike {
                    n_settings: 1,
                    n_learners,
                    n_seeds,
                    law,
                    seed_sd,
                    task_sd: 0.0,
                };
                let found = reports(alike, repetitions, seed);
                let said =
                    |words: &str| found.iter().filter(|it| it.0.contains(words)).count() as u64;
                let _ = writeln!(
                    out,
                    "| {n_learners} x {n_seeds} | {} | {:.1} | {} | {} |",
                    law.name(),
                    100.0 * seed_sd,
                    share(said("Not stable enough: "), repetitions),
                    share(said("Stable enough: "), repetitions),
                );
            }
        }
    }
}
