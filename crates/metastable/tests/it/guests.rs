//! Guests in studies: a learner in another process beside ours, consent to its command, its failures, Ctrl-C, and Python.

mod asked;
mod own;
mod torch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Bench, TINY, stderr};

/// The guest of `crates/guests/examples`, compiled as an example of this crate.
fn guest() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_metastable"));
    let found = own.with_file_name("examples").join("visitor");
    found.with_extension(std::env::consts::EXE_EXTENSION)
}

/// A table of a guest with these words after its program.
fn table(name: &str, words: &[&str], more: &str) -> String {
    let program = guest().to_string_lossy().into_owned();
    let words: Vec<String> = std::iter::once(program.as_str())
        .chain(words.iter().copied())
        .map(|word| format!("{word:?}"))
        .collect();
    format!(
        "\n[learners.{name}]\nalgorithm = \"process\"\ncommand = [{}]\n{more}\n",
        words.join(", ")
    )
}

/// The tiny study with these learners instead of its own, in a file of the folder.
fn study(bench: &Bench, name: &str, learners: &str) {
    let (head, _) = TINY.split_once("[learners.maml]").unwrap();
    fs::write(bench.path(name), format!("{head}{learners}")).unwrap();
}

fn json(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_guest_is_studied_beside_ours_and_has_a_noise_floor_and_a_certificate() {
    let bench = Bench::new(&[]);
    fs::write(bench.path("mine.txt"), "a file of the guest").unwrap();
    let learners = table(
        "mine",
        &["nearest-mean"],
        "files = [\"mine.txt\"]\nsettings = { depth = 3 }",
    ) + &table("noisy", &["nearest-mean", "noisy"], "")
        + "[learners.protonet]\n[probe]\nfamilies = [\"c\", \"d\", \"f-pairs\"]\ntasks = 3\nother = []\n";
    study(&bench, "tiny.toml", &learners);
    let output = bench.run(&["experiment", "tiny.toml", "--out", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("guests run these commands"),
        "{}",
        stderr(&output)
    );

    let record = json(&bench.path("out/runs/mine-glyphs-3w1s-s0/run.json"));
    assert_eq!(record["config"]["learner"]["settings"]["depth"], 3);
    assert_eq!(
        record["config"]["learner"]["digests"]["mine.txt"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    assert_eq!(record["config"]["network"]["name"], "outside");
    let visit = &record["result"]["guest"];
    assert_eq!(visit["name"], "guest");
    assert_eq!(visit["noise_floor"]["n_tasks"], 8);
    assert_eq!(visit["noise_floor"]["new_process"]["log_probability"], 0.0);
    let log = fs::read_to_string(bench.path("out/runs/mine-glyphs-3w1s-s0/log.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(last["step"], 12);
    assert!(
        last["validation_accuracy"].is_number() && last["gradient_norm"].is_null(),
        "{last}"
    );

    let report = json(&bench.path("out/report.json"));
    let text = report.to_string();
    assert!(
        text.contains("Noise floor of mine: 0."),
        "no floor in the report"
    );
    assert!(
        text.contains("The order of the supports changes no answer of protonet"),
        "no C8"
    );
    let rows = report["all"]["certificate"]["rows"].as_array().unwrap();
    let mine = rows.iter().find(|row| row["learner"] == "mine").unwrap();
    let names: Vec<&str> = mine["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|check| check["name"].as_str())
        .collect();
    assert!(
        names.contains(&"conformance: other labels, same answers"),
        "{names:?}"
    );
    for check in mine["checks"].as_array().unwrap() {
        assert!(check["refuted"].as_array().unwrap().is_empty(), "{check}");
    }
    let noisy = json(&bench.path("out/runs/noisy-glyphs-3w1s-s0/run.json"));
    let floor = &noisy["result"]["guest"]["noise_floor"]["same_process"]["log_probability"];
    assert!(floor.as_f64().unwrap() > 0.1, "{floor}");

    // The same study again finds everything; another content of a declared file is another run.
    let again = bench.run(&["experiment", "tiny.toml", "--out", "out"]);
    assert!(
        stderr(&again).contains("6 of 6 runs are in the store"),
        "{}",
        stderr(&again)
    );
    fs::write(bench.path("mine.txt"), "another").unwrap();
    let refused = bench.run(&[
        "probe",
        "out",
        "--families",
        "c",
        "--tasks",
        "4",
        "--allow-commands",
    ]);
    assert!(
        stderr(&refused)
            .contains("mine.txt is not the file that this run was planned or trained with"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_command_of_a_study_from_elsewhere_needs_consent() {
    let bench = Bench::new(&[]);
    fs::create_dir(bench.path("theirs")).unwrap();
    study(
        &bench,
        "theirs/tiny.toml",
        &table("mine", &["nearest-mean"], "training = \"none\""),
    );
    let arguments = [
        "experiment",
        "theirs/tiny.toml",
        "--seeds",
        "1",
        "--out",
        "out",
    ];
    bench.refuses(
        &arguments,
        &[
            "this would run commands",
            "visitor nearest-mean",
            "--allow-commands",
        ],
    );
    assert!(!bench.path("out").exists());
    let output = bench.run(&[&arguments[..], &["--allow-commands"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    bench.refuses(&["certify", "out"], &["--allow-commands"]);
    let output = bench.run(&["certify", "out", "--allow-commands"]);
    assert!(output.status.success(), "{}", stderr(&output));
    study(
        &bench,
        "tiny.toml",
        &table("mine", &["nearest-mean"], "files = [\"absent.py\"]"),
    );
    bench.refuses(
        &["experiment", "tiny.toml", "--out", "b"],
        &["absent.py cannot be read"],
    );
    study(
        &bench,
        "tiny.toml",
        "[learners.mine]\nalgorithm = \"process\"\n",
    );
    bench.refuses(
        &["experiment", "tiny.toml", "--out", "b"],
        &["the guest has no command"],
    );
}

#[test]
fn guests_that_fail_leave_their_words_and_the_study_goes_on() {
    let bench = Bench::new(&[]);
    let flaws = [
        "die-at-train",
        "killed",
        "version",
        "print",
        "shape",
        "id",
        "long",
        "unnormalised",
        "nan-at-train",
        "nan",
        "slow",
    ];
    let mut learners: String = flaws
        .iter()
        .map(|flaw| table(flaw, &["nearest-mean", flaw], ""))
        .collect();
    learners += &table("hang", &["nearest-mean", "hang"], "timeout_seconds = 1");
    learners += &table("good", &["nearest-mean"], "");
    learners += &table("cheat", &["cheat"], "");
    study(&bench, "tiny.toml", &learners);
    let output = bench.run(&["experiment", "tiny.toml", "--seeds", "1", "--out", "out"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "exit status: 7",
        "| the third step is too much for me",
        "signal: 6",
        "bad frame at byte 0: looks like text: \"Epoch 1: loss 0.3",
        "its id is 12345, and",
        "a payload of 16777216 bytes, and at most",
        "speaks protocol 9, and this program speaks protocol 1",
        "(queries, classes) is expected",
        "send 0.logits",
        "did not answer predict (3 tasks), id",
        "within 1 s and was killed",
        "14 runs: 5 finished, 2 of them diverged; 9 failed",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let diverged = json(&bench.path("out/runs/nan-at-train-glyphs-3w1s-s0/run.json"));
    assert_eq!(diverged["result"]["outcome"]["kind"], "diverged");
    assert_eq!(diverged["result"]["outcome"]["step"], 3);
    // One that is slow is as good as one that is not; one that answers by position guesses.
    let accuracy = |learner: &str| {
        let record = json(&bench.path(&format!("out/runs/{learner}-glyphs-3w1s-s0/run.json")));
        let accuracy = &record["result"]["test"]["accuracy"];
        accuracy
            .as_f64()
            .unwrap_or_else(|| panic!("{}", record["result"]["test"]))
    };
    assert_eq!(accuracy("slow").to_bits(), accuracy("good").to_bits());
    // 48 queries at 1/3: the standard error is 0.07.
    assert!(
        (accuracy("cheat") - 1.0 / 3.0).abs() < 0.2,
        "{}",
        accuracy("cheat")
    );
}

#[test]
fn ctrl_c_takes_the_guest_along_and_the_run_goes_on_from_its_state() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 40")]);
    let marker = format!("marker-{}-resume", std::process::id());
    let (head, _) = TINY.split_once("[learners.maml]").unwrap();
    let head = head.replacen("outer_steps = 12", "outer_steps = 40", 1);
    let slow = table("slow", &["nearest-mean", "slow", &marker], "");
    fs::write(bench.path("tiny.toml"), format!("{head}{slow}")).unwrap();
    let child = bench.start(&["--seeds", "1", "--out", "out", "--jobs", "1"]);
    std::thread::sleep(Duration::from_secs(4));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!is_alive(&marker), "the guest outlived the program");
    let output = bench.run(&["experiment", "tiny.toml", "--seeds", "1", "--out", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let log = fs::read_to_string(bench.path("out/runs/slow-glyphs-3w1s-s0/log.jsonl")).unwrap();
    // The guest counts its steps: a loss that started again would not be one over the step.
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let losses = last["losses"].as_array().unwrap();
    assert!(
        (losses.last().unwrap().as_f64().unwrap() - 1.0 / 40.0).abs() < 1e-6,
        "{last}"
    );
}

/// Whether a process has the word on its command line.
fn is_alive(marker: &str) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    })
}

/// A Python with numpy and safetensors (`METASTABLE_PYTHON` names it; else `python3`); none, said aloud, where there is none.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
pub(crate) fn python() -> Option<String> {
    let python = std::env::var("METASTABLE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python)
        .args(["-c", "import numpy, safetensors"])
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {python} has no numpy and safetensors; METASTABLE_PYTHON names another");
    None
}

/// Log-odds of the queries of a test, as `test.safetensors` has them.
fn log_odds(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("query_log_odds").unwrap();
    let each = tensor.data().chunks_exact(4);
    each.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into())
        .collect()
}

#[test]
fn our_protonet_evaluated_by_numpy_is_our_protonet() {
    let Some(python) = python() else { return };
    let bench = Bench::new(&[]);
    // Squared distances of these features are hundreds, of which single precision rounds the fifth decimal; divided by the
    // temperature they are of the size that log-probabilities have.
    study(
        &bench,
        "ours.toml",
        "[learners.protonet]\ntemperature = 64.0\n",
    );
    let output = bench.run(&["experiment", "ours.toml", "--seeds", "1", "--out", "ours"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../guests/python/tests/exported_protonet.py"
    );
    let learner = format!(
        "[learners.numpy]\nalgorithm = \"process\"\ncommand = [{python:?}, {script:?}]\ntraining = \"none\"\n\
         settings = {{ weights = \"ours/runs/protonet-glyphs-3w1s-s0/best.safetensors\", temperature = 64.0 }}\n"
    );
    study(&bench, "theirs.toml", &learner);
    let output = bench.run(&[
        "experiment",
        "theirs.toml",
        "--seeds",
        "1",
        "--out",
        "theirs",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let ours = log_odds(&bench.path("ours/runs/protonet-glyphs-3w1s-s0/test.safetensors"));
    let theirs = log_odds(&bench.path("theirs/runs/numpy-glyphs-3w1s-s0/test.safetensors"));
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() == 48 && ours.iter().any(|odds| odds.abs() > 0.1));
    let worst = ours
        .iter()
        .zip(&theirs)
        // -ln p = ln(1 + exp(odds))
        .map(|(a, b)| (a.exp().ln_1p() - b.exp().ln_1p()).abs())
        .fold(0.0, f64::max);
    assert!(worst < 1e-5, "log-probabilities differ by {worst:.1e}");
}

#[test]
fn the_python_side_is_printed() {
    let bench = Bench::new(&[]);
    let printed = bench.run(&["guest", "--python"]);
    assert!(String::from_utf8_lossy(&printed.stdout).contains("def serve(learner: Learner)"));
    let printed = bench.run(&["guest", "--template", "torch_maml"]);
    assert!(String::from_utf8_lossy(&printed.stdout).contains("functional_call"));
    bench.refuses(
        &["guest", "--template", "torch_mam"],
        &["did you mean \"torch_maml\"?"],
    );
}
