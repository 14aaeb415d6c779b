//! Weights that come with the program: fetched without a network, and tested to the figure of their card. `card` makes such files.

use std::path::PathBuf;

use metastable_data::fetch::{SHIPPED, Shipped};
use metastable_models::fused::instruction_set;
use serde_json::Value;

use crate::support::{Bench, stderr, stdout};

fn card_of(text: &str) -> Value {
    toml::from_str::<toml::Table>(text)
        .map(|table| serde_json::to_value(table).unwrap())
        .unwrap()
}

/// Accuracies of another instruction set may differ by a few queries: rounding moves what lies at a boundary.
const ROUNDING: f64 = 2e-3;

#[test]
fn weights_are_fetched_without_a_network_and_have_the_accuracy_of_their_card() {
    let data = std::env::var_os("METASTABLE_DATA").map(PathBuf::from);
    assert!(!SHIPPED.is_empty());
    let bench = Bench::new(&[]);
    for shipped in SHIPPED {
        let card = card_of(shipped.card);
        let fetched = bench.run(&["fetch", "weights", shipped.name, "--data-dir", "data"]);
        assert!(fetched.status.success(), "{}", stderr(&fetched));
        let path = format!("data/weights/{}.safetensors", shipped.name);
        assert_eq!(std::fs::read(bench.path(&path)).unwrap(), shipped.weights);
        let beside = format!("data/weights/{}.toml", shipped.name);
        assert_eq!(
            std::fs::read_to_string(bench.path(&beside)).unwrap(),
            shipped.card
        );

        let is_made = card["made"]["data"] == "glyphs";
        // Those of Omniglot need it, and have many larger images: a part of the list is enough.
        let (n_tasks, expected) = match (is_made, &data) {
            (true, _) => (&card["test"]["episodes"], &card["test"]["accuracy"]),
            (false, Some(_)) => {
                let first = &card["test"]["first"];
                (&first["episodes"], &first["accuracy"])
            }
            (false, None) => continue,
        };
        let folder = data.clone().filter(|_| !is_made);
        let folder = folder.unwrap_or_else(|| bench.path("data"));
        let n_tasks = n_tasks.to_string();
        let arguments = ["evaluate", &path, "--json", "--episodes", &n_tasks];
        let folder = ["--data-dir", folder.to_str().unwrap()];
        let output = bench.run(&[&arguments[..], &folder].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(found["same_data_as_training"], true, "{}", shipped.name);
        let (found, expected) = (
            found["accuracy"].as_f64().unwrap(),
            expected.as_f64().unwrap(),
        );
        let here = card["made"]["instruction_set"] == instruction_set();
        let tolerance = if here { 1e-12 } else { ROUNDING };
        assert!(
            (found - expected).abs() <= tolerance,
            "{}: {found} where its card says {expected}",
            shipped.name
        );
    }
}

/// What a card says of itself holds: the size that a repository can carry, an accuracy that is no chance, an interval around it.
#[test]
fn cards_say_what_their_weights_are() {
    for Shipped {
        name,
        card,
        weights,
    } in SHIPPED
    {
        assert!(weights.len() < 1 << 20, "{name}");
        let card = card_of(card);
        assert_eq!(card["bytes"], weights.len(), "{name}");
        let way = card["runs"]["protocol"]["train_way"].as_f64();
        assert!(way.is_some(), "{name} says no protocol");
        let accuracy = card["test"]["accuracy"].as_f64().unwrap();
        let limits = &card["test"]["interval_over_tasks"];
        let [lower, upper] = [0, 1].map(|at| limits[at].as_f64().unwrap());
        assert!(
            lower < accuracy && accuracy < upper && lower > 0.3,
            "{name}"
        );
        let of_seeds: Vec<f64> = card["seeds"]["accuracies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_f64().unwrap())
            .collect();
        assert!(of_seeds.contains(&accuracy), "{name}");
    }
}

#[test]
fn a_card_is_made_of_a_finished_study_and_its_figures_are_those_of_the_runs() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "out"]);
    let made = bench.run(&["card", "out", "--learner", "protonet", "--to", "w"]);
    assert!(made.status.success(), "{}", stderr(&made));
    assert!(stdout(&made).contains("w/glyphs-protonet-3w1s.safetensors"));
    let card =
        card_of(&std::fs::read_to_string(bench.path("w/glyphs-protonet-3w1s.toml")).unwrap());
    let record = |seed: usize| -> Value {
        let path = format!("out/runs/protonet-glyphs-3w1s-s{seed}/run.json");
        serde_json::from_str(&std::fs::read_to_string(bench.path(&path)).unwrap()).unwrap()
    };
    let accuracy = |seed: usize| record(seed)["result"]["test"]["accuracy"].clone();
    assert_eq!(card["test"]["accuracy"], accuracy(0));
    assert_eq!(card["seeds"]["numbers"], serde_json::json!([0, 1]));
    assert_eq!(
        card["seeds"]["accuracies"],
        serde_json::json!([accuracy(0), accuracy(1)])
    );
    assert_eq!(card["weights"]["step"], record(0)["result"]["test"]["step"]);
    assert_eq!(card["runs"]["runs"], 2);
    assert_eq!(card["runs"]["protocol"]["train_way"], 3);

    // The weights answer as the card says.
    let output = bench.run(&["evaluate", "w/glyphs-protonet-3w1s.safetensors", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let found: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(found["accuracy"], card["test"]["accuracy"]);
    assert_eq!(
        found["predictions_sha256"],
        card["test"]["predictions_sha256"]
    );

    bench.refuses(
        &["card", "out", "--learner", "proto"],
        &["proto", "maml", "protonet"],
    );
    bench.refuses(
        &["card", "out", "--learner", "protonet", "--seed", "7"],
        &["--seed 7", "0, 1"],
    );
}
