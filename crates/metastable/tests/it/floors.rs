//! Learners that are trained to tell all training classes apart, and promises of stability, as a study has them.

use std::fs;

use crate::support::{Bench, json, stderr};

/// Each trains, is tested on ways that it was not trained for, has a certificate (a refuted one ends with exit code 1), and a map of as many classes as there
/// are to train on.
#[test]
fn floors_are_learners_of_a_study() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        (
            "[learners.maml]\ninner_steps = 2\n\n[learners.protonet]\n",
            "[learners.simple-shot]\n\n[learners.baseline]\nhead_steps = 5\n\n[learners.baseline-pp]\nhead_steps = 5\n",
        ),
        ("[test]\nway = 3", "[test]\nway = 4"),
    ]);
    bench.experiment(&["--out", "out"]);
    let classes = |run: &serde_json::Value| run["classes"]["train"].as_array().unwrap().len();
    for (learner, spare) in [("simple-shot", 1), ("baseline", 0), ("baseline-pp", 0)] {
        let path = format!("out/runs/{learner}-glyphs-4w1s-s0/run.json");
        let run = json(&bench.path(&path));
        let rows = run["config"]["network"]["form"]["beside"]["linear"].as_u64();
        assert_eq!(
            rows,
            Some((classes(&run) + spare) as u64),
            "{learner}: {run}"
        );
        assert!(run["result"]["test"].is_object(), "{learner}: {run}");
    }
}

#[test]
fn a_promise_is_of_a_learner_over_another_of_the_study() {
    let bench = Bench::new(&[(
        "[learners.protonet]\n",
        "[learners.protonet]\n\n[analysis]\nbases = [[\"protonet\", \"maml\"]]\n",
    )]);
    bench.experiment(&["--out", "out"]);
    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    // Two seeds settle nothing, and there is no p-value.
    assert!(report.contains("Promises of stability"), "{report}");
    assert!(
        report.contains("Of 1 promise of stability, none is shown to be kept."),
        "{report}"
    );
    let output = bench.run(&["report", "out", "--title", "maml=MAML (ours)"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(report.contains("Promises of stability"), "{report}");
    let bench = Bench::new(&[(
        "[learners.protonet]\n",
        "[learners.protonet]\n\n[analysis]\nbases = [[\"protonet\", \"mamml\"]]\n",
    )]);
    bench.refuses(
        &["experiment", "tiny.toml"],
        &["analysis.bases", "mamml", "did you mean \"maml\""],
    );
}
