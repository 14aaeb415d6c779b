//! How a study ends other than well: stopped by the user, by damage on the disk, by divergence.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::support::{Bench, assert_same, json, lasting, stderr, stdout};

const ONE_RUN: &[(&str, &str)] = &[
    ("seeds = 2", "seeds = 1"),
    ("[learners.maml]\ninner_steps = 2\n", ""),
];
const STATE: &str = "out/runs/protonet-glyphs-3w1s-s0/state.safetensors";

/// Starts a study far too long to end, and stops it once it has a state.
#[cfg(unix)]
fn interrupted(bench: &Bench, arguments: &[&str]) -> Output {
    let child = bench.start(arguments);
    let begun = Instant::now();
    while !bench.path(STATE).exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no state came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_state_and_says_how_to_go_on() {
    let mut changes = ONE_RUN.to_vec();
    changes.push(("outer_steps = 12", "outer_steps = 500"));
    let bench = Bench::new(&changes);
    let output = interrupted(&bench, &["--out", "out"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("cargo xtask experiment tiny.toml --out out"),
        "{said}"
    );
    assert!(output.stdout.is_empty());

    // Cut the state: it is named, and not used.
    let path = bench.path(STATE);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let arguments = ["experiment", "tiny.toml", "--out", "out"];
    bench.refuses(&arguments, &["state.safetensors", "remove"]);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    bench.refuses(&arguments, &["state.safetensors", "checksum"]);

    // A log that lost lines is named too.
    fs::write(&path, whole).unwrap();
    let log: PathBuf = path.with_file_name("log.jsonl");
    let lines = fs::read(&log).unwrap();
    fs::write(&log, "").unwrap();
    bench.refuses(&arguments, &["log.jsonl", "remove"]);

    // With everything back in place, it goes on to the bits of a study that was never stopped.
    fs::write(&log, lines).unwrap();
    bench.experiment(&["--out", "out"]);
    bench.experiment(&["--out", "whole"]);
    assert_same(&lasting(&bench.path("out")), &lasting(&bench.path("whole")));
    assert!(!path.exists());
}

#[test]
fn divergence_is_a_result() {
    let bench = Bench::new(&[("inner_steps = 2", "inner_steps = 2\ninner_lr = 1e38")]);
    let output = bench.experiment(&["--out", "out"]);
    let record = json(&bench.path("out/runs/maml-glyphs-3w1s-s0/run.json"));
    assert_eq!(record["result"]["outcome"]["kind"], "diverged");
    assert_eq!(record["result"]["outcome"]["step"], 1);
    assert!(record["result"]["test"].is_null());
    assert!(stderr(&output).contains("diverged at step 1"));
    assert!(stdout(&output).contains("protonet"));
    let other = json(&bench.path("out/runs/protonet-glyphs-3w1s-s0/run.json"));
    assert_eq!(other["result"]["outcome"]["kind"], "completed");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let bench = Bench::new(ONE_RUN);
    fs::write(bench.path("file"), "in the way").unwrap();
    let arguments = ["experiment", "tiny.toml", "--out", "file/out"];
    bench.refuses(&arguments, &["file/out", "--out"]);
    fs::create_dir_all(bench.path("out/runs/protonet-glyphs-3w1s-s0/log.jsonl")).unwrap();
    let arguments = ["experiment", "tiny.toml", "--out", "out"];
    bench.refuses(&arguments, &["log.jsonl"]);
}

#[test]
fn a_record_of_a_newer_version_is_refused_by_name() {
    let bench = Bench::new(ONE_RUN);
    bench.experiment(&["--out", "out"]);
    let path = bench.path("out/runs/protonet-glyphs-3w1s-s0/run.json");
    let mut record = json(&path);
    record["format"] = 1_000.into();
    // What a newer version may have added or taken away does not get in the way of saying so.
    record.as_object_mut().unwrap().remove("environment");
    fs::write(&path, record.to_string()).unwrap();
    let expected = ["run.json has format 1000", "reads up to format"];
    bench.refuses(&["report", "out"], &expected);
    bench.refuses(&["experiment", "tiny.toml", "--out", "out"], &expected);
    fs::write(&path, "{").unwrap();
    bench.refuses(&["report", "out"], &["run.json", "damaged"]);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let bench = Bench::new(ONE_RUN);
    bench.experiment(&["--out", "out"]);
    let path = bench.path("out/runs/protonet-glyphs-3w1s-s0/last.safetensors");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let shown = path.to_str().unwrap();
    bench.refuses(&["evaluate", shown], &["last.safetensors"]);
    bench.refuses(&["evaluate", "none.safetensors"], &["none.safetensors"]);
}
