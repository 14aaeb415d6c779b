//! Command lines made from the program's own description: every flag of every command with values that nobody means.
//!
//! Each has to end with exit code 1 or 2, without a panic and without a folder of results, and to name the flag or the value.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, Command, Subcommand};

use crate::support::{Bench, stderr};

/// Values that no flag but those of free text takes.
const VALUES: [&str; 6] = [
    "",
    "-1",
    "0.5",
    "18446744073709551616",
    "\u{1F600}",
    "a=b=c",
];

/// Flags whose value may be any text, a place or a name.
const FREE: [&str; 10] = [
    "out", "store", "data-dir", "from", "unit", "study", "margin", "title", "name", "to",
];

/// All commands, as clap describes them.
fn commands() -> Vec<Command> {
    let all = metastable::Command::augment_subcommands(Command::new("metastable"));
    all.get_subcommands().cloned().collect()
}

/// What a command needs besides the flag in question, so that the flag is what is refused.
fn needed(command: &str) -> Option<&'static [&'static str]> {
    match command {
        // With a store, or one is put behind the flag in question.
        "experiment" => Some(&["tiny.toml", "--out", "out", "--store", "st"]),
        "train" => Some(&[
            "maml",
            "--study",
            "tiny.toml",
            "--out",
            "out",
            "--store",
            "st",
        ]),
        "evaluate" => Some(&["made/runs/maml-glyphs-3w1s-s0/best.safetensors"]),
        "probe" | "certify" | "status" | "report" | "advise" | "work" => Some(&["made"]),
        "export" => Some(&["made", "--format", "csv"]),
        "analyze" => Some(&["scores.csv", "--out", "out"]),
        "fetch" => Some(&["nothing"]),
        "clean" => Some(&["nowhere"]),
        "reproduce" => Some(&["snell2017"]),
        "card" => Some(&["made", "--learner", "protonet", "--to", "cards"]),
        "guest" => Some(&["--template", "nothing"]),
        "completions" => Some(&["bash"]),
        // They take no values, and always say the same.
        "list" | "man" => None,
        other => panic!("the command {other} is new: say here what it needs"),
    }
}

/// Runs it, within a time that no refusal takes.
fn run(bench: &Bench, line: &[&str]) -> Output {
    let mut command = bench.command(line);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

/// Expects a refusal that has one of these words.
fn refused(bench: &Bench, line: &[&str], words: &[&str]) {
    let output = run(bench, line);
    let said = stderr(&output);
    let shown: Vec<String> = line
        .iter()
        .map(|it| it.chars().take(40).collect())
        .collect();
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "{shown:?}: {}: {said}",
        output.status
    );
    assert!(!said.contains("panicked"), "{shown:?}: {said}");
    assert!(said.len() < 20_000, "{shown:?}: {} bytes", said.len());
    let is_named = words.iter().any(|word| said.contains(word));
    assert!(is_named, "{shown:?}: none of {words:?} is in: {said}");
    assert!(!bench.path("out").exists(), "{shown:?} left a folder");
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

#[test]
fn command_lines_that_nobody_means_are_refused_by_name() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 4"),
    ]);
    bench.experiment(&["--out", "made"]);
    let scores = "run,learner,seed,score\na,a,0,0.5\nb,a,1,0.25\nc,b,0,0.1\nd,b,1,0.2\n";
    std::fs::write(bench.path("scores.csv"), scores).unwrap();
    let mut n_lines = 0;
    let mut try_line = |line: &[&str], words: &[&str]| {
        n_lines += 1;
        refused(&bench, line, words);
    };
    for command in commands() {
        let name = command.get_name();
        try_line(&[name, "--unknown-flag"], &["--unknown-flag"]);
        let surplus = [name, "a", "b", "c", "d", "--", "e"];
        try_line(&surplus, &["'b'", "'a'", "\"a\""]);
        let Some(needed) = needed(name) else {
            continue;
        };
        let with = |last: &str| -> Vec<String> {
            let words = [&[name][..], needed, &[last]].concat();
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else {
                continue;
            };
            let flag = format!("--{long}");
            // A flag that has no value gets one, and one that has a value gets none.
            let alone = match takes_value(arg) {
                true => flag.clone(),
                false => format!("{flag}=1"),
            };
            let mut lines = vec![(with(&alone), flag.clone())];
            if takes_value(arg) && !FREE.contains(&long) {
                lines.extend(VALUES.map(|value| {
                    // An empty value has no name.
                    let shown = if value.is_empty() { "\"\"" } else { value };
                    (with(&format!("{flag}={value}")), shown.to_owned())
                }));
            }
            for (line, shown) in lines {
                let line: Vec<&str> = line.iter().map(String::as_str).collect();
                // `--dataset` is told as the setting that it stands for.
                try_line(&line, &[flag.as_str(), long, shown.as_str(), "data.set = "]);
            }
        }
    }
    try_line(
        &["analyze", "scores.csv", "--out", "out", "--unit="],
        &["--unit"],
    );
    for name in ["../x", "a/b", ".x", "-x", "\u{1F600}"] {
        let flag = format!("--name={name}");
        let line = [
            "card",
            "made",
            "--learner",
            "protonet",
            "--to",
            "out",
            &flag,
        ];
        try_line(&line, &["--name"]);
    }
    for margin in ["-1", "0", "NaN", "1e400"] {
        let margin = format!("--margin={margin}");
        try_line(&["reproduce", "snell2017", &margin], &["is not a margin"]);
    }
    // What is no command.
    for word in [
        "",
        "-",
        "--",
        "experimnet",
        "EXPERIMENT",
        "--versions",
        "\u{0007}",
    ] {
        try_line(&[word], &["Usage", word]);
    }
    assert!(n_lines >= 200, "{n_lines}");
}

/// Every command that takes a path gets places that are none of what it expects.
#[test]
fn places_that_are_something_else_are_refused_by_name() {
    let bench = Bench::new(&[]);
    std::fs::create_dir(bench.path("empty")).unwrap();
    std::fs::write(bench.path("file"), [0xff, 0x00, 0xfe]).unwrap();
    let long = "x".repeat(5000);
    for place in [
        "empty",
        "file",
        "nowhere/at/all",
        "/dev/null",
        "",
        "tiny.toml",
        &long,
    ] {
        for command in [
            &["report", place][..],
            &["status", place],
            &["probe", place],
            &["certify", place],
            &["advise", place],
            &["export", place, "--format", "csv"],
            &["evaluate", place],
            &["evaluate", "nowhere", "--import", place],
            &["analyze", place],
            &["work", place],
            &["train", "maml", "--study", place, "--out", "out"],
            &["experiment", place, "--out", "out"],
            &[
                "experiment",
                "tiny.toml",
                "--out",
                "out",
                "--dataset",
                &format!("folder:{place}"),
            ],
            &[
                "experiment",
                "tiny.toml",
                "--out",
                "out",
                "--dataset",
                &format!("arrays:{place}"),
            ],
            &[
                "experiment",
                "tiny.toml",
                "--out",
                "out",
                "--dataset",
                &format!("idx:{place}"),
            ],
            &["fetch", "omniglot", "--data-dir", "d", "--from", place],
        ] {
            // A study, and one that leaves everything out.
            let is_study = ["tiny.toml", "/dev/null", ""].contains(&place);
            let is_of_study = ["train", "experiment"].contains(&command[0]);
            if is_study && is_of_study && !command.contains(&"--dataset") {
                continue;
            }
            let shown: String = place.chars().take(40).collect();
            refused(&bench, command, &[shown.as_str(), "nowhere"]);
        }
    }
}
