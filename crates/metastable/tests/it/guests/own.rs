//! A guest that trains by itself, with a setting that is a factor.

use std::fs;

use super::{json, log_odds, python, study, table};
use crate::support::{Bench, stderr};

#[test]
fn a_guest_trains_on_the_data_and_a_budget_and_its_setting_is_a_factor() {
    let bench = Bench::new(&[]);
    let learners = table("mine", &["own"], "training = \"own\"")
        + "[factors]\n\"learners.mine.settings.rate\" = [1.0, 2.0, 3.0]\n";
    study(&bench, "tiny.toml", &learners);
    let output = bench.run(&["experiment", "tiny.toml", "--seeds", "2", "--out", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));

    let mut rates = Vec::new();
    for run in fs::read_dir(bench.path("out/runs")).unwrap() {
        let run = run.unwrap().path();
        let record = json(&run.join("run.json"));
        let rate = record["config"]["learner"]["settings"]["rate"]
            .as_f64()
            .unwrap();
        rates.push(rate);
        assert_eq!(record["result"]["outcome"]["kind"], "completed");
        let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
        let lines: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // It reports every second of the 12 steps of its budget, the loss being its setting over the step.
        let expected: Vec<(u64, f64)> =
            (1..=6).map(|at| (2 * at, rate / (2 * at) as f64)).collect();
        let found: Vec<(u64, f64)> = lines
            .iter()
            .map(|line| {
                (
                    line["step"].as_u64().unwrap(),
                    line["train_loss"].as_f64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, expected);
    }
    rates.sort_by(f64::total_cmp);
    assert_eq!(rates, [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(report.contains("learners.mine.settings.rate"), "{report}");
}

#[test]
fn a_training_of_its_own_that_is_cut_starts_again() {
    let bench = Bench::new(&[]);
    let learners = table("mine", &["own", "die-at-train"], "training = \"own\"");
    study(&bench, "tiny.toml", &learners);
    let arguments = ["experiment", "tiny.toml", "--seeds", "1", "--out", "out"];
    for _ in 0..2 {
        let output = bench.run(&arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        // 40 classes of the glyphs: the guest counted those that it was given.
        for words in [
            "before it answered fit, id 2",
            " classes for training, ",
            "| the third step is too much for me",
        ] {
            assert!(said.contains(words), "{words:?} is not in: {said}");
        }
    }
}

/// The variances within training classes, whose weight is a factor: with a ridge that drowns them the guest is the template that learns
/// nothing, on the same test; with a small one it is not.
#[test]
fn a_numpy_guest_trains_by_itself_and_its_ridge_is_a_factor() {
    let Some(python) = python() else { return };
    let bench = Bench::new(&[]);
    let run = |out: &str, script: &str, more: &str| {
        let script = format!("{}/../guests/python/{script}", env!("CARGO_MANIFEST_DIR"));
        let learner = format!(
            "[learners.mine]\nalgorithm = \"process\"\ncommand = [{python:?}, {script:?}]\n{more}"
        );
        study(&bench, "tiny.toml", &learner);
        let output = bench.run(&["experiment", "tiny.toml", "--seeds", "1", "--out", out]);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut runs: Vec<_> = fs::read_dir(bench.path(out).join("runs"))
            .unwrap()
            .map(|run| run.unwrap().path())
            .collect();
        runs.sort();
        runs
    };
    let pixels = run("pixels", "nearest_mean.py", "training = \"none\"\n");
    let pixels = log_odds(&pixels[0].join("test.safetensors"));
    let ridges = run(
        "ridges",
        "tests/ridge.py",
        "training = \"own\"\n[factors]\n\"learners.mine.settings.ridge\" = [0.001, 1e9]\n",
    );
    assert_eq!(ridges.len(), 2);
    for run in ridges {
        let record = json(&run.join("run.json"));
        assert_eq!(record["result"]["outcome"]["kind"], "completed");
        // It was tested by a process that did not train, and had what was learnt from `save`.
        let floor = &record["result"]["guest"]["noise_floor"]["new_process"];
        assert_eq!(floor["log_probability"], 0.0, "{floor}");
        let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
        let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!(last["step"], 12, "{last}");
        let odds = log_odds(&run.join("test.safetensors"));
        assert_eq!(odds.len(), pixels.len());
        // -ln p = ln(1 + exp(odds)); the odds of a query that is as good as certain are rounding.
        let apart = odds
            .iter()
            .zip(&pixels)
            .map(|(a, b)| (a.exp().ln_1p() - b.exp().ln_1p()).abs())
            .fold(0.0, f64::max);
        let ridge = record["config"]["learner"]["settings"]["ridge"].as_f64();
        if ridge == Some(1e9) {
            assert!(apart < 1e-4, "{apart}");
        } else {
            assert!(apart > 0.1, "{apart}");
        }
    }
}
