//! Several domains in one study: the report against the exports, a domain held out, and what cannot be asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Bench, stderr};

const MIX: (&str, &str) = (
    "set = \"glyphs\"",
    "mix = [\"glyphs\", \"folder:own\"]\nsplit = \"random:0.4,0.3,0.3\"",
);

#[test]
fn accuracy_by_domain_is_that_of_the_tasks_of_each() {
    let bench = Bench::new(&[MIX, ("episodes = 8", "episodes = 40")]);
    bench.images("own");
    bench.experiment(&["--out", "study"]);
    let output = bench.run(&["export", "study", "--format", "csv", "--out", "csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    // Means over tasks of each run and domain, from the table of tasks.
    let text = fs::read_to_string(bench.path("csv/tasks.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let at = |name: &str| header.iter().position(|it| *it == name).unwrap();
    let mut sums: BTreeMap<(String, String), (f64, usize)> = BTreeMap::new();
    for row in lines {
        let key = (row[at("run")].to_owned(), row[at("domain")].to_owned());
        let sum = sums.entry(key).or_default();
        sum.0 += row[at("accuracy")].parse::<f64>().unwrap();
        sum.1 += 1;
    }
    assert_eq!(
        sums.len(),
        2 * 2 * 2,
        "runs of two learners and seeds by two domains"
    );
    let report: Value =
        serde_json::from_slice(&fs::read(bench.path("study/report.json")).unwrap()).unwrap();
    let setting = &report["settings"][0];
    assert_eq!(setting["setting"], "glyphs+own 3-way 1-shot");
    for learner in setting["learners"].as_array().unwrap() {
        let name = learner["learner"].as_str().unwrap();
        let found = &learner["all"]["domains"];
        let mut worst_of_runs: BTreeMap<&str, f64> = BTreeMap::new();
        for domain in found["domains"].as_array().unwrap() {
            let own = sums.iter().filter(|((run, of), _)| {
                run.starts_with(&format!("{name}-")) && *of == domain["name"]
            });
            let means: Vec<(&str, f64)> = own
                .map(|((run, _), (sum, n))| (run.as_str(), sum / *n as f64))
                .collect();
            assert_eq!(means.len(), 2);
            let mean = (means[0].1 + means[1].1) / 2.0;
            assert!((domain["mean"]["value"].as_f64().unwrap() - mean).abs() < 1e-12);
            for (run, mean) in means {
                let worst = worst_of_runs.entry(run).or_insert(f64::INFINITY);
                *worst = worst.min(mean);
            }
        }
        let worst = worst_of_runs.values().sum::<f64>() / 2.0;
        let said = found["worst"]["of_each_run"]["value"].as_f64().unwrap();
        assert!((said - worst).abs() < 1e-12);
        let conflict = &learner["all"]["alignment"]["domains"];
        let shares: Vec<[f64; 2]> = (0..2)
            .map(|seed| {
                conflicts(&bench.path(&format!("study/runs/{name}-glyphs+own-3w1s-s{seed}")))
            })
            .collect();
        for (kind, key) in ["within", "between"].into_iter().enumerate() {
            let mean = (shares[0][kind] + shares[1][kind]) / 2.0;
            let said = conflict[key]["value"].as_f64().unwrap();
            assert!((said - mean).abs() < 1e-12, "{name} {key}: {said} {mean}");
        }
    }
    let page = fs::read_to_string(bench.path("study/report.html")).unwrap();
    assert!(page.contains("worst of each run"));
}

/// Shares of negative cosines in the log of a run, of pairs of tasks of one domain and of two.
fn conflicts(run: &Path) -> [f64; 2] {
    let (mut n, mut n_negative) = ([0.0; 2], [0.0; 2]);
    for line in fs::read_to_string(run.join("log.jsonl")).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(domains) = line["domains"].as_array() else {
            continue;
        };
        let mut cosines = line["observation"]["cosines"].as_array().unwrap().iter();
        for (at, one) in domains.iter().enumerate() {
            for other in &domains[at + 1..] {
                let kind = usize::from(one != other);
                n[kind] += 1.0;
                if cosines.next().unwrap().as_f64().unwrap() < 0.0 {
                    n_negative[kind] += 1.0;
                }
            }
        }
        assert!(cosines.next().is_none());
    }
    [n_negative[0] / n[0], n_negative[1] / n[1]]
}

#[test]
fn a_domain_that_is_held_out_is_tested_all_the_same() {
    let bench = Bench::new(&[
        MIX,
        ("seeds = 2", "seeds = 1"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
        (
            "[learners.protonet]",
            "[learners.protonet]\n[settings.all]\nheld_out = \"\"\n[settings.new]\nheld_out = \"own\"\n",
        ),
    ]);
    bench.images("own");
    bench.experiment(&["--out", "study"]);
    let record = |run: &str| -> Value {
        let path = format!("study/runs/{run}/run.json");
        serde_json::from_slice(&fs::read(bench.path(&path)).unwrap()).unwrap()
    };
    let all = record("protonet-glyphs+own-3w1s-s0");
    let new = record("protonet-glyphs+own-without-own-3w1s-s0");
    assert_eq!(all["classes"]["test"], new["classes"]["test"]);
    assert_eq!(all["test_list_digest"], new["test_list_digest"]);
    let of_own = |record: &Value, part: &str| {
        let classes = record["classes"][part].as_array().unwrap();
        let names = classes.iter().filter_map(Value::as_str);
        names.filter(|name| name.starts_with("own/")).count()
    };
    assert!(of_own(&all, "train") > 0 && of_own(&all, "test") > 0);
    assert_eq!((of_own(&new, "train"), of_own(&new, "validation")), (0, 0));
}

#[test]
fn what_is_no_mix_is_named() {
    let bench = Bench::new(&[]);
    for (sets, expected) in [
        (
            &["data.held_out=glyphs"][..],
            &["data.held_out", "data.mix"][..],
        ),
        (&["data.mix=[\"glyphs\"]"], &["two domains or more"]),
        (
            &["data.mix=[\"glyphs\", \"glyphs\"]"],
            &["two domains are called glyphs"],
        ),
        (&["data.mix=[\"glyphs\", \"folder:nowhere\"]"], &["nowhere"]),
    ] {
        let mut arguments = vec!["experiment", "tiny.toml", "--out", "study"];
        for set in sets {
            arguments.extend(["--set", set]);
        }
        let output = bench.run(&arguments);
        let said = stderr(&output);
        assert!(!output.status.success(), "{said}");
        for part in expected {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
