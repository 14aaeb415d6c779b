//! Bits do not depend on threads, on runs side by side, or on how often a run was killed.

use std::time::Duration;

use crate::support::{Bench, assert_same, lasting};

#[test]
fn threads_and_jobs_do_not_change_a_bit() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "a", "--jobs", "1", "--threads", "1"]);
    bench.experiment(&["--out", "b", "--jobs", "2", "--threads", "2"]);
    bench.experiment(&["--out", "c", "--jobs", "1", "--threads", "4"]);
    let expected = lasting(&bench.path("a"));
    assert_same(&expected, &lasting(&bench.path("b")));
    assert_same(&expected, &lasting(&bench.path("c")));
}

/// Kills at moments spread over the run (fixed, but landing anywhere), until the work is done.
#[test]
fn a_killed_study_goes_on_to_the_same_bits() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 40")]);
    bench.experiment(&["--out", "whole"]);
    for millis in [30, 70, 110, 160, 230, 310, 400] {
        let mut child = bench.start(&["--out", "killed"]);
        std::thread::sleep(Duration::from_millis(millis));
        // SIGKILL: nothing in the program can react to it.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    bench.experiment(&["--out", "killed"]);
    assert_same(
        &lasting(&bench.path("whole")),
        &lasting(&bench.path("killed")),
    );
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
