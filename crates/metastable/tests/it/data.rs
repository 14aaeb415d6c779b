//! Other data than the study's: a user's own images, by flags.

use std::fs;

use crate::support::{Bench, json, stderr, stdout};

const CHECKPOINT: &str = "out/runs/protonet-glyphs-3w1s-s0/best.safetensors";

/// One learner, one seed, on the images that the flags name.
fn bench() -> Bench {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
    ]);
    bench.images("mine");
    bench
}

#[test]
fn a_folder_is_named_by_flags_of_every_command() {
    let bench = bench();
    let folder = ["--dataset", "folder:mine", "--split", "random:4,4,4"];
    bench.experiment(&[&folder[..], &["--out", "out"]].concat());
    let record = json(&bench.path("out/runs/protonet-mine-3w1s-s0/run.json"));
    assert_eq!(record["config"]["data"]["set"], "folder:mine");
    assert_eq!(record["classes"]["train"].as_array().unwrap().len(), 4);

    let train = [
        "train",
        "protonet",
        "--study",
        "tiny.toml",
        "--out",
        "trained",
    ];
    let output = bench.run(&[&train[..], &folder[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let again = json(&bench.path("trained/runs/protonet-mine-3w1s-s0/run.json"));
    assert_eq!(
        again["result"]["test"]["nll"],
        record["result"]["test"]["nll"]
    );

    // The images of one alphabet are split by classes where nobody says how.
    // Then 2 of 12 are left for validation, which is said with settings that they bear.
    let asked = [
        "experiment",
        "tiny.toml",
        "--dataset",
        "folder:mine",
        "--out",
        "no",
    ];
    let bears = "--set episode.way=2 --set episode.query=5 --set test.way=2 --set test.query=5";
    bench.refuses(&asked, &["test.way", bears]);
    let flags: Vec<&str> = bears.split(' ').collect();
    bench.experiment(&[&["--dataset", "folder:mine", "--out", "auto"], &flags[..]].concat());
    let record = json(&bench.path("auto/runs/protonet-mine-2w1s-s0/run.json"));
    assert_eq!(record["config"]["data"]["split"], "random:0.64,0.16,0.2");
}

#[test]
fn a_checkpoint_is_evaluated_on_other_data_under_their_own_split() {
    let bench = bench();
    bench.experiment(&["--out", "out"]);
    let evaluate = ["evaluate", CHECKPOINT, "--json", "--dataset", "folder:mine"];
    bench.refuses(
        &evaluate,
        &["`random-alphabets` (--split takes another)", "alphabets"],
    );
    let output = bench.run(&[&evaluate[..], &["--split", "random:4,4,4"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(said["setting"], "mine 3-way 1-shot");
    assert_eq!(said["same_data_as_training"], false);
}

#[test]
fn ink_is_a_setting_of_the_study() {
    let bench = bench();
    let tested = |out: &str, ink: &str| {
        let set = format!("data.ink={ink}");
        bench.experiment(&[
            "--dataset",
            "folder:mine",
            "--split",
            "random:4,4,4",
            "--out",
            out,
            "--set",
            &set,
        ]);
        let record = json(&bench.path(out).join("runs/protonet-mine-3w1s-s0/run.json"));
        assert_eq!(record["config"]["data"]["ink"], ink);
        record["result"]["test"]["nll"].clone()
    };
    let (auto, dark, bright) = (
        tested("a", "auto"),
        tested("b", "dark"),
        tested("c", "bright"),
    );
    assert_eq!(auto, dark, "the paper is white");
    assert_ne!(dark, bright);
    let arguments = [
        "experiment",
        "tiny.toml",
        "--out",
        "out",
        "--set",
        "data.ink=dark",
    ];
    bench.refuses(&arguments, &["--set data.ink=dark", "glyphs knows"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_told_once_and_does_no_harm() {
    let bench = bench();
    fs::write(bench.path("cache"), "a file in the way of the folder").unwrap();
    let arguments = [
        "experiment",
        "tiny.toml",
        "--out",
        "out",
        "--dataset",
        "folder:mine",
        "--split",
        "random:4,4,4",
    ];
    let output = bench.run(&arguments);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("write the cache").count(), 1, "{said}");
}
