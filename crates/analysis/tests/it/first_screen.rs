//! The first screen and the order of the findings below it.

use metastable_analysis::probe::{Probe, support_sets};
use metastable_analysis::report::markdown;
use metastable_analysis::{Options, Run, Study, analyze};

use crate::support::run;

fn report(study: &Study) -> String {
    let options = Options {
        n_resamples: 100,
        n_profile_resamples: 100,
        n_null_draws: 100,
        ..Options::default()
    };
    markdown(study, &analyze(study, &options).unwrap()).replace('\\', "")
}

fn runs(learner: &str, accuracies: &[f64]) -> Vec<Run> {
    let each = accuracies.iter().enumerate();
    each.map(|(seed, accuracy)| run(learner, "setting", seed as u64, *accuracy))
        .collect()
}

/// Ten support sets that are by turns `a` over and under the mean of a task: a standard deviation of `a sqrt(10/9)`, 0.31 of the three runs
/// in the mean.
#[test]
fn the_choice_of_the_support_set_counts_where_it_was_asked_for() {
    let mut study = Study {
        runs: runs("maml", &[0.9, 0.91, 0.92]),
        ..Study::default()
    };
    let said = report(&study);
    assert!(
        said.contains(
            "the worst of those on seed spread, tail, failures and degradation in training."
        ) && !said.contains("support sets"),
        "{said}"
    );
    let probe = |run: &Run, a: f64| Probe {
        run: run.id.clone(),
        support_sets: Some(support_sets::Answers {
            n_tasks: 20,
            n_draws: 10,
            accuracy: (0..200)
                .map(|at| 0.6 + if at % 2 == 0 { a } else { -a })
                .collect(),
            extremes: None,
        }),
        ..Probe::default()
    };
    study.probes = study
        .runs
        .iter()
        .zip([0.30, 0.31, 0.32])
        .map(|(run, a)| probe(run, a))
        .collect();
    let said = report(&study);
    for part in [
        "Not stable enough: maml.",
        "- maml: unstable; SD over support sets 32.68 pp [",
        "choice of the support set, failures",
        "SD over support sets 2.00 and 10.00 pp",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// Two learners 30 points apart whose spreads are alike: what the comparison settles stands before what the spreads leave open, although
/// the chapter on spreads comes first.
#[test]
fn what_is_settled_stands_first() {
    let study = Study {
        runs: [
            runs("a", &[0.9, 0.91, 0.92, 0.9, 0.91]),
            runs("bb", &[0.6, 0.61, 0.62, 0.6, 0.61]),
        ]
        .concat(),
        ..Study::default()
    };
    let said = report(&study);
    let (_, findings) = said.split_once("## Findings").unwrap();
    let place = |part: &str| {
        let mut lines = findings.lines();
        lines.position(|line| line.contains(part)).unwrap()
    };
    let (settled, open) = (
        place("mean accuracy"),
        place("No learner is shown to be steadier than another"),
    );
    assert!(settled < open, "{findings}");
}

/// Runs of one second each take as many seconds as there are new ones.
#[test]
fn the_next_runs_are_told_with_their_time() {
    let mut study = Study {
        runs: [
            runs("a", &[0.9, 0.91, 0.92, 0.9, 0.91]),
            runs("bb", &[0.6, 0.61, 0.62, 0.6, 0.61]),
        ]
        .concat(),
        ..Study::default()
    };
    let said = report(&study);
    let (_, next) = said.split_once("## What to run next?").unwrap();
    let next = next.split("\n## ").next().unwrap();
    let (_, more) = next.split_once(" of each learner (").unwrap();
    let more: f64 = more.split(' ').next().unwrap().parse().unwrap();
    let time = match more {
        s if s < 90.0 => format!("This is about {s} s of training"),
        s => format!("This is about {:.0} min of training", s / 60.0),
    };
    assert!(next.contains(&time), "{time}: {next}");
    for run in &mut study.runs {
        run.train_seconds = 0.0;
    }
    assert!(!report(&study).contains("of training, one run after another"));
}

/// Seeds that scatter by nine thresholds stand before what has no threshold; where they agree, they stand after it.
#[test]
fn what_is_farthest_beyond_its_threshold_stands_first() {
    let place = |scores: &[f64], first: &str, second: &str| {
        let study = Study {
            runs: runs("a", scores),
            ..Study::default()
        };
        let said = report(&study);
        let (_, findings) = said.split_once("## Findings").unwrap();
        let place = |part: &str| findings.lines().position(|line| line.contains(part));
        let (before, after) = (place(first), place(second));
        assert!(before.is_some() && before < after, "{findings}");
    };
    let (seeds, loops) = ("beyond the noise of the test", "recorded an inner loop");
    place(&[0.6, 0.7, 0.8, 0.9, 0.95], seeds, loops);
    place(&[0.9, 0.91, 0.9, 0.91, 0.9], loops, seeds);
}
