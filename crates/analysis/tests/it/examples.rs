//! The examples as a stranger runs them.

use std::io::Write;
use std::process::{Command, Stdio};

fn scores(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--example", "scores", "--"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Losses of two learners, 5 shared seeds; the second is worse by 0.2, 0.22, 0.18, 0.21, 0.19: mean 0.2, SD 0.0158, so Student's
/// interval of the mean is 0.2 -+ 2.776 * 0.0158 / sqrt(5) = [0.180, 0.220].
#[test]
fn a_reader_and_slices_become_a_report() {
    assert!(scores(&[], "").contains("ours"));
    let mut text = String::from("learner,seed,score\n");
    for (seed, gap) in [0.2, 0.22, 0.18, 0.21, 0.19].into_iter().enumerate() {
        let base = 0.5 + 0.01 * seed as f64;
        text += &format!("good,{seed},{base}\nbad,{seed},{}\n", base + gap);
    }
    let said = scores(&["loss"], &text);
    assert!(
        said.contains("good, with 0.520. Behind: bad by 0.200 \\[0.180, 0.220\\]."),
        "{said}"
    );
    assert!(
        said.contains("good is better than bad in mean loss"),
        "{said}"
    );
    assert!(said.contains("| learner | loss \\[seed CI\\] |"), "{said}");
    assert!(!said.contains("accurac") && !said.contains(" pp"), "{said}");
}
