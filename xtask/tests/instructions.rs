//! A guard against slower code that no clock can disturb: instructions of one training step, counted by valgrind.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::process::Command;

/// Instructions of one outer step of MAML on one small task (conv-4, 64 filters, 5-way 1-shot, one query a class, one inner
/// step).
///
/// What is guarded: valgrind imitates a processor with AVX2 and fused multiply-add but without AVX-512, so these are the
/// AVX2 kernels (87 % of the count is in `pulp::x86::v3::V3::vectorize`), not the scalar ones, and not those that a
/// processor with AVX-512 runs. They are counted as the profile of the tests compiles them; a release build of the same
/// kernels takes 1.29e8, so the guard sees what a change of the code costs, not how well a release is optimised.
///
/// Measured with rustc 1.95 and valgrind 3.19.0 on x86-64. A change that makes it fewer: put the new figure here.
const EXPECTED: f64 = 9.285e8;
/// Compilers and the C library differ by a few percent.
const BAND: f64 = 0.1;

#[test]
fn a_step_takes_the_instructions_it_took() {
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: the figure is one of x86-64");
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return;
    }
    // What comes before the first step is in both counts.
    let one_step = instructions(2) - instructions(1);
    let ratio = one_step / EXPECTED;
    assert!(
        (ratio - 1.0).abs() < BAND,
        "a step took {one_step:.0} instructions, {ratio:.3} of the committed figure"
    );
}

/// Of a process that takes so many steps.
fn instructions(steps: usize) -> f64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "bench",
            "--alone",
            "maml-1task",
            "--steps",
            &steps.to_string(),
        ])
        .env("CANDLE_GRAD_DO_NOT_DETACH", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .unwrap_or_else(|| panic!("valgrind told no count: {said}"));
    collected.1.trim().parse().unwrap()
}
