//! Bits do not depend on threads, or on runs side by side.

use std::fs;

use crate::support::{Bench, assert_same, lasting};

#[test]
fn threads_and_jobs_do_not_change_a_bit() {
    let files = |jobs: &str, threads: &str| {
        // In folders of their own, for the report names its folder.
        let bench = Bench::new(&[]);
        bench.experiment(&["--out", "out", "--jobs", jobs, "--threads", threads]);
        let mut files = lasting(&bench.path("out"));
        let report = fs::read(bench.path("out/report.json")).unwrap();
        files.push((String::from("report.json"), report));
        files
    };
    let expected = files("1", "1");
    assert_same(&expected, &files("2", "2"));
    assert_same(&expected, &files("1", "4"));
}

/// The portable backend has bits of its own, and these are as stable.
#[test]
fn the_graph_backend_repeats_itself_too() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("outer_steps = 12", "outer_steps = 3"),
    ]);
    for (out, threads) in [("a", "1"), ("b", "2")] {
        // Started without candle's variable, the program has to set it by itself.
        let arguments = [
            "experiment",
            "tiny.toml",
            "--backend",
            "graph",
            "--out",
            out,
            "--threads",
            threads,
        ];
        let output = bench
            .command(&arguments)
            .env_remove("CANDLE_GRAD_DO_NOT_DETACH")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            crate::support::stderr(&output)
        );
    }
    assert_same(&lasting(&bench.path("a")), &lasting(&bench.path("b")));
}
