//! Runs of another build with the same code: taken over if they repeat, refused if they do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::support::{Bench, assert_same, json, lasting, stderr};

#[derive(Serialize, Deserialize)]
struct Manifest {
    identity: String,
    files: BTreeMap<String, Sealed>,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    bytes: u64,
    sha256: String,
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Changes a file of a finished run, and seals the run again, as another build would have left it.
fn forge(run: &Path, name: &str, change: impl Fn(&str) -> String) {
    let was = fs::read_to_string(run.join(name)).unwrap();
    let text = change(&was);
    assert_ne!(text, was);
    fs::write(run.join(name), &text).unwrap();
    let path = run.join("manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    let mut manifest: Manifest = serde_json::from_str(&manifest).unwrap();
    let sealed = Sealed {
        bytes: text.len() as u64,
        sha256: sha256(text.as_bytes()),
    };
    manifest.files.insert(name.to_owned(), sealed);
    let sealed = serde_json::to_vec(&(&manifest.identity, &manifest.files)).unwrap();
    manifest.sha256 = sha256(&sealed);
    let text = serde_json::to_string_pretty(&manifest).unwrap();
    fs::write(path, text + "\n").unwrap();
}

fn of_another_build(run: &Path) {
    let build = json(&run.join("run.json"))["environment"]["build"].clone();
    let build = build.as_str().unwrap().to_owned();
    forge(run, "run.json", |text| text.replace(&build, "another"));
}

const RUNS: [&str; 4] = [
    "maml-glyphs-3w1s-s0",
    "maml-glyphs-3w1s-s1",
    "protonet-glyphs-3w1s-s0",
    "protonet-glyphs-3w1s-s1",
];

#[test]
fn runs_of_another_build_are_taken_over_if_their_first_steps_repeat() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "out", "--store", "shared"]);
    let run = |name: &str| bench.path("out/runs").join(name);
    for name in RUNS {
        of_another_build(&run(name));
    }
    let said = stderr(&bench.experiment(&["--out", "again", "--store", "shared"]));
    assert!(said.contains("4 of 4 runs are in the store"), "{said}");
    assert_same(&lasting(&bench.path("out")), &lasting(&bench.path("again")));

    // Weights of another build are not measured anew: nobody has made their later steps again.
    let arguments = [
        "--out",
        "other",
        "--store",
        "shared",
        "--set",
        "test.seed=3",
    ];
    let said = stderr(&bench.experiment(&arguments));
    assert!(!said.contains("its training is in the store"), "{said}");

    forge(&run(RUNS[0]), "log.jsonl", |text| {
        text.replacen("\"train_loss\":", "\"train_loss\":1", 1)
    });
    bench.refuses(
        &[
            "experiment",
            "tiny.toml",
            "--out",
            "third",
            "--store",
            "shared",
        ],
        &["2 runs in shared", "another build", RUNS[0], "--store DIR"],
    );
    let apart = ["--out", "third", "--store", "apart"];
    bench.experiment(&apart);
}
