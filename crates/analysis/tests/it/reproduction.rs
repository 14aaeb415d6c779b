//! The words on a published mean: against the same formulas in scipy, and against simulated tables whose truth is known.

use metastable_analysis::ScoreMatrix;
use metastable_analysis::reproduction::{
    PlusMinus, Published, Reproduction, Rule, Word, reproduction,
};
use rayon::prelude::*;
use serde::Deserialize;

use crate::support::{close, normal, rng};

/// One case of `tests/golden/make_reproduction.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    scores: Vec<Vec<f64>>,
    value: f64,
    width: f64,
    kind: String,
    runs: usize,
    tasks: usize,
    digit: f64,
    word: Word,
    difference: f64,
    half_width: f64,
    needed: usize,
    least: f64,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[test]
fn words_and_intervals_are_those_of_scipy() {
    let cases: Cases = toml::from_str(include_str!("../golden/reproduction.toml")).unwrap();
    let mut words = Vec::new();
    for case in cases.case {
        let kind = match case.kind.as_str() {
            "none" => None,
            word => Some(serde_json::from_value::<PlusMinus>(word.into()).unwrap()),
        };
        let published = Published {
            value: case.value,
            plus_minus: kind.map(|kind| (case.width, kind)),
            runs: case.runs,
            tasks: case.tasks,
            digit: case.digit,
        };
        let scores = ScoreMatrix::from_rows(&case.scores).unwrap();
        let found = reproduction(&scores, &published, &Rule::default()).unwrap();
        assert_eq!(found.word, case.word, "{}", case.kind);
        close(found.difference, case.difference, 1e-12, "difference");
        let half_width = found.interval.unwrap().half_width();
        close(half_width / case.half_width, 1.0, 1e-7, "half-width");
        assert_eq!(found.runs_needed.unwrap_or(0), case.needed, "{}", case.kind);
        close(
            found.least_half_width.unwrap() / case.least,
            1.0,
            1e-7,
            "least",
        );
        words.push(found.word);
    }
    for word in [Word::Reproduced, Word::NotReproduced, Word::Undecided] {
        assert!(words.contains(&word), "no case is {word:?}");
    }
}

/// Our runs and a published mean of one run of another list of tasks, `difference` apart.
fn simulated(key: u64, n_runs: usize, seed_sd: f64, difference: f64) -> Reproduction {
    let mut rng = rng(key);
    let (task_sd, noise, n_tasks) = (0.01, 0.01, 40);
    let tasks: Vec<f64> = (0..n_tasks).map(|_| task_sd * normal(&mut rng)).collect();
    let rows: Vec<Vec<f64>> = (0..n_runs)
        .map(|_| {
            let run = 0.96 + difference + seed_sd * normal(&mut rng);
            let score = |task: &f64| run + task + noise * normal(&mut rng);
            tasks.iter().map(score).collect()
        })
        .collect();
    let per_task = (task_sd * task_sd + noise * noise) / 600.0;
    let theirs = 0.96 + seed_sd * normal(&mut rng) + per_task.sqrt() * normal(&mut rng);
    let published = Published {
        value: theirs,
        plus_minus: Some((1.96 * per_task.sqrt(), PlusMinus::Tasks95)),
        runs: 1,
        tasks: 600,
        digit: 0.0,
    };
    let scores = ScoreMatrix::from_rows(&rows).unwrap();
    reproduction(&scores, &published, &Rule::default()).unwrap()
}

/// 200 tables a cell. At the margin each word is wrong in 5 % by construction: a count of more than 20 has a probability of 0.1 %. Where
/// nothing differs *not reproduced* is said less often.
#[test]
fn the_words_are_wrong_as_seldom_as_the_rule_says() {
    for n_runs in [3, 5, 10] {
        for seed_sd in [0.0005, 0.001, 0.003] {
            let words = |difference: f64| -> Vec<Word> {
                let keys = (0..200).into_par_iter();
                keys.map(|key| simulated(key, n_runs, seed_sd, difference).word)
                    .collect()
            };
            let count = |words: &[Word], word: Word| words.iter().filter(|it| **it == word).count();
            let cell = format!("{n_runs} runs, SD {seed_sd}");
            let (at_margin, equal) = (words(0.005), words(0.0));
            let falsely = count(&at_margin, Word::Reproduced);
            assert!(
                falsely <= 20,
                "{cell}: reproduced at the margin {falsely} times"
            );
            let denied = count(&at_margin, Word::NotReproduced);
            assert!(denied <= 20, "{cell}: denied at the margin {denied} times");
            let denied = count(&equal, Word::NotReproduced);
            assert!(
                denied <= 10,
                "{cell}: denied without a difference {denied} times"
            );
        }
    }
    // The rule is not silence: narrow seeds are settled either way.
    let same = (0..20).map(|key| simulated(key, 5, 0.0005, 0.0));
    assert!(same.filter(|it| it.word == Word::Reproduced).count() >= 8);
    let far = (0..20).map(|key| simulated(key, 5, 0.0005, -0.02));
    assert!(far.filter(|it| it.word == Word::NotReproduced).count() == 20);
}

#[test]
fn one_training_decides_nothing_and_bad_rules_are_refused() {
    let scores = ScoreMatrix::from_rows(&[[0.9, 0.95]]).unwrap();
    let published = Published {
        value: 0.925,
        plus_minus: None,
        runs: 1,
        tasks: 600,
        digit: 0.001,
    };
    let found = reproduction(&scores, &published, &Rule::default()).unwrap();
    assert_eq!((found.word, found.interval), (Word::Undecided, None));
    let rule = Rule {
        margin: 0.0,
        ..Rule::default()
    };
    let error = reproduction(&scores, &published, &rule).unwrap_err();
    assert!(error.to_string().contains("margin"), "{error}");
}
