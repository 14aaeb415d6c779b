//! Numbers that nobody means: refused by name, before anything is allocated; and Ctrl-C, answered wherever the program is.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Bench, stderr};

/// Every number of a study, as the study has it.
const NUMBERS: [&str; 34] = [
    "seeds",
    "first_seed",
    "data.split_seed",
    "data.size",
    "data.min_images",
    "glyphs.n_alphabets",
    "glyphs.n_characters",
    "glyphs.n_drawers",
    "episode.way",
    "episode.shot",
    "episode.query",
    "episode.pool",
    "episode.replaced",
    "validation.episodes",
    "validation.times",
    "validation.inspected",
    "test.way",
    "test.shot",
    "test.query",
    "test.episodes",
    "test.seed",
    "test.curves",
    "network.width",
    "network.blocks",
    "network.norm_steps",
    "run.log_every",
    "run.save_seconds",
    "run.lease_seconds",
    "learner.outer_steps",
    "learner.meta_batch",
    "learner.observe_every",
    "learner.step_every",
    "learners.maml.inner_steps",
    "learners.maml.test_inner_steps",
];

/// Expects a refusal that names the value's place, soon and without a panic.
fn refused(bench: &Bench, arguments: &[&str], expected: &str) {
    let shown: String = format!("{arguments:?}").chars().take(120).collect();
    let begun = Instant::now();
    let mut command = bench.command(arguments);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{shown}: {said}");
    assert!(
        said.contains(expected),
        "{shown}: {expected} is not in: {said}"
    );
    assert!(!said.contains("panicked"), "{shown}: {said}");
    assert!(!bench.path("out").exists(), "{shown} left a folder");
}

#[test]
fn every_number_of_a_study_has_a_bound() {
    let bench = Bench::new(&[]);
    for path in NUMBERS {
        let key = path.rsplit('.').next().unwrap();
        for value in [
            "9223372036854775807",
            "18446744073709551615",
            "-1",
            "1e300",
            "nan",
        ] {
            let set = format!("{path}={value}");
            let arguments = ["experiment", "tiny.toml", "--out", "out", "--set", &set];
            refused(&bench, &arguments, key);
        }
    }
    for (flag, value) in [
        ("--seeds", "18446744073709551615"),
        ("--max-runs", "18446744073709551616"),
    ] {
        refused(
            &bench,
            &["experiment", "tiny.toml", "--out", "out", flag, value],
            flag,
        );
    }
    let seed = u64::MAX.to_string();
    refused(
        &bench,
        &[
            "train",
            "maml",
            "--study",
            "tiny.toml",
            "--seed",
            &seed,
            "--out",
            "out",
        ],
        "seed",
    );
}

#[test]
fn what_no_machine_holds_is_refused_with_the_flag_that_allows_it() {
    let bench = Bench::new(&[]);
    for sets in [
        &["test.episodes=1000000000"][..],
        &[
            "learner.outer_steps=1000000000",
            "learner.meta_batch=100000",
        ],
        &[
            "validation.episodes=1000000000",
            "learner.outer_steps=1000",
            "validation.times=1000000000",
        ],
    ] {
        let mut arguments = vec!["experiment", "tiny.toml", "--out", "out"];
        for set in sets {
            arguments.extend(["--set", set]);
        }
        refused(&bench, &arguments, "--over-budget");
    }
    // Within the bounds, and within reason, but more runs than can be counted.
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let levels = "{ low = 0.1, high = 1.0, levels = 10000 }";
    let factors = format!(
        "[factors]\n\"learner.outer_lr\" = {levels}\n\"learner.running_momentum\" = {levels}\n\"learner.clip_norm\" = {levels}\n"
    );
    fs::write(bench.path("tiny.toml"), text.clone() + &factors).unwrap();
    refused(
        &bench,
        &["experiment", "tiny.toml", "--out", "out"],
        "--max-runs",
    );
    let streams = "[streams]\ninit = 10000\ntask = 10000\nquery = 10000\n";
    fs::write(bench.path("tiny.toml"), text + streams).unwrap();
    refused(
        &bench,
        &["experiment", "tiny.toml", "--out", "out"],
        "combinations",
    );
}

#[test]
fn flags_of_evaluate_have_the_bounds_of_a_study() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "made"]);
    let weights = "made/runs/protonet-glyphs-3w1s-s0/best.safetensors";
    for flag in ["--way", "--shot", "--query", "--episodes"] {
        for value in ["18446744073709551615", "9223372036854775807", "0"] {
            refused(
                &bench,
                &["evaluate", weights, flag, value],
                flag.trim_matches('-'),
            );
        }
    }
    refused(
        &bench,
        &["probe", "made", "--tasks", "18446744073709551615"],
        "tasks",
    );
}

#[test]
fn keys_that_would_overflow_a_stack_are_refused() {
    let bench = Bench::new(&[]);
    let deep = vec!["a"; 60_000].join(".");
    let set = format!("{deep}=1");
    refused(
        &bench,
        &["experiment", "tiny.toml", "--out", "out", "--set", &set],
        "keys joined by points",
    );
    for text in [
        format!("{deep} = 1\n"),
        format!("[{deep}]\n"),
        format!("x = {{ {deep} = 1 }}\n"),
        format!("x = {}\n", "[".repeat(60_000)),
    ] {
        fs::write(bench.path("deep.toml"), text).unwrap();
        refused(
            &bench,
            &["experiment", "deep.toml", "--out", "out"],
            "deep.toml:1",
        );
    }
}

/// Waits for a line on stderr that has the word, and hands on what takes the rest.
fn wait_for(child: &mut Child, word: &str) -> std::thread::JoinHandle<String> {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let found = lines.any(|line| {
        let line = line.unwrap();
        said += &line;
        line.contains(word)
    });
    assert!(found, "{word} is not in: {said}");
    std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n"))
}

/// Sends SIGINT, and says how long the child took to end.
fn interrupt(child: &mut Child) -> Duration {
    let begun = Instant::now();
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    begun.elapsed()
}

/// In a test of very many episodes, and in a question on very many tasks: the end within a second, and how to go on.
#[cfg(unix)]
#[test]
fn ctrl_c_is_answered_between_steps_too() {
    // A machine with other work may take longer than a second to schedule anything.
    const SOON: Duration = Duration::from_secs(4);
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("episodes = 8", "episodes = 2000000"),
    ]);
    let start = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut child = start(&["experiment", "tiny.toml", "--out", "out"]);
    let rest = wait_for(&mut child, "trained; testing");
    let took = interrupt(&mut child);
    let said = rest.join().unwrap();
    assert!(took < SOON, "{took:?}: {said}");
    assert!(
        said.contains("metastable experiment tiny.toml --out out"),
        "{said}"
    );

    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let text = text.replace("episodes = 2000000", "episodes = 8");
    let table = "[probe]\nfamilies = [\"c\"]\ntasks = 100000\n";
    fs::write(bench.path("tiny.toml"), text + table).unwrap();
    let mut child = start(&["experiment", "tiny.toml", "--out", "asked"]);
    let rest = wait_for(&mut child, "protonet-glyphs-3w1s-s0: test accuracy");
    std::thread::sleep(Duration::from_millis(1500));
    let took = interrupt(&mut child);
    let said = rest.join().unwrap();
    assert!(took < SOON, "{took:?}: {said}");
    assert!(
        said.contains("metastable experiment tiny.toml --out asked"),
        "{said}"
    );
}

/// A stranger's checkpoint may say any number: those that would go on for ever are refused like a study's.
#[test]
fn numbers_of_a_checkpoint_have_the_bounds_of_a_study() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "made"]);
    let path = bench.path("made/runs/maml-glyphs-3w1s-s0/last.safetensors");
    let bytes = fs::read(path).unwrap();
    let n_header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + n_header]).unwrap();
    for key in ["inner_steps", "test_inner_steps"] {
        for value in [4_294_967_296_u64, 1_000_000_000_000_000_000, u64::MAX] {
            let mut header = header.clone();
            let metadata = header["__metadata__"].as_object_mut().unwrap();
            metadata.retain(|key, _| !key.contains("sha256") && !key.contains("digest"));
            let config = metadata["config"].as_str().unwrap();
            let mut config: serde_json::Value = serde_json::from_str(config).unwrap();
            config["learner"][key] = value.into();
            metadata.insert("config".into(), config.to_string().into());
            let header = header.to_string();
            let mut crafted = (header.len() as u64).to_le_bytes().to_vec();
            crafted.extend(header.bytes());
            crafted.extend(&bytes[8 + n_header..]);
            fs::write(bench.path("crafted.safetensors"), crafted).unwrap();
            refused(&bench, &["evaluate", "crafted.safetensors"], key);
        }
    }
}
