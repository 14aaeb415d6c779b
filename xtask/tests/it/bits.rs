//! Bits do not depend on threads, on runs side by side, or on how often a run was killed.

use std::fs;
use std::time::{Duration, Instant};

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

/// Kills at moments spread over the run: a fixed time after the start, or after the first state of a run came.
#[test]
fn a_killed_study_goes_on_to_the_same_bits() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 40")]);
    bench.experiment(&["--out", "whole"]);
    let has_state = || {
        let runs = fs::read_dir(bench.path("killed/runs"));
        let mut runs = runs.into_iter().flatten().flatten();
        runs.any(|run| run.path().join("state.safetensors").exists())
    };
    let mut n_hits = 0;
    for (awaits_state, millis) in [
        (false, 30),
        (false, 110),
        (true, 0),
        (true, 3),
        (true, 10),
        (true, 40),
        (true, 90),
    ] {
        let mut child = bench.start(&["--out", "killed"]);
        let begun = Instant::now();
        while awaits_state && !has_state() && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(120), "no state came");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(millis));
        // SIGKILL: nothing in the program can react to it.
        child.kill().unwrap();
        let was_cut = !child.wait().unwrap().success();
        n_hits += usize::from(was_cut && has_state());
    }
    // A state is removed when its run ends, so what is there belongs to a run that was cut.
    assert!(n_hits > 0, "no kill hit a run that had a state");
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
