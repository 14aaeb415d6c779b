//! A study from its command to its report.

use std::fs;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::support::{Bench, TINY, assert_same, json, lasting, stderr, stdout};

#[test]
fn a_study_ends_in_a_report_and_a_second_call_skips_what_is_done() {
    let bench = Bench::new(&[]);
    let output = bench.experiment(&["--out", "out"]);
    let table = stdout(&output);
    for name in [
        "maml",
        "protonet",
        "report.json",
        "report.html",
        "report.md",
    ] {
        assert!(table.contains(name), "{name} is not in: {table}");
    }
    let out = bench.path("out");
    for name in ["study.toml", "report.json", "report.html", "report.md"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let record = json(&out.join("runs/maml-glyphs-3w1s-s1/run.json"));
    assert_eq!(record["result"]["outcome"]["kind"], "completed");
    assert_eq!(record["config"]["seeds"]["support"], 1);
    assert_eq!(record["config"]["seeds"]["eval"], 0);
    let other = json(&out.join("runs/maml-glyphs-3w1s-s0/run.json"));
    assert_eq!(record["test_list_digest"], other["test_list_digest"]);
    assert_ne!(record["config_hash"], other["config_hash"]);
    assert!(record["classes"]["test"].as_array().unwrap().len() >= 3);

    let (files, report) = (lasting(&out), fs::read(out.join("report.json")).unwrap());
    let modified = |name: &str| fs::metadata(out.join(name)).unwrap().modified().unwrap();
    let last = "runs/maml-glyphs-3w1s-s1/last.safetensors";
    let before = modified(last);
    bench.experiment(&["--out", "out"]);
    assert_eq!(modified(last), before);
    assert_same(&files, &lasting(&out));
    assert_eq!(report, fs::read(out.join("report.json")).unwrap());

    // The report alone says the same, and so does the study as it was written out.
    let again = bench.run(&["report", "out"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(stdout(&again), table);
    assert_eq!(report, fs::read(out.join("report.json")).unwrap());
    let copy = bench.run(&["experiment", "out/study.toml", "--out", "copy"]);
    assert!(copy.status.success(), "{}", stderr(&copy));
    assert_same(&files, &lasting(&bench.path("copy")));
}

#[test]
fn seeds_may_be_added_but_settings_may_not_change_in_one_folder() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let first = lasting(&bench.path("out"));
    bench.experiment(&["--out", "out", "--seeds", "2"]);
    let both = lasting(&bench.path("out"));
    assert_eq!(both.len(), 2 * first.len());
    assert!(first.iter().all(|file| both.contains(file)));
    // Asked for less, the folder still says all that it holds.
    let without_maml = TINY.replace("[learners.maml]\ninner_steps = 2\n", "");
    fs::write(bench.path("fewer.toml"), without_maml).unwrap();
    let fewer = bench.run(&["experiment", "fewer.toml", "--seeds", "1", "--out", "out"]);
    assert!(fewer.status.success(), "{}", stderr(&fewer));
    let stored = fs::read_to_string(bench.path("out/study.toml")).unwrap();
    assert!(stored.contains("seeds = 2\nfirst_seed = 0\n"), "{stored}");
    assert!(stored.contains("[learners.maml]"), "{stored}");
    let report = json(&bench.path("out/report.json"));
    let learners = report["settings"][0]["learners"].as_array().unwrap();
    assert_eq!(learners.len(), 2);
    assert!(
        learners
            .iter()
            .all(|learner| learner["seeds"] == serde_json::json!([0, 1]))
    );
    let arguments = [
        "experiment",
        "tiny.toml",
        "--out",
        "out",
        "--set",
        "learner.outer_lr=0.5",
    ];
    bench.refuses(
        &arguments,
        &["learners.maml.outer_lr was 0.001, is now 0.5", "--out"],
    );
}

#[test]
fn evaluate_repeats_the_test_of_the_run_to_the_bit() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    for run in ["maml-glyphs-3w1s-s0", "protonet-glyphs-3w1s-s0"] {
        let folder = bench.path("out").join("runs").join(run);
        let checkpoint = folder.join("best.safetensors");
        let output = bench.run(&["evaluate", checkpoint.to_str().unwrap(), "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let said: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        let test = &json(&folder.join("run.json"))["result"]["test"];
        assert_eq!(said["accuracy"], test["accuracy"]);
        assert_eq!(said["nll"], test["nll"]);

        let bytes = fs::read(folder.join("test.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let predictions = file.tensor("predictions").unwrap();
        assert_eq!(predictions.shape(), [8, 6]);
        let digest: String = Sha256::digest(predictions.data())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(said["predictions_sha256"], digest);
    }
    let checkpoint = "out/runs/protonet-glyphs-3w1s-s0/last.safetensors";
    let arguments = [
        "evaluate",
        checkpoint,
        "--way",
        "4",
        "--episodes",
        "5",
        "--json",
    ];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let said: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(said["setting"], "glyphs 4-way 1-shot");
    assert_eq!(said["task_accuracy"].as_array().unwrap().len(), 5);
}

/// The learner without a head is the yardstick of hardness, unless another is named.
#[test]
fn the_reference_of_hardness_is_a_run_of_the_study() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "out"]);
    let hardness =
        || json(&bench.path("out/report.json"))["settings"][0]["all"]["hardness"].clone();
    let usual = hardness();
    assert_eq!(usual["reference"]["learner"], "protonet");
    assert_eq!(usual["reference"]["seed"], 0);
    assert_eq!(usual["tasks"].as_array().unwrap().len(), 8);
    let output = bench.run(&["report", "out", "--reference", "maml"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let other = hardness();
    assert_eq!(other["reference"]["learner"], "maml");
    assert_ne!(other["tasks"], usual["tasks"]);
    let arguments = ["report", "out", "--reference", "mamml"];
    bench.refuses(&arguments, &["--reference mamml", "did you mean \"maml\""]);
}

#[test]
fn the_command_of_the_report_can_be_pasted_into_a_shell() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "my runs/"]);
    let report = json(&bench.path("my runs/report.json"));
    assert_eq!(
        report["command"],
        "cargo xtask experiment 'my runs/study.toml' --out 'my runs-again'"
    );
}

#[test]
fn train_runs_one_learner_with_one_seed() {
    let bench = Bench::new(&[]);
    let arguments = [
        "train",
        "protonet",
        "--study",
        "tiny.toml",
        "--seed",
        "7",
        "--out",
        "out",
    ];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let runs: Vec<_> = fs::read_dir(bench.path("out/runs")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    assert!(
        bench
            .path("out/runs/protonet-glyphs-3w1s-s7/run.json")
            .is_file()
    );
}

#[test]
fn list_names_every_registry() {
    let output = Bench::new(&[]).run(&["list"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    for name in [
        "quick", "omniglot", "glyphs", "conv4", "maml", "matching", "inner_lr", "spread",
    ] {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
}
