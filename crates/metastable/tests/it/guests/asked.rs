//! What trained guests are asked: by one process as long as it stays as it was, and about their features if they offer any.

use std::fs;

use super::{guest, json, study, table};
use crate::support::{Bench, stderr};

/// A table of a guest whose every start leaves a line in a file.
#[cfg(unix)]
fn counted(name: &str, words: &[&str]) -> String {
    let program = guest().to_string_lossy().into_owned();
    let script = format!("echo started >> {name}.starts; exec \"$0\" \"$@\"");
    let words: Vec<String> = ["sh", "-c", &script, &program]
        .iter()
        .chain(words)
        .map(|word| format!("{word:?}"))
        .collect();
    format!(
        "\n[learners.{name}]\nalgorithm = \"process\"\ncommand = [{}]\n",
        words.join(", ")
    )
}

#[cfg(unix)]
#[test]
fn a_process_is_kept_from_question_to_question_unless_it_has_changed() {
    let bench = Bench::new(&[]);
    let learners = counted("steady", &["embedder"])
        + &counted("noisy", &["embedder", "noisy"])
        + "[probe]\nfamilies = [\"c\", \"f\", \"g\"]\ntasks = 3\nother = []\n";
    study(&bench, "tiny.toml", &learners);
    let output = bench.run(&["experiment", "tiny.toml", "--seeds", "1", "--out", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let starts = |name: &str| {
        let text = fs::read_to_string(bench.path(&format!("{name}.starts"))).unwrap();
        text.lines().count()
    };
    // Its training, its noise floor, and all of its questions.
    assert_eq!(starts("steady"), 3);
    // One whose answers drift gets a new process for each of three families and the certificate.
    assert_eq!(starts("noisy"), 6);
}

#[test]
fn a_guest_that_offers_features_is_asked_about_them() {
    let bench = Bench::new(&[]);
    let learners = table("pixels", &["embedder"], "")
        + &table("placed", &["embedder", "cheat-by-place"], "")
        + &table("closed", &["nearest-mean"], "")
        + "[learners.protonet]\n[probe]\nfamilies = [\"f\", \"f-pairs\"]\ntasks = 4\nother = []\n";
    study(&bench, "tiny.toml", &learners);
    let output = bench.run(&["experiment", "tiny.toml", "--seeds", "2", "--out", "out"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "not asked about geometry, since a guest shows neither gradients nor parameters, and this one offers no features: closed-glyphs-3w1s-s0, closed-glyphs-3w1s-s1",
        "asked about geometry only as far as its features show it",
    ] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let report = json(&bench.path("out/report.json")).to_string();
    for words in [
        // 14 x 14 pixels.
        "The features of pixels have effective rank",
        " of 196 and a within-to-between ratio",
        "The features of protonet have effective rank",
        // Seeds share the test images, and pixels are not learnt.
        "Two trainings of pixels have CKA 1.00 in the last features (features; mean over 1 pairs).",
        "Two trainings of protonet have CKA",
    ] {
        assert!(report.contains(words), "{words:?} is not in the report");
    }
    assert!(!report.contains("The features of closed"));
    // Features by the place of an image in the message would be apart by class if images were sent class by class: no query would be
    // nearer to another class. The order by pixels tells what the pixels tell, which is more than nothing.
    let misplaced = report.split("The features of placed").nth(1).unwrap();
    let (_, misplaced) = misplaced.split_once("; ").unwrap();
    let (percent, _) = misplaced.split_once(" %").unwrap();
    assert!(percent.parse::<f64>().unwrap() > 0.0, "{percent}");
}
