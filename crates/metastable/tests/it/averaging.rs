//! Several checkpoints tested together, and a moving average of the weights: which files they are of, and what they leave alone.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Bench, json, stderr, stdout};

const RUN: &str = "runs/protonet-glyphs-3w1s-s0";

/// The study of one learner and one seed with a network that validates three times.
fn bench() -> Bench {
    Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("\n[learners.maml]\ninner_steps = 2\n", ""),
    ])
}

fn run(bench: &Bench, out: &str, changes: &[&str]) -> Value {
    let mut arguments = vec!["--out", out, "--store", "store"];
    for change in changes {
        arguments.extend(["--set", change]);
    }
    bench.experiment(&arguments);
    json(&bench.path(out).join(RUN).join("run.json"))
}

/// Parameters of the network in a checkpoint, in the order of its layout: that of its tensors' names is another, so as a sorted list.
fn sorted_values(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    sorted(floats(&bytes[8 + header..]))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let four = |it: &[u8]| f32::from_le_bytes([it[0], it[1], it[2], it[3]]);
    bytes.chunks_exact(4).map(four).collect()
}

fn sorted(mut values: Vec<f32>) -> Vec<f32> {
    values.sort_by(f32::total_cmp);
    values
}

#[test]
fn one_checkpoint_is_what_a_test_was_of_before_there_were_several() {
    let bench = bench();
    let plain = run(&bench, "plain", &[]);
    let named = run(&bench, "named", &["test.checkpoints=1"]);
    assert_eq!(plain["identity"], named["identity"]);
    let config = &plain["config"];
    for key in ["checkpoints", "combine"] {
        assert!(config["test"].get(key).is_none(), "{key}");
    }
    assert!(config["training"].get("ema").is_none());
    assert!(
        !bench
            .path("plain")
            .join(RUN)
            .join("mean.safetensors")
            .exists()
    );
}

/// The trainings are one; the tests differ.
#[test]
fn the_mean_of_weights_is_that_of_the_validated_ones_and_is_what_was_tested() {
    let bench = bench();
    let plain = run(&bench, "plain", &[]);
    let combined = [
        "test.checkpoints=2",
        "test.combine=weights",
        "test.weights=last",
    ];
    let record = run(&bench, "out", &combined);
    assert_ne!(plain["identity"], record["identity"]);
    assert_eq!(record["result"]["trained_by"], plain["identity"]);
    assert_eq!(record["config"]["test"]["checkpoints"], 2);
    let folder = bench.path("out").join(RUN);
    let rows = floats(&fs::read(folder.join("validated.f32")).unwrap());
    let rows: Vec<&[f32]> = rows.chunks_exact(rows.len() / 3).collect();
    let last = sorted(rows[2].to_vec());
    assert_eq!(last, sorted_values(&folder.join("last.safetensors")));
    let mean = rows[1].iter().zip(rows[2]).map(|(a, b)| (a + b) * 0.5);
    let expected = sorted(mean.collect());
    for (found, expected) in sorted_values(&folder.join("mean.safetensors"))
        .iter()
        .zip(&expected)
    {
        assert!((found - expected).abs() <= f32::EPSILON * expected.abs().max(1.0));
    }
    // That file by itself has the accuracy of the test, with a word on what is another now.
    let output = bench.run(&["evaluate", &format!("out/{RUN}/mean.safetensors"), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(found["accuracy"], record["result"]["test"]["accuracy"]);
    // A card is of one set of weights, which this is.
    let card = bench.run(&["card", "out", "--learner", "protonet", "--to", "w"]);
    assert!(card.status.success(), "{}", stderr(&card));
}

#[test]
fn an_ensemble_of_all_checkpoints_is_the_same_from_either_end() {
    let bench = bench();
    let best = run(&bench, "best", &["test.checkpoints=3"]);
    let last = run(&bench, "last", &["test.checkpoints=3", "test.weights=last"]);
    let of = |record: &Value| record["result"]["test"]["accuracy"].clone();
    assert_eq!(of(&best), of(&last));
    // There are no others to compare them with.
    assert!(best["result"]["other_test"].is_null());
    bench.refuses(
        &["card", "best", "--learner", "protonet"],
        &["3 checkpoints", "combine=weights"],
    );
}

#[test]
fn more_checkpoints_than_there_will_be_are_refused_before_any_training() {
    let bench = bench();
    let set = ["experiment", "tiny.toml", "--out", "out", "--set"];
    let refuses = |change: &str, words: &[&str]| {
        bench.refuses(&[&set[..], &[change]].concat(), words);
    };
    refuses(
        "test.checkpoints=4",
        &["test.checkpoints = 4", "3 validations", "validation.times"],
    );
    refuses("test.checkpoints=0", &["checkpoints = 0", "1 to 100"]);
    refuses(
        "test.combine=median",
        &["median", "probabilities", "weights"],
    );
    refuses("learner.ema=1.5", &["ema", "0.999"]);
}

#[test]
fn a_moving_average_is_another_run_of_the_same_training_steps() {
    let bench = bench();
    run(&bench, "plain", &[]);
    run(&bench, "ema", &["learner.ema=0.9"]);
    let log = |out: &str| fs::read_to_string(bench.path(out).join(RUN).join("log.jsonl")).unwrap();
    let losses = |out: &str| -> Vec<Value> {
        let lines = log(out);
        let lines = lines
            .lines()
            .map(|it| serde_json::from_str::<Value>(it).unwrap());
        lines.map(|it| it["train_loss"].clone()).collect()
    };
    assert_eq!(losses("plain"), losses("ema"));
    let last = |out: &str| sorted_values(&bench.path(out).join(RUN).join("last.safetensors"));
    assert_ne!(last("plain"), last("ema"));
}
