//! PyTorch on the other side, where `METASTABLE_PYTHON` has it: MAML from our weights, and a ProtoNet that trains by itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{json, python, study};
use crate::support::{Bench, stderr};

/// Largest difference of a training loss between the two implementations; 1e-5, the last digit of the log, was measured.
const APART: f64 = 1e-4;
/// Outer steps that they are followed. Later an input of a ReLU that is within rounding of zero falls to the other side (docs/guests.md).
const FOLLOWED: usize = 50;

/// A Python with torch; none, said aloud, where there is none.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
fn torch() -> Option<String> {
    let python = python()?;
    let found = Command::new(&python).args(["-c", "import torch"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {python} has no torch; METASTABLE_PYTHON names another");
    None
}

/// The training loss of every step.
fn losses(run: &Path) -> Vec<f64> {
    let log = fs::read_to_string(run.join("log.jsonl")).unwrap();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .flat_map(|line| line["losses"].as_array().cloned().unwrap())
        .map(|loss| loss.as_f64().unwrap())
        .collect()
}

/// Settings of both. Adam divides by the size of a gradient, and makes the rounding of one that is nearly zero as large as any.
const SGD: [&str; 3] = [
    "learner.outer_steps=50",
    "learner.optimizer=sgd",
    "learner.outer_lr=0.02",
];

#[test]
fn maml_in_torch_from_our_weights_stays_beside_ours() {
    let Some(python) = torch() else { return };
    let bench = Bench::new(&[]);
    // The template has four blocks.
    let with = |learners: &str| {
        study(&bench, "tiny.toml", learners);
        let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
        let text = text.replace("size = 14", "size = 20");
        let text = text.replace("width = 4\nblocks = 2", "width = 8\nblocks = 4");
        fs::write(bench.path("tiny.toml"), text).unwrap();
    };
    let run = |out: &str, changes: &[&str]| {
        // One thread: those of torch wait for each other by spinning, which on a busy machine takes hours.
        let mut arguments = vec!["experiment", "tiny.toml", "--seeds", "1", "--threads", "1"];
        arguments.extend(["--out", out]);
        arguments.extend(changes.iter().flat_map(|change| ["--set", *change]));
        let output = bench.run(&arguments);
        assert!(output.status.success(), "{}", stderr(&output));
    };
    with("[learners.maml]\n");
    // A step of length 0 leaves the weights as they were drawn.
    run("start", &["learner.outer_steps=1", "learner.outer_lr=0.0"]);
    run("ours", &SGD);
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../guests/python/tests/maml_from_ours.py"
    );
    with(&format!(
        "[learners.torch]\nalgorithm = \"process\"\ncommand = [{python:?}, {script:?}]\n\
         settings = {{ weights = \"start/runs/maml-glyphs-3w1s-s0/last.safetensors\", width = 8, optimizer = \"sgd\" }}\n"
    ));
    run("theirs", &SGD);
    let ours = losses(&bench.path("ours/runs/maml-glyphs-3w1s-s0"));
    let theirs = losses(&bench.path("theirs/runs/torch-glyphs-3w1s-s0"));
    assert_eq!((ours.len(), theirs.len()), (FOLLOWED, FOLLOWED));
    let each = ours.iter().zip(&theirs);
    let apart = each.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < APART, "training losses differ by {apart:.1e}");
    // What stays as it was would prove little.
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&ours[40..]) < mean(&ours[..10]) - 0.02, "{ours:?}");
}

#[test]
fn a_protonet_in_torch_trains_by_itself_beside_ours() {
    let Some(python) = torch() else { return };
    let bench = Bench::new(&[]);
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../guests/python/torch_protonet.py"
    );
    study(
        &bench,
        "tiny.toml",
        &format!(
            "[learners.torch]\nalgorithm = \"process\"\ncommand = [{python:?}, {script:?}]\ntraining = \"own\"\n\
             settings = {{ width = 8 }}\n[learners.protonet]\n[probe]\nfamilies = [\"f\", \"f-pairs\"]\ntasks = 4\nother = []\n"
        ),
    );
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let text = text.replace("size = 14", "size = 20");
    fs::write(bench.path("tiny.toml"), text).unwrap();
    let arguments = [
        "experiment",
        "tiny.toml",
        "--seeds",
        "2",
        "--threads",
        "1",
        "--out",
        "out",
        "--set",
        "learner.outer_steps=60",
    ];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let record = json(&bench.path("out/runs/torch-glyphs-3w1s-s0/run.json"));
    let visit = &record["result"]["guest"];
    assert_eq!(visit["noise_floor"]["new_process"]["churn"], 0.0, "{visit}");
    let accuracy = record["result"]["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.5, "{accuracy}");
    let report = json(&bench.path("out/report.json")).to_string();
    for words in [
        "Noise floor of torch: 0",
        "The features of torch have effective rank",
    ] {
        assert!(report.contains(words), "{words:?} is not in the report");
    }
}
