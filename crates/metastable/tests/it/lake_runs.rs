//! `evaluate --lake-runs`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Bench, stderr, stdout};

const PROTONET: &str = "out/runs/protonet-glyphs-3w1s-s0/best.safetensors";
const MAML: &str = "out/runs/maml-glyphs-3w1s-s0/best.safetensors";

/// The folder of real data, where there is one.
fn real_data() -> Option<PathBuf> {
    std::env::var_os("METASTABLE_DATA").map(PathBuf::from)
}

fn evaluate(bench: &Bench, checkpoint: &str, data: &Path, threads: &str) -> (Value, String) {
    let data = data.to_str().unwrap();
    let arguments = [
        "evaluate",
        checkpoint,
        "--lake-runs",
        "--json",
        "--data-dir",
        data,
        "--threads",
        threads,
    ];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    (
        serde_json::from_str(&stdout(&output)).unwrap(),
        stderr(&output),
    )
}

#[test]
fn a_head_for_another_number_of_classes_is_refused() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let arguments = ["evaluate", MAML, "--lake-runs"];
    bench.refuses(&arguments, &["head for 3 classes", "20-way", "protonet"]);
    let arguments = ["evaluate", PROTONET, "--lake-runs", "--way", "5"];
    bench.refuses(&arguments, &["--lake-runs", "--way"]);
    let arguments = ["evaluate", PROTONET, "--lake-runs", "--dataset", "glyphs"];
    bench.refuses(&arguments, &["load `omniglot`"]);
}

/// On the published archives: 20 runs in the published order, at any number of threads.
#[test]
fn the_twenty_runs_are_judged_one_by_one() {
    let Some(data) = real_data() else {
        return;
    };
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let (said, notes) = evaluate(&bench, PROTONET, &data, "1");
    assert_eq!(said, evaluate(&bench, PROTONET, &data, "2").0);
    assert!(!notes.contains("trained on"), "{notes}");
    let runs = said["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 20);
    let errors: Vec<f64> = runs
        .iter()
        .map(|run| run["error_rate"].as_f64().unwrap())
        .collect();
    // One query a class: an error rate is a whole number of twentieths.
    assert!(
        errors
            .iter()
            .all(|error| (20.0 * error - (20.0 * error).round()).abs() < 1e-9)
    );
    let mean = errors.iter().sum::<f64>() / 20.0;
    assert!((said["error_rate"].as_f64().unwrap() - mean).abs() < 1e-12);
    // Chance is 95 %; even 12 steps on tiny glyphs leave features that see strokes.
    assert!(mean < 0.9, "{mean}");
    let alphabets: std::collections::BTreeSet<&str> = runs
        .iter()
        .map(|run| run["alphabet"].as_str().unwrap())
        .collect();
    assert_eq!(alphabets.len(), 10);

    let arguments = [
        "evaluate",
        PROTONET,
        "--lake-runs",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let output = bench.run(&arguments);
    let table = stdout(&output);
    assert_eq!(table.lines().count(), 22, "{table}");
    assert!(
        table.contains("error") && table.contains("people: 4.5 %"),
        "{table}"
    );
}

/// The runs are made of evaluation characters, which the split of Vinyals et al. partly trains on; whole alphabets do not.
#[test]
fn characters_that_were_trained_on_are_counted() {
    let Some(data) = real_data() else {
        return;
    };
    let data_dir = data.to_str().unwrap();
    for (split, leaks) in [("vinyals", true), ("lake", false), ("alphabets", false)] {
        let bench = Bench::new(&[
            ("seeds = 2", "seeds = 1"),
            ("outer_steps = 12", "outer_steps = 1"),
            ("[learners.maml]\ninner_steps = 2\n", ""),
        ]);
        bench.experiment(&[
            "--dataset",
            "omniglot",
            "--split",
            split,
            "--data-dir",
            data_dir,
            "--out",
            "out",
        ]);
        let checkpoint = "out/runs/protonet-omniglot-3w1s-s0/best.safetensors";
        let (said, notes) = evaluate(&bench, checkpoint, &data, "2");
        assert_eq!(
            said["n_trained_characters"].as_u64().unwrap() > 0,
            leaks,
            "{split}"
        );
        assert_eq!(notes.contains("were trained on"), leaks, "{notes}");
    }
}
