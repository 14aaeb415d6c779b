//! Whole reports of studies in which nothing differs: how many claim something all the same.

use std::fmt::Write as _;

use metastable_analysis::{Certainty, Options, Outcome, Run, Study, TaskScores, analyze, report};
use rayon::prelude::*;

use crate::noise::{Law, generator, normal};
use crate::share;

const TASKS: usize = 100;

/// Learners that differ in nothing, on one list of tasks.
fn study(n_learners: usize, n_seeds: usize, law: Law, repetition: u64) -> Study {
    let mut rng = generator(23, repetition);
    let difficulty: Vec<f64> = (0..TASKS).map(|_| 0.05 * normal(&mut rng)).collect();
    let mut runs = Vec::new();
    for learner in 0..n_learners {
        for seed in 0..n_seeds {
            let of_seed = 0.9 + 0.01 * law.draw(&mut rng);
            let accuracies = difficulty
                .iter()
                .map(|task| (of_seed + task + 0.03 * normal(&mut rng)).clamp(0.0, 1.0))
                .collect();
            runs.push(Run {
                id: format!("l{learner}-{seed}"),
                learner: format!("l{learner}"),
                setting: "setting".to_owned(),
                seed: seed as u64,
                outcome: Outcome::Completed,
                history: Vec::new(),
                train_seconds: 0.0,
                test: None,
                scores: Some(TaskScores {
                    accuracies,
                    n_way: Some(5),
                    queries_per_task: Some(75),
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

pub(crate) fn write(out: &mut String, repetitions: u64, seed: u64) {
    let _ = writeln!(
        out,
        "| learners x seeds | seeds | a claim on the first screen, % | any sentence that tells two things apart, % | by metric |\n\
         | --- | --- | --- | --- | --- |"
    );
    let options = Options {
        n_resamples: 400,
        n_profile_resamples: 200,
        n_null_draws: 100,
        ..Options::default()
    };
    for (n_learners, n_seeds) in [(2, 3), (4, 3), (4, 5), (4, 10)] {
        for law in [Law::Normal, Law::HeavyTailed] {
            let each = |at: u64| {
                let study = study(n_learners, n_seeds, law, seed * 1_000_000 + at);
                let Ok(analysis) = analyze(&study, &options) else {
                    return (false, Vec::new());
                };
                let text = report::markdown(&study, &analysis);
                let screen = text.split("## Card").next().unwrap_or_default();
                let claimed = [" Behind: ", " moves the ", " falls by "]
                    .iter()
                    .any(|it| screen.contains(it));
                let told = analysis
                    .findings
                    .iter()
                    .filter(|it| it.certainty == Certainty::Distinguishable)
                    .map(|it| it.metric.clone())
                    .collect::<Vec<String>>();
                (claimed, told)
            };
            let found: Vec<(bool, Vec<String>)> =
                (0..repetitions).into_par_iter().map(each).collect();
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
            let screens = found.iter().filter(|it| it.0).count() as u64;
            let any = found.iter().filter(|it| !it.1.is_empty()).count() as u64;
            let _ = writeln!(
                out,
                "| {n_learners} x {n_seeds} | {} | {} | {} | {} |",
                law.name(),
                share(screens, repetitions),
                share(any, repetitions),
                by.join(", ")
            );
        }
    }
}
