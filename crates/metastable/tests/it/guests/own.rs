//! A guest that trains by itself, with a setting that is a factor.

use std::fs;

use super::{json, study, table};
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
