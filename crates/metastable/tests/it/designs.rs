//! Studies of factors, streams and settings: from their declaration to the report.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, assert_same, json, lasting, stderr, stdout};

const MAML_ALONE: &[(&str, &str)] = &[
    ("outer_steps = 12", "outer_steps = 4"),
    ("[learners.protonet]\n", ""),
];

/// The tiny study with MAML alone, with more text at its end.
fn bench(more: &str) -> Bench {
    let bench = Bench::new(MAML_ALONE);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    fs::write(bench.path("tiny.toml"), text + more).unwrap();
    bench
}

fn labels(bench: &Bench) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(bench.path("out/runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn factors_give_ordered_lists_and_an_edit_runs_what_is_new() {
    let bench = bench(
        "[factors]\nlearner.inner_lr = { low = 0.01, high = 1.0, scale = \"log\", levels = 4 }\n\
         network.norm = [\"batch\", \"none\"]\n",
    );
    bench.experiment(&["--out", "out"]);
    assert_eq!(labels(&bench).len(), 16);
    assert_eq!(labels(&bench)[0], "maml-glyphs-3w1s-p00-s0");
    let record = json(&bench.path("out/runs/maml-glyphs-3w1s-p07-s1/run.json"));
    assert_eq!(record["config"]["learner"]["inner_lr"], 1.0);
    // Each point has seeds of its own, and all streams of a seed move together.
    let seed = |label: &str| {
        let record = json(&bench.path(&format!("out/runs/maml-glyphs-3w1s-{label}/run.json")));
        record["config"]["seeds"]["init"].as_u64().unwrap()
    };
    let all = ["p00-s0", "p00-s1", "p01-s0", "p01-s1", "p07-s0"].map(seed);
    let different: std::collections::BTreeSet<u64> = all.into_iter().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
    assert_eq!(all[0] + 1, all[1]);
    let report = json(&bench.path("out/report.json"));
    let text = report.to_string();
    assert!(text.contains("key_factors"), "{text}");
    assert!(text.contains("\"shared_seeds\":false"), "{text}");
    assert!(text.contains("learner.inner_lr") && text.contains("network.norm"));
    assert_eq!(report["settings"], Value::Array(Vec::new()));

    // The written study is the same study.
    let before = lasting(&bench.path("out"));
    let output = bench.run(&[
        "experiment",
        "out/study.toml",
        "--out",
        "again",
        "--store",
        "out.store",
    ]);
    let said = stderr(&output);
    assert!(said.contains("16 of 16 runs are in the store"), "{said}");
    assert_same(&before, &lasting(&bench.path("again")));

    // One more level of one factor: its own runs are new, and no others.
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let text = text.replace(
        "[\"batch\", \"none\"]",
        "[\"batch\", \"none\", \"running\"]",
    );
    fs::write(bench.path("tiny.toml"), text).unwrap();
    let said = stderr(&bench.experiment(&["--out", "out"]));
    assert!(said.contains("16 of 24 runs are in the store"), "{said}");
    assert_eq!(said.matches(": trained; testing").count(), 8, "{said}");
}

/// Common random numbers, for contrasts of means: asked for, and known to the analysis.
#[test]
fn points_share_seeds_where_the_design_says_so() {
    let bench = bench("[factors]\nlearner.inner_lr = [0.01, 0.1]\n[design]\nseeds = \"shared\"\n");
    bench.experiment(&["--out", "out"]);
    let record = |label: &str| {
        json(&bench.path(&format!("out/runs/maml-glyphs-3w1s-{label}/run.json")))["config"]["seeds"]
            .clone()
    };
    assert_eq!(record("p00-s1"), record("p01-s1"));
    let text = json(&bench.path("out/report.json")).to_string();
    assert!(text.contains("\"shared_seeds\":true"), "{text}");
}

#[test]
fn streams_vary_alone_and_the_report_names_them() {
    let bench = bench("[streams]\nplan = \"crossed\"\nsplit = 2\ninit = 2\ntask = 2\n");
    bench.experiment(&["--out", "out", "--set", "seeds=1"]);
    assert_eq!(labels(&bench).len(), 8);
    let record = |label: &str| json(&bench.path(&format!("out/runs/{label}/run.json")));
    let first = record("maml-glyphs-3w1s-split0-init0-task0");
    let other = record("maml-glyphs-3w1s-split1-init0-task0");
    assert_ne!(first["classes"], other["classes"]);
    assert_eq!(
        first["config"]["seeds"]["init"],
        other["config"]["seeds"]["init"]
    );
    let third = record("maml-glyphs-3w1s-split0-init1-task0");
    assert_eq!(first["classes"], third["classes"]);
    let differing: Vec<&String> = first["config"]["seeds"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(stream, seed)| **seed != third["config"]["seeds"][stream.as_str()])
        .map(|(stream, _)| stream)
        .collect();
    assert_eq!(differing, ["init"]);
    let text = json(&bench.path("out/report.json")).to_string();
    assert!(text.contains("\"sources\""), "{text}");
    bench.refuses(
        &["experiment", "tiny.toml", "--out", "no"],
        &["seeds = 2", "[streams]"],
    );
}

#[test]
fn settings_are_chapters_of_one_report() {
    let bench = Bench::new(&[("[learners.maml]\ninner_steps = 2\n", "")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let settings = "[settings.small]\nway = 2\n[settings.large]\nway = 3\nshot = 2\n";
    fs::write(bench.path("tiny.toml"), text + settings).unwrap();
    bench.experiment(&["--out", "out"]);
    let report = json(&bench.path("out/report.json"));
    let names: Vec<&str> = report["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| setting["setting"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["glyphs 2-way 1-shot", "glyphs 3-way 2-shot"]);
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_starts() {
    let refuses = |more: &str, flags: &[&str], expected: &[&str]| {
        let bench = bench(more);
        let mut arguments = vec!["experiment", "tiny.toml", "--out", "out"];
        arguments.extend(flags);
        bench.refuses(&arguments, expected);
        assert!(!bench.path("out").exists());
    };
    let grid = "[factors]\nlearner.inner_lr = { low = 0.1, high = 1.0, levels = 100 }\n";
    refuses(
        grid,
        &["--max-runs", "150"],
        &["tiny.toml:", "200 runs", "--max-runs 200"],
    );
    // More classes than the split has, at one setting of two.
    refuses(
        "[settings.a]\nway = 2\n[settings.b]\nway = 200\n",
        &[],
        &["tiny.toml:49", "classes"],
    );
    // A factor that changes nothing.
    refuses(
        "[factors]\nlearner.step_every = [5, 6]\n",
        &[],
        &["tiny.toml:47", "the same run", "p00", "p01"],
    );
}

#[test]
fn a_plan_says_what_it_takes_and_runs_nothing() {
    let bench = Bench::new(&[]);
    let arguments = ["experiment", "tiny.toml", "--out", "out", "--plan"];
    let said = stdout(&bench.run(&arguments));
    assert!(said.contains("4 runs: 0 in the store, 4 to do"), "{said}");
    assert!(said.contains("maml-glyphs-3w1s-s0") && said.contains("disk: about"));
    assert!(!bench.path("out").exists() && !bench.path("out.store").exists());
    bench.experiment(&["--out", "out"]);
    let said = stdout(&bench.run(&[&arguments[..], &["--seeds", "3"]].concat()));
    assert!(said.contains("6 runs: 4 in the store, 2 to do"), "{said}");
    // What it says of the disk is what two more runs take, within a fifth.
    let about: f64 = said
        .split_once("disk: about ")
        .and_then(|(_, rest)| rest.split_once(" kB")?.0.parse().ok())
        .unwrap();
    let took: u64 = fs::read_dir(bench.path("out/runs"))
        .unwrap()
        .filter(|run| {
            run.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with("s0")
        })
        .flat_map(|run| fs::read_dir(run.unwrap().path()).unwrap())
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let ratio = about * 1e3 / took as f64;
    assert!((0.8..1.25).contains(&ratio), "{about} kB, {took} bytes");
}
