//! Every result carries a certificate, and a record that was changed is found out even if its checksums fit.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Bench, json, stderr, stdout};

fn sha256(bytes: &[u8]) -> String {
    let bytes = Sha256::digest(bytes).into_iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The certificates of a report, by learner.
fn rows(bench: &Bench) -> Vec<Value> {
    let report = json(&bench.path("out/report.json"));
    report["all"]["certificate"]["rows"]
        .as_array()
        .unwrap()
        .clone()
}

fn names(row: &Value, keep: impl Fn(&Value) -> bool) -> Vec<String> {
    let checks = row["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| keep(check))
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

fn refuted(row: &Value) -> Vec<String> {
    names(row, |check| {
        !check["refuted"].as_array().unwrap().is_empty()
    })
}

/// Whether it says nothing for some run.
fn is_silent(check: &Value) -> bool {
    !check["skipped"].as_array().unwrap().is_empty()
}

#[test]
fn every_study_ends_with_certificates_that_hold() {
    let bench = Bench::new(&[(
        "[learners.protonet]",
        "[learners.fomaml]\ninner_steps = 2\n\n[learners.protonet]",
    )]);
    bench.experiment(&["--out", "out"]);
    let rows = rows(&bench);
    let learners: Vec<&Value> = rows.iter().map(|row| &row["learner"]).collect();
    assert_eq!(learners, ["maml", "fomaml", "protonet"]);
    for row in &rows {
        assert_eq!(refuted(row), [""; 0], "{row}");
        assert_eq!(row["n_runs"], 2);
        let measured = names(row, |check| check["worst"]["kind"] == "error");
        assert_eq!(
            measured,
            [
                "meta-gradient",
                "meta-gradient in single precision",
                "predictions without the labels of queries",
                "predictions at the adapted parameters"
            ]
        );
        let compared = names(row, |check| check["worst"]["kind"] == "same");
        assert_eq!(compared.len(), 8, "{compared:?}");
        assert!(compared.contains(&"first lines of the log, made again".to_owned()));
        assert!(compared.contains(&"first test predictions, made again".to_owned()));
        assert!(names(row, is_silent).is_empty());
    }
    // What first-order MAML leaves out, each run its own; a metric learner has none.
    for row in &rows[..2] {
        let gaps = row["first_order"].as_array().unwrap();
        assert_eq!(gaps.len(), 2);
        assert!(
            gaps.iter()
                .all(|gap| gap["relative"].as_f64().unwrap() > 0.0)
        );
    }
    assert!(rows[2]["first_order"].as_array().unwrap().is_empty());

    let output = bench.run(&["certify", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).matches(" checks hold").count(), 6);
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("id=\"certificate\"") && !page.contains("REFUTED"));
}

/// A training that blows up at once has no step to make again and no gradient in the precision of the training: that is told, and
/// refutes nothing. (Double precision holds larger numbers, and its derivative is right.)
#[test]
fn a_run_that_diverged_is_neither_proven_nor_refuted() {
    let bench = Bench::new(&[("inner_steps = 2", "inner_steps = 2\ninner_lr = 1e38")]);
    bench.experiment(&["--out", "out"]);
    let rows = rows(&bench);
    assert_eq!(refuted(&rows[0]), [""; 0], "{}", rows[0]);
    assert_eq!(
        names(&rows[0], is_silent),
        [
            "meta-gradient in single precision",
            "first steps on one thread and on two",
            "first lines of the log, made again",
            "first test predictions, made again"
        ]
    );
    assert!(names(&rows[1], is_silent).is_empty(), "{}", rows[1]);
    let output = bench.run(&["certify", "out"]);
    let said = stdout(&output);
    assert!(output.status.success(), "{said}");
    let told = "maml-glyphs-3w1s-s0: 8 checks hold; neither proven nor refuted: meta-gradient in single precision, ";
    assert!(said.contains(told), "{said}");
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("the inner loop blows up") && page.contains("the run was not tested"));
}

/// Images without any difference between them: normalized units tie, and the certificate is not about them.
#[test]
fn constant_images_do_not_refute_a_run() {
    let bench = Bench::new(&[]);
    bench.blank_images("mine");
    let folder = [
        "--dataset",
        "folder:mine",
        "--split",
        "random:4,4,4",
        "--set",
        "data.allow_duplicates=true",
    ];
    bench.experiment(&[&folder[..], &["--out", "out"]].concat());
    for row in rows(&bench) {
        assert_eq!(refuted(&row), [""; 0], "{row}");
        let proven = names(&row, |check| check["worst"]["kind"] == "error");
        assert_eq!(proven.len(), 4, "{row}");
    }
}

/// Changes a file of a finished run, to something as long, and seals the run again.
fn tamper(folder: &Path, name: &str, change: impl Fn(&str) -> String) {
    let path = folder.join(name);
    let before = fs::read_to_string(&path).unwrap();
    let after = change(&before);
    assert!(before.len() == after.len() && before != after);
    fs::write(&path, &after).unwrap();
    let manifest = folder.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text.replace(&sha256(before.as_bytes()), &sha256(after.as_bytes()));
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let sealed = serde_json::to_vec(&(&parsed["identity"], &parsed["files"])).unwrap();
    let text = text.replace(parsed["sha256"].as_str().unwrap(), &sha256(&sealed));
    fs::write(&manifest, text).unwrap();
}

/// Another last digit.
fn turned(text: &str) -> String {
    let (head, last) = text.split_at(text.len() - 1);
    format!("{head}{}", if last == "1" { "2" } else { "1" })
}

#[test]
fn what_was_changed_is_refuted_by_name() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    let folder =
        |label: &str| -> PathBuf { fs::canonicalize(bench.path("out/runs").join(label)).unwrap() };
    bench.experiment(&["--out", "out"]);
    tamper(&folder("maml-glyphs-3w1s-s0"), "run.json", |text| {
        let record: Value = serde_json::from_str(text).unwrap();
        let digest = record["test_list_digest"].as_str().unwrap();
        text.replace(digest, &turned(digest))
    });
    tamper(&folder("protonet-glyphs-3w1s-s0"), "log.jsonl", |text| {
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let loss = format!("\"train_loss\":{}", line["train_loss"]);
        text.replacen(&loss, &turned(&loss), 1)
    });

    let output = bench.run(&["certify", "out"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(
        said.contains("maml-glyphs-3w1s-s0: REFUTED: digest of the test list"),
        "{said}"
    );
    assert!(
        said.contains("protonet-glyphs-3w1s-s0: REFUTED: first lines of the log, made again"),
        "{said}"
    );
    // Loud wherever the result is told.
    for command in [
        &["report", "out"][..],
        &["experiment", "tiny.toml", "--out", "out"],
    ] {
        let output = bench.run(command);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("CERTIFICATE REFUTED for maml"));
    }
    let rows = rows(&bench);
    assert_eq!(refuted(&rows[0]), ["digest of the test list"]);
    assert_eq!(refuted(&rows[1]), ["first lines of the log, made again"]);
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    let header = page.split("</header>").next().unwrap();
    assert!(header.contains("CERTIFICATE REFUTED for protonet"));
}
