//! What trained learners are asked: declared in a study, asked once, told in the report.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Bench, json, stderr, stdout};

const TABLE: &str = "[probe]\nfamilies = [\"c\", \"f-pairs\", \"g\"]\ntasks = 2\n";

/// The tiny study with one seed more or less, and more text at its end.
fn bench(more: &str) -> Bench {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 4")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    fs::write(bench.path("tiny.toml"), text + more).unwrap();
    bench
}

/// Every file of answers, by its path below the folder.
fn answers(out: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for run in fs::read_dir(out.join("probes")).unwrap() {
        let run = run.unwrap();
        for file in fs::read_dir(run.path()).unwrap() {
            let file = file.unwrap();
            let name = [run.file_name(), file.file_name()].map(|it| it.into_string().unwrap());
            found.insert(name.join("/"), fs::read_to_string(file.path()).unwrap());
        }
    }
    found
}

#[test]
fn a_study_asks_what_it_declares_and_reports_the_answers() {
    let bench = bench(TABLE);
    bench.experiment(&["--out", "out"]);
    let first = answers(&bench.path("out"));
    // Four runs, three families and certificates; nothing is left of the claims.
    assert_eq!(first.len(), 16, "{:?}", first.keys());
    let report = json(&bench.path("out/report.json"));
    let learners = &report["settings"][0]["learners"];
    for metric in ["label_order", "corruption"] {
        assert!(learners[0]["all"][metric].is_object(), "{metric}");
    }
    assert!(report["settings"][0]["all"]["kinship"].is_object());
    let written = fs::read_to_string(bench.path("out/study.toml")).unwrap();
    assert!(written.contains("[probe]") && written.contains("\"f-pairs\""));

    // Answers are kept; the report alone says the same.
    let said = stderr(&bench.experiment(&["--out", "out"]));
    assert!(
        said.contains("16 of 16 questions have their answers"),
        "{said}"
    );
    assert!(!said.contains(" answered in "), "{said}");
    let before = fs::read(bench.path("out/report.json")).unwrap();
    assert!(bench.run(&["report", "out"]).status.success());
    assert_eq!(before, fs::read(bench.path("out/report.json")).unwrap());

    // What rests on a study says nothing of weights alone.
    let weights = "out/runs/protonet-glyphs-3w1s-s0/best.safetensors";
    bench.refuses(
        &["probe", weights, "--families", "certificate"],
        &["best.safetensors", "certificate", "folder of their study"],
    );

    // What was lost or cut is asked again, to the same bits; what rests on it is not.
    let lost = bench.path("out/probes/maml-glyphs-3w1s-s0/sensitivity.json");
    let cut = bench.path("out/probes/protonet-glyphs-3w1s-s1/shift.json");
    fs::remove_file(&lost).unwrap();
    let whole = fs::read_to_string(&cut).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let said = stderr(&bench.experiment(&["--out", "out"]));
    assert_eq!(said.matches(" answered in ").count(), 2, "{said}");
    assert_eq!(first, answers(&bench.path("out")));
}

/// What the answers rest on besides the weights: other data, other runs of the study, the number of tasks.
#[test]
fn answers_that_rest_on_something_else_are_asked_for_again() {
    let bench = bench(TABLE);
    bench.images("mine");
    bench.experiment(&["--out", "out", "--seeds", "1"]);
    let asked = |arguments: &[&str]| -> usize {
        let said = stderr(&bench.experiment(&[&["--out", "out"], arguments].concat()));
        said.matches(" answered in ").count()
    };
    assert_eq!(asked(&["--seeds", "1"]), 0);
    let other = ["--seeds", "1", "--set", "probe.other=[\"folder:mine\"]"];
    assert_eq!(asked(&other), 2, "family g of two runs");
    let report = fs::read_to_string(bench.path("out/report.json")).unwrap();
    assert!(report.contains("folder:mine"));
    assert_eq!(asked(&other), 0);
    // Two new runs with three families and a certificate each; the first run of a learner has got kin, and so has that of the other.
    let more = ["--seeds", "2", "--set", "probe.other=[\"folder:mine\"]"];
    assert_eq!(asked(&more), 8 + 2);
    let tasks = [&more[..], &["--set", "probe.tasks=3"]].concat();
    assert_eq!(asked(&tasks), 12);
    // The command alone asks what the study says.
    let said = stderr(&bench.run(&["probe", "out"]));
    assert!(
        said.contains("12 of 12 questions have their answers"),
        "{said}"
    );
}

#[test]
fn processes_share_the_questions() {
    let bench = bench(TABLE);
    bench.experiment(&["--out", "alone"]);
    let children: Vec<_> = (0..3).map(|_| bench.start(&["--out", "out"])).collect();
    let mut n_asked = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert!(output.status.success(), "{said}");
        n_asked += said.matches(" answered in ").count();
    }
    assert_eq!(n_asked, 16);
    let [alone, shared] = ["alone", "out"].map(|out| {
        let mut answers = answers(&bench.path(out));
        for answer in answers.values_mut() {
            *answer = without_files(answer);
        }
        answers
    });
    assert_eq!(alone, shared);
}

/// Without the digest of the files that a certificate rests on: the record of a run says how long it took.
fn without_files(answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let is_certificate = answer["family"] == "certificate";
    answer.as_object_mut().unwrap().remove("sha256");
    let files = answer["with"].as_object_mut().unwrap().remove("files");
    assert_eq!(files.is_some(), is_certificate);
    answer.to_string()
}

#[test]
fn questions_are_checked_before_anything_starts() {
    let refuses = |set: &str, expected: &[&str]| {
        let bench = bench(TABLE);
        bench.images("mine");
        let arguments = ["experiment", "tiny.toml", "--out", "out", "--set", set];
        bench.refuses(&arguments, &[&["--set probe."], expected].concat());
        assert!(!bench.path("out").exists(), "{set} left a folder");
    };
    refuses(
        "probe.families=[\"f-pair\"]",
        &["no family \"f-pair\"", "did you mean \"f-pairs\""],
    );
    refuses("probe.families=c", &["sequence"]);
    refuses("probe.tasks=1", &["2 to 100,000"]);
    refuses("probe.task=3", &["did you mean \"tasks\""]);
    refuses(
        "probe.other=[\"omniglott\"]",
        &["\"omniglott\"", "did you mean \"omniglot\""],
    );
    refuses("probe.other=[\"folder:nowhere\"]", &["nowhere"]);
    // More classes than the other data have: only they can tell.
    let bench = Bench::new(&[
        ("n_characters = 4", "n_characters = 14"),
        (
            "way = 3\nshot = 1\nquery = 2\n\n[validation]",
            "way = 13\nshot = 1\nquery = 2\n\n[validation]",
        ),
        ("[test]\nway = 3", "[test]\nway = 13"),
    ]);
    bench.images("mine");
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let table = "[probe]\nother = [\"folder:mine\"]\n";
    fs::write(bench.path("tiny.toml"), text + table).unwrap();
    let arguments = ["experiment", "tiny.toml", "--out", "out"];
    bench.refuses(&arguments, &["tiny.toml:48", "folder:mine", "13"]);
}

#[test]
fn a_plan_says_that_learners_will_be_asked() {
    let bench = bench(TABLE);
    let arguments = ["experiment", "tiny.toml", "--out", "out", "--plan"];
    let said = stdout(&bench.run(&arguments));
    let expected = "each of the 4 trained learners is asked about c, f-pairs, g on 2 tasks";
    assert!(said.contains(expected), "{said}");
}
