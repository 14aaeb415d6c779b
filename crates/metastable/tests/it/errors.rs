//! What the program answers to mistakes: where, what, and what instead.

use crate::support::{Bench, stderr};

fn check_set(assignment: &str, expected: &[&str]) {
    let arguments = [
        "experiment",
        "tiny.toml",
        "--out",
        "out",
        "--set",
        assignment,
    ];
    let bench = Bench::new(&[]);
    bench.refuses(&arguments, expected);
    assert!(!bench.path("out").exists(), "{assignment} left a folder");
}

#[test]
fn unknown_keys_are_answered_with_place_and_nearest_name() {
    let bench = Bench::new(&[("inner_steps = 2", "iner_steps = 2")]);
    let arguments = ["experiment", "tiny.toml"];
    bench.refuses(
        &arguments,
        &["tiny.toml:44", "iner_steps", "did you mean \"inner_steps\""],
    );
    let bench = Bench::new(&[("[network]", "[netwrok]")]);
    bench.refuses(&arguments, &["tiny.toml:30", "did you mean \"network\""]);
    check_set(
        "learner.iner_lr=0.1",
        &["--set learner.iner_lr=0.1", "did you mean \"inner_lr\""],
    );
    check_set(
        "learners.protonet.inner_lr=0.1",
        &["[learners.protonet]", "inner_lr"],
    );
    check_set(
        "learners.reptil.outer_steps=1",
        &["no algorithm \"reptil\""],
    );
    check_set("test.wya=3", &["did you mean \"way\""]);
}

#[test]
fn values_are_checked_before_anything_starts() {
    check_set("test.way=0", &["test.way = 0", "2 to 256"]);
    check_set("test.way=x", &["test.way = \"x\"", "invalid type"]);
    check_set("learner.outer_lr=nan", &["outer_lr = NaN", "finite"]);
    check_set("learner.outer_lr=-1", &["outer_lr = -1"]);
    check_set("learner.inner_lr=inf", &["inner_lr"]);
    check_set("learner.outer_steps=0", &["outer_steps = 0"]);
    check_set("seeds=0", &["seeds = 0"]);
    check_set("name=\"../up\"", &["name", "folder"]);
    check_set("data.set=omniglott", &["did you mean \"omniglot\""]);
    check_set("network.name=conv5", &["did you mean \"conv4\""]);
    check_set("network.norm=batches", &["norm"]);
    check_set("learner.optimizer=adma", &["did you mean \"adam\""]);
    check_set("learner", &["key=value"]);
    check_set("test=3", &["has to be a table"]);
    check_set("glyphs.side=28", &["data.size"]);
    // What only the data can tell: more classes than the split has, more images than a class has.
    check_set("test.way=200", &["--set test.way=200", "for way"]);
    check_set("test.query=6", &["--set test.query=6", "shot 1 + query 6"]);
    check_set(
        "learners.protonet.shot=6",
        &["--set learners.protonet.shot=6"],
    );
    // A head is bound to its classes.
    check_set("test.way=4", &["--set test.way=4", "maml", "3 classes"]);
}

#[test]
fn flags_are_checked_too() {
    let bench = Bench::new(&[]);
    bench.refuses(
        &["experiment", "tinny"],
        &["neither a file nor a built-in study"],
    );
    bench.refuses(&["experiment", "quik"], &["did you mean \"quick\""]);
    bench.refuses(&["experiment", "tiny.toml", "--jobs", "0"], &["--jobs 0"]);
    bench.refuses(
        &["experiment", "tiny.toml", "--seeds", "0"],
        &["--seeds 0", "1 to 10,000"],
    );
    bench.refuses(&["fetch", "omniglott"], &["omniglot"]);
    bench.refuses(
        &["experiment", "tiny.toml", "--device", "gpu"],
        &["write cpu"],
    );
    bench.refuses(
        &["train", "leap", "--study", "tiny.toml"],
        &["maml, protonet"],
    );
    bench.refuses(&["report", "nowhere"], &["nowhere"]);
    bench.refuses(&["experiment", "--sets", "a=1"], &["--set"]);
    #[cfg(not(feature = "cuda"))]
    bench.refuses(
        &["experiment", "tiny.toml", "--device", "cuda:0"],
        &["--features cuda"],
    );
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_the_program_without_a_panic() {
    use std::os::unix::process::ExitStatusExt;
    const SIGPIPE: i32 = 13;
    let bench = Bench::new(&[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bench.command(&["list"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.signal(), Some(SIGPIPE));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}
