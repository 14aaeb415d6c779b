//! `--gate` as continuous integration meets it: by its exit code.

use std::fs;
use std::path::Path;

use crate::support::{Bench, stderr, stdout};

/// Learner A has 59.5 % and B 69.2 % over five seeds each.
#[test]
fn pass_fail_and_open_have_an_exit_code_each() {
    let bench = Bench::new(&[]);
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/same_seeds.csv");
    fs::copy(table, bench.path("t.csv")).unwrap();
    for (condition, code, word) in [
        ("mean > 50", 0, "pass"),
        ("B.mean > 60 and A.mean < 65", 0, "pass"),
        ("mean < 50", 1, "fail"),
        ("A.mean > 65", 1, "fail"),
        // 69.17 has both sides of the limit in its interval.
        ("B.mean > 69.1", 3, "open"),
        ("B.mean > 69.1 and A.mean > 50", 3, "open"),
        // What fails is not made better by what is open.
        ("B.mean > 69.1 and A.mean > 65", 1, "fail"),
    ] {
        let output = bench.run(&["analyze", "t.csv", "--out", "out", "--gate", condition]);
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{condition}: {said}");
        assert!(said.contains(word), "{condition}: {said}");
    }
    let output = bench.run(&["analyze", "t.csv", "--out", "out", "--gate", "sd < 1"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let output = bench.run(&["analyze", "t.csv", "--out", "out", "--gate", "C.mean > 1"]);
    assert!(!output.status.success(), "{}", stderr(&output));
    assert_ne!(output.status.code(), Some(3), "{}", stderr(&output));
}
