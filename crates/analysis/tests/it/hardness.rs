//! Slopes of accuracy on hardness, on tables whose slope is known.

use metastable_analysis::hardness::Hardness;
use metastable_analysis::{Options, Run, Study, StudyAnalysis, Test, analyze};

use crate::support::{close, run};

const N_TASKS: usize = 11;
const N_QUERIES: usize = 10;

/// Task `t` has `t * slip` wrong answers of 10, and log-odds whose mean is `t / 2 - 3`.
fn made(learner: &str, seed: u64, slip: usize) -> Run {
    let predictions = (0..N_TASKS * N_QUERIES).map(|at| {
        let (task, query) = (at / N_QUERIES, at % N_QUERIES);
        let label = query / 5;
        (if query < slip * task {
            1 - label
        } else {
            label
        }) as u8
    });
    let log_odds = (0..N_TASKS * N_QUERIES).map(|at| {
        let (task, query) = (at / N_QUERIES, at % N_QUERIES);
        let sway = if query % 2 == 0 { 1.5 } else { -1.5 };
        task as f64 / 2.0 - 3.0 + sway
    });
    Run {
        test: Some(Test {
            n_tasks: N_TASKS,
            n_way: 2,
            n_query: 5,
            predictions: predictions.collect(),
            task_nll: (0..N_TASKS).map(|task| 0.1 + task as f64).collect(),
            query_log_odds: Some(log_odds.collect()),
            classes: None,
        }),
        ..run(learner, "made 2-way 1-shot", seed, 0.9)
    }
}

fn analysis(runs: Vec<Run>) -> StudyAnalysis {
    let study = Study {
        name: "made".to_owned(),
        command: "none".to_owned(),
        runs,
        ..Study::default()
    };
    let options = Options {
        n_resamples: 100,
        n_profile_resamples: 100,
        n_null_draws: 100,
        reference: Some("frozen".to_owned()),
        ..Options::default()
    };
    analyze(&study, &options).unwrap()
}

fn hardness(runs: Vec<Run>) -> Option<Hardness> {
    analysis(runs).settings[0].all.get::<Hardness>()
}

/// A tenth of accuracy for half a unit of hardness, by every run.
#[test]
fn the_slope_of_a_straight_fall_is_exact() {
    let found = hardness(vec![
        made("frozen", 0, 0),
        made("maml", 0, 1),
        made("maml", 1, 1),
    ])
    .unwrap();
    assert_eq!(
        (found.reference.learner.as_str(), found.reference.seed),
        ("frozen", 0)
    );
    for (task, hardness) in found.tasks.iter().enumerate() {
        close(*hardness, task as f64 / 2.0 - 3.0, 1e-12, "hardness");
    }
    assert_eq!(
        found.slopes.len(),
        1,
        "the reference is not measured against itself"
    );
    let slope = &found.slopes[0];
    assert_eq!((slope.learner.as_str(), slope.runs.len()), ("maml", 2));
    close(slope.line.slope.value, -0.2, 1e-12, "slope");
    close(slope.line.intercept, 0.4, 1e-12, "intercept");
    close(slope.line.r_squared, 1.0, 1e-12, "R squared");
}

#[test]
fn other_runs_of_the_reference_learner_are_measured() {
    let found = hardness(vec![made("frozen", 4, 0), made("frozen", 9, 1)]).unwrap();
    assert_eq!(found.reference.seed, 4);
    assert_eq!(found.slopes[0].runs.len(), 1);
    close(
        found.slopes[0].line.slope.value,
        -0.2,
        1e-12,
        "slope of seed 9 alone",
    );
}

#[test]
fn the_sentence_carries_interval_and_reference() {
    let runs = vec![made("frozen", 0, 0), made("maml", 0, 1), made("maml", 1, 0)];
    let result = analysis(runs);
    let sentence = |metric: &str| {
        let mut findings = result.findings.iter();
        findings
            .find(|finding| finding.metric == metric)
            .unwrap()
            .clone()
    };
    let finding = sentence("hardness");
    assert_eq!(finding.learner.as_deref(), Some("maml"));
    let expected = "maml loses 10.00 pp of accuracy with each unit of a task's hardness (10.00 pp to 10.00 pp)";
    assert!(finding.text.starts_with(expected), "{}", finding.text);
    assert!(finding.text.contains("frozen, seed 0"), "{}", finding.text);
}

#[test]
fn without_usable_log_odds_there_is_no_hardness() {
    let mut bare = made("frozen", 0, 0);
    bare.test.as_mut().unwrap().query_log_odds = None;
    assert!(hardness(vec![bare, made("maml", 0, 1)]).is_none());
    let mut infinite = made("frozen", 0, 0);
    let log_odds = infinite.test.as_mut().unwrap().query_log_odds.as_mut();
    log_odds.unwrap()[3] = f64::INFINITY;
    assert!(hardness(vec![infinite, made("maml", 0, 1)]).is_none());
    assert!(hardness(vec![made("other", 0, 0), made("maml", 0, 1)]).is_none());
}
