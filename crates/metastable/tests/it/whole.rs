//! A study from its command to its report.

use std::collections::BTreeSet;
use std::fs;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::support::{Bench, assert_same, json, lasting, stderr, stdout};

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
    assert_ne!(record["identity"], other["identity"]);
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

/// Seeds, learners and settings may change: only what is new is run.
#[test]
fn an_edited_study_runs_what_is_new() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let first = lasting(&bench.path("out"));
    let output = bench.experiment(&["--out", "out", "--seeds", "2"]);
    assert!(stderr(&output).contains("2 of 4 runs are in the store"));
    let both = lasting(&bench.path("out"));
    assert_eq!(both.len(), 2 * first.len());
    assert!(first.iter().all(|file| both.contains(file)));

    let arguments = ["--out", "out", "--set", "learners.maml.inner_lr=0.25"];
    let said = stderr(&bench.experiment(&arguments));
    assert!(
        said.contains("learner.inner_lr was 0.4, is now 0.25"),
        "{said}"
    );
    assert!(said.contains("1 of 2 runs are in the store"), "{said}");
    // The folder shows what the study is now, and the store has kept the rest.
    let now = lasting(&bench.path("out"));
    assert_eq!(now.len(), first.len());
    assert_same(&now[4..], &first[4..]);
    assert!(now[0].1 != first[0].1);
    let said = stderr(&bench.experiment(&["--out", "out", "--seeds", "2"]));
    assert!(said.contains("4 of 4 runs are in the store"), "{said}");
    assert_same(&both, &lasting(&bench.path("out")));
}

/// Studies of one store share their runs, whatever they call them.
#[test]
fn a_run_is_never_made_twice_for_another_study() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "a", "--store", "store"]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let renamed = text
        .replace("\"tiny\"", "\"other\"")
        .replace("[learners.maml]", "[learners.second]\nalgorithm = \"maml\"");
    fs::write(bench.path("other.toml"), renamed).unwrap();
    let arguments = ["experiment", "other.toml", "--out", "b", "--store", "store"];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("4 of 4 runs are in the store"));
    assert!(stdout(&output).contains("second"));
    let bytes = |files: Vec<(String, Vec<u8>)>| -> BTreeSet<Vec<u8>> {
        files.into_iter().map(|(_, bytes)| bytes).collect()
    };
    assert_eq!(
        bytes(lasting(&bench.path("a"))),
        bytes(lasting(&bench.path("b")))
    );
    // Another backend is another run.
    let arguments = [
        "experiment",
        "tiny.toml",
        "--out",
        "c",
        "--store",
        "store",
        "--backend",
        "graph",
        "--seeds",
        "1",
        "--set",
        "learner.outer_steps=1",
    ];
    let output = bench.run(&arguments);
    assert!(
        !stderr(&output).contains("in the store store"),
        "{}",
        stderr(&output)
    );
}

/// A run of another build is named, kept, and not gone on with.
#[test]
fn a_run_of_another_build_is_named_and_made_again() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let expected = lasting(&bench.path("out"));
    // What another build would have left: the same study, whose runs have other identities.
    let index = bench.path("out/runs.json");
    let text = fs::read_to_string(&index).unwrap();
    let runs: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut forged = text.replace(runs["sha256"].as_str().unwrap(), "");
    for run in runs["runs"].as_array().unwrap() {
        let identity = run["identity"].as_str().unwrap().to_owned();
        let folder = bench.path("out.store").join(&identity[..32]);
        let other = format!("{}{}", &identity[32..], &identity[..32]);
        fs::rename(&folder, bench.path("out.store").join(&other[..32])).unwrap();
        let record = bench.path("out.store").join(&other[..32]).join("run.json");
        let text = fs::read_to_string(&record).unwrap();
        let code = json(&record)["config"]["numerics"]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        fs::write(&record, text.replace(&code, "another build")).unwrap();
        forged = forged.replace(&identity, &other);
    }
    let sum = Sha256::digest(&forged)
        .into_iter()
        .map(|byte| format!("{byte:02x}"));
    let sealed = format!("\"sha256\": \"{}\"", sum.collect::<String>());
    fs::write(&index, forged.replace("\"sha256\": \"\"", &sealed)).unwrap();
    let said = stderr(&bench.experiment(&["--out", "out"]));
    // Each learner has a code of its own.
    assert_eq!(
        said.matches("1 runs of out differ from stored runs")
            .count(),
        2,
        "{said}"
    );
    assert!(said.contains("numerics.code was another build"), "{said}");
    assert!(!said.contains("are in the store"), "{said}");
    assert_same(&expected, &lasting(&bench.path("out")));
}

/// A study's folder that was copied with what its links lead to stands by itself.
#[cfg(unix)]
#[test]
fn a_copy_of_the_folder_has_everything() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let table = stdout(&bench.experiment(&["--out", "out"]));
    let copied = std::process::Command::new("cp")
        .args(["-rL", "out", "moved"])
        .current_dir(bench.path("."))
        .status()
        .unwrap();
    assert!(copied.success());
    fs::remove_dir_all(bench.path("out.store")).unwrap();
    let output = bench.run(&["report", "moved"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).replace("moved/", "out/"), table);
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
        "metastable experiment 'my runs/study.toml' --out 'my runs-again' --store 'my runs-again/store'"
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
