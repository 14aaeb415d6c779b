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
        // Losses of queries, and of supports where there is an inner loop; the whole procedure; single precision.
        let n_expected = if row["learner"] == "protonet" { 4 } else { 6 };
        assert_eq!(measured.len(), n_expected, "{measured:?}");
        assert!(names(row, |_| true).contains(&"first lines of the log, made again".to_owned()));
    }
    // The gap is that between the two learners, of which each run has its own.
    assert_eq!(rows[0]["first_order"].as_array().unwrap().len(), 1);
    assert!(rows[0]["first_order"][0]["relative"].as_f64().unwrap() > 0.0);
    assert!(rows[2]["first_order"].as_array().unwrap().is_empty());

    let output = bench.run(&["certify", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).matches(" checks hold").count(), 6);
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("id=\"certificate\"") && !page.contains("REFUTED"));
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
