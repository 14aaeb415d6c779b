//! `examples/stranger`, a crate outside of the workspace: a learner, a network and data of its own in a study, with report and
//! certificate. It is compiled here as an example of this crate; `cargo xtask check` compiles it where it stands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{stderr, stdout};

const STUDY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/stranger/study.toml"
);

/// The program of the other crate, beside that of this one.
fn stranger() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_metastable"));
    let found = own.with_file_name("examples").join("stranger");
    let found = found.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        found.is_file(),
        "{} is built by `cargo test -p metastable`",
        found.display()
    );
    found
}

fn run(program: &Path, arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command.output().unwrap()
}

#[test]
fn another_crates_learner_network_data_and_question_are_studied_and_certified() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = stranger();
    let listed = stdout(&run(&stranger, &["list"], folder.path()));
    for name in [
        "decayed",
        "decay = 0",
        "pooled",
        "stripes",
        "maml",
        "worst_run",
        "spread",
    ] {
        assert!(listed.contains(name), "{name}: {listed}");
    }

    let output = run(
        &stranger,
        &["experiment", STUDY, "--out", "out"],
        folder.path(),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(folder.path().join("out/report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let rows = report["all"]["certificate"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for (row, learner) in rows.iter().zip(["decayed", "protonet"]) {
        assert_eq!(row["learner"], learner);
        for check in row["checks"].as_array().unwrap() {
            assert!(check["refuted"].as_array().unwrap().is_empty(), "{check}");
            assert!(check["skipped"].as_array().unwrap().is_empty(), "{check}");
        }
    }
    // Its derivative is claimed, and held against differences.
    assert_eq!(rows[0]["checks"][0]["name"], "meta-gradient");
    assert_eq!(rows[0]["checks"][0]["worst"]["kind"], "error");
    let said = stdout(&run(&stranger, &["certify", "out"], folder.path()));
    assert_eq!(said.matches(" checks hold").count(), 4, "{said}");

    // Its question is answered for every learner, and has a chapter.
    let answers = report["settings"][0]["learners"].as_array().unwrap();
    for learner in answers {
        let name = learner["learner"].as_str().unwrap();
        let accuracy = |seed: usize| {
            let record = format!("out/runs/{name}-stripes-3w1s-s{seed}/run.json");
            let text = fs::read_to_string(folder.path().join(record)).unwrap();
            let record: Value = serde_json::from_str(&text).unwrap();
            record["result"]["test"]["accuracy"].as_f64().unwrap()
        };
        let worst = learner["all"]["worst_run"].as_f64().unwrap();
        assert!(
            (worst - accuracy(0).min(accuracy(1))).abs() < 1e-12,
            "{name}"
        );
    }
    let page = fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("How good is the worst run?"), "no chapter");

    // Runs say which program made them: nobody else's are taken over.
    let record = folder
        .path()
        .join("out/runs/decayed-stripes-3w1s-s0/run.json");
    let record: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    let program = record["config"]["numerics"]["program"].as_str().unwrap();
    assert_eq!(program.len(), 64);
    assert_eq!(
        record["config"]["network"]["form"]["readout"],
        "spatial-mean"
    );
}

#[test]
fn without_that_crate_its_names_are_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let own = Path::new(env!("CARGO_BIN_EXE_metastable"));
    let output = run(own, &["experiment", STUDY, "--out", "out"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("there is no algorithm \"decayed\""), "{said}");
    let arguments = ["experiment", "quick", "--set", "network.name=pooled"];
    let said = stderr(&run(own, &arguments, folder.path()));
    assert!(said.contains("network.name = \"pooled\""), "{said}");
}
