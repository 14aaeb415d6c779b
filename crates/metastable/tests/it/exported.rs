//! What `export` wrote, read back by `analyze`.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, stderr};

/// What a study varied is what it was when its export is read, without a flag: factors, and streams named like columns of ours.
#[test]
fn the_export_of_a_design_is_read_as_the_design() {
    let varied = "[factors]\nlearner.meta_batch = [1, 2]\n\n[learners.protonet]";
    let streams = "[streams]\nplan = \"crossed\"\ninit = 2\ntask = 2\n\n[learners.protonet]";
    for (more, seeds, expected) in [
        (
            varied,
            "seeds = 2",
            ["`learner.meta_batch` factor", "`seed` stream"],
        ),
        (
            streams,
            "seeds = 1",
            ["`init` stream", "`task (stream)` stream"],
        ),
    ] {
        let bench = Bench::new(&[
            ("seeds = 2", seeds),
            ("[learners.maml]\ninner_steps = 2\n", ""),
            ("[learners.protonet]", more),
        ]);
        bench.experiment(&["--out", "study"]);
        let output = bench.run(&["export", "study", "--format", "csv", "--out", "csv"]);
        assert!(output.status.success(), "{}", stderr(&output));
        for table in ["tasks", "hits", "runs"] {
            let file = format!("csv/{table}.csv");
            let output = bench.run(&["analyze", &file, "--out", table]);
            let said = stderr(&output);
            assert!(output.status.success(), "{file}: {said}");
            for what in expected {
                assert!(said.contains(what), "{file}: {what}: {said}");
            }
        }
    }
}

/// What `export` writes comes back as it went out: learners, settings, seeds, failures, tasks and means.
#[test]
fn an_export_is_read_as_the_study_that_it_was() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "study"]);
    let own = fs::read(bench.path("study/report.json")).unwrap();
    let own: Value = serde_json::from_slice(&own).unwrap();
    let means = |json: &Value| -> Vec<(String, String, Vec<u64>, f64)> {
        let mut found = Vec::new();
        for setting in json["settings"].as_array().unwrap() {
            for learner in setting["learners"].as_array().unwrap() {
                let seeds = learner["tested_seeds"].as_array().unwrap();
                found.push((
                    setting["setting"].as_str().unwrap().to_owned(),
                    learner["learner"].as_str().unwrap().to_owned(),
                    seeds.iter().map(|seed| seed.as_u64().unwrap()).collect(),
                    (1e9 * learner["all"]["spread"]["mean"]["value"].as_f64().unwrap()).round(),
                ));
            }
        }
        found
    };
    for format in ["csv", "jsonl", "parquet"] {
        let output = bench.run(&["export", "study", "--format", format, "--out", format]);
        assert!(output.status.success(), "{}", stderr(&output));
        for table in ["tasks", "hits", "runs"] {
            let file = format!("{format}/{table}.{format}");
            let out = format!("back-{format}-{table}");
            let output = bench.run(&["analyze", &file, "--out", &out]);
            assert!(output.status.success(), "{file}: {}", stderr(&output));
            let back = fs::read(bench.path(&format!("{out}/report.json"))).unwrap();
            let back: Value = serde_json::from_slice(&back).unwrap();
            assert_eq!(means(&back), means(&own), "{file}");
        }
    }
    fs::remove_file(bench.path("csv/runs.csv")).unwrap();
    bench.refuses(
        &["analyze", "csv/hits.csv", "--out", "alone"],
        &["table `hits` of an export", "runs.csv", "is not beside it"],
    );
}
