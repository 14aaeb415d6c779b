//! A study of policies from its file to its report: returns, and nothing about right answers.

use std::fs;
use std::time::{Duration, Instant};

use safetensors::SafeTensors;

use crate::support::{Bench, assert_same, json, lasting, state_in, stderr};

const NAVIGATION: &str = r#"
name = "navigation"
seeds = 3

[data]
set = "navigation"

[episode]
query = 4

[validation]
episodes = 2
times = 2

[test]
query = 5
episodes = 6
curves = 4
weights = "last"

[network]
name = "mlp"
width = 6
blocks = 2
norm = "none"
init = "xavier"

[run]
log_every = 1
save_seconds = 0

[learner]
meta_batch = 3
outer_steps = 4
test_inner_lr = 0.5
test_inner_steps = 2

[learners.maml-rl]

[learners.random]
algorithm = "maml-rl"
max_divergence = 0.0
outer_steps = 1
"#;

fn bench(text: &str) -> Bench {
    let bench = Bench::new(&[]);
    fs::write(bench.path("tiny.toml"), text).unwrap();
    bench
}

#[test]
fn a_report_of_returns_says_nothing_of_right_answers() {
    let bench = bench(NAVIGATION);
    bench.experiment(&["--out", "out", "--threads", "2"]);
    let run = bench.path("out/runs/maml-rl-navigation-5r-s0");
    let record = json(&run.join("run.json"));
    let tested = &record["result"]["test"];
    for file in ["run.json", "log.jsonl"] {
        let text = fs::read_to_string(run.join(file)).unwrap();
        assert!(!text.contains("accuracy"), "{file}");
    }

    // The file of the test: means are those of the returns in it, and the best return is that of the goals in it.
    let bytes = fs::read(run.join("test.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(
        header.metadata().as_ref().unwrap()["direction"],
        "higher is better"
    );
    let doubles = |name: &str| -> Vec<f64> {
        let data = file.tensor(name).unwrap().data().chunks_exact(8);
        data.map(|it| f64::from_le_bytes(it.try_into().unwrap()))
            .collect()
    };
    assert_eq!(file.tensor("returns").unwrap().shape(), [6, 3, 5]);
    let returns = doubles("returns");
    let after = tested["returns_after"].as_array().unwrap();
    assert_eq!(after.len(), 3);
    for (step, said) in after.iter().enumerate() {
        let of_step = returns.chunks_exact(5).skip(step).step_by(3).flatten();
        let mean = of_step.sum::<f64>() / 30.0;
        assert!((said.as_f64().unwrap() - mean).abs() < 1e-9);
    }
    // A goal (x, y) is reached by moves of 0.1 along each axis, as fast as they may.
    let goals = doubles("tasks");
    for (goal, best) in goals.chunks_exact(2).zip(doubles("best_return")) {
        let gap = |axis: usize, step: i32| (goal[axis].abs() - 0.1 * f64::from(step)).max(0.0);
        let expected: f64 = (1..=100)
            .map(|step| -gap(0, step).hypot(gap(1, step)))
            .sum();
        assert!(
            (best - expected).abs() < 0.015,
            "{goal:?}: {best} {expected}"
        );
        assert!(goal.iter().all(|it| it.abs() <= 0.5));
    }
    let most = doubles("task_return")
        .into_iter()
        .zip(doubles("best_return"));
    assert!(most.clone().all(|(found, best)| found <= best + 1e-9));

    // What may not move did not: its last weights are those that it was drawn with, and the other learner's are not.
    let theta =
        |run: &str| fs::read(bench.path(&format!("out/runs/{run}/last.safetensors"))).unwrap();
    let log = fs::read_to_string(bench.path("out/runs/random-navigation-5r-s0/log.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(line["update_ratio"].as_f64(), Some(0.0));
    assert_ne!(
        theta("random-navigation-5r-s0"),
        theta("maml-rl-navigation-5r-s0")
    );

    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(report.contains("mean return"), "{report}");
    for word in [
        "accuracy",
        "accuracies",
        "right answers",
        "% of queries",
        " nats",
        "squared error",
    ] {
        let found = report.lines().find(|line| line.contains(word));
        assert!(found.is_none(), "{word}: {found:?}");
    }
    let output = bench.run(&["export", "out", "--format", "csv", "--out", "tables"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let tasks = fs::read_to_string(bench.path("tables/tasks.csv")).unwrap();
    assert_eq!(tasks.lines().count(), 1 + 6 * 6);

    // Beside the published curves, point by point: this tiny study differs, and that is said.
    let output = bench.run(&["reproduce", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = json(&bench.path("out/reproduction/returns.json"));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 6, "three points of two curves");
    for row in rows {
        assert_eq!(row["verdict"], "protocol differs");
        let differs = row["differs"].to_string();
        assert!(differs.contains("width (6, there 100)"), "{differs}");
        let (learner, step) = (row["learner"].as_str().unwrap(), &row["steps"]);
        let at = usize::try_from(step.as_u64().unwrap()).unwrap();
        let means = (0..3).map(|seed| {
            let run = format!("out/runs/{learner}-navigation-5r-s{seed}/run.json");
            json(&bench.path(&run))["result"]["test"]["returns_after"][at]
                .as_f64()
                .unwrap()
        });
        let mean = means.sum::<f64>() / 3.0;
        let said = row["comparison"]["ours"].as_f64().unwrap();
        assert!((said - mean).abs() < 1e-9, "{learner} {at}");
        let published = match (learner, at) {
            ("maml-rl", 0) => "-40.41",
            ("maml-rl", 1) => "-11.68",
            ("maml-rl", _) => "-3.33",
            (_, 0) => "-82.66",
            (_, 1) => "-57.96",
            _ => "-53.84",
        };
        assert_eq!(row["published"], published);
    }

    let checkpoint = run.join("last.safetensors");
    let output = bench.run(&["evaluate", checkpoint.to_str().unwrap()]);
    assert!(stderr(&output).contains("policy"), "{}", stderr(&output));
}

#[test]
fn any_number_of_threads_leaves_the_same_bits() {
    let bench = bench(NAVIGATION);
    let files = |out: &str| {
        let run = bench.path(out).join("runs/maml-rl-navigation-5r-s0");
        ["test.safetensors", "log.jsonl", "last.safetensors"]
            .map(|file| fs::read(run.join(file)).unwrap())
    };
    let on = |out: &str, threads: &str| {
        let store = format!("store-{out}");
        bench.experiment(&[
            "--out",
            out,
            "--threads",
            threads,
            "--set",
            "seeds=1",
            "--store",
            &store,
        ]);
        files(out)
    };
    let one = on("one", "1");
    assert!(one == on("two", "2"));
    assert!(one == on("seven", "7"));
}

/// Cut by a kill after its first state, a run goes on to the bits of one that was not.
#[test]
fn a_run_that_was_cut_goes_on_with_the_same_bits() {
    let long = NAVIGATION
        .replacen("outer_steps = 4", "outer_steps = 40", 1)
        .replacen("seeds = 3", "seeds = 1", 1);
    let bench = bench(&long);
    bench.experiment(&["--out", "whole", "--store", "whole.store"]);
    let command = [
        "experiment",
        "tiny.toml",
        "--out",
        "cut",
        "--store",
        "cut.store",
    ];
    let mut child = bench.command(&command).spawn().unwrap();
    let begun = Instant::now();
    while state_in(&bench.path("cut.store")).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no state came");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bench.path("cut/report.md").exists(), "it was not cut");
    bench.experiment(&["--out", "cut", "--store", "cut.store"]);
    assert_same(&lasting(&bench.path("whole")), &lasting(&bench.path("cut")));
}

#[test]
fn what_a_policy_has_not_is_refused_with_the_reason() {
    let refused = |was: &str, is: &str| {
        assert!(NAVIGATION.contains(was));
        let bench = bench(&NAVIGATION.replacen(was, is, 1));
        let output = bench.run(&["experiment", "tiny.toml", "--out", "out"]);
        assert!(!output.status.success(), "{is}");
        stderr(&output)
    };
    let said = refused(
        "[learners.maml-rl]",
        "[learners.maml-rl]\n[learners.protonet]",
    );
    assert!(said.contains("labelled examples"), "{said}");
    let said = refused("[learners.maml-rl]", "[learners.maml-rl]\nouter_lr = 0.1");
    assert!(said.contains("trust region"), "{said}");
    let said = refused("[episode]", "[episode]\nshot = 3");
    assert!(said.contains("episode.query"), "{said}");
    let said = refused("norm = \"none\"", "norm = \"batch\"");
    assert!(said.contains("without norm"), "{said}");
    let said = refused("set = \"navigation\"", "set = \"glyphs\"");
    assert!(said.contains("has no rollouts"), "{said}");
}

/// Every family of environments trains and is reported; the distance to the optimum is that of the files.
#[test]
fn every_family_ends_in_a_report_with_its_distance_to_the_optimum() {
    for set in [
        "bernoulli-bandits",
        "gaussian-bandits",
        "tabular-mdps",
        "cart-poles",
    ] {
        let bench = bench(&NAVIGATION.replace("set = \"navigation\"", &format!("set = \"{set}\"")));
        bench.experiment(&["--out", "out", "--threads", "2"]);
        let mut gaps = Vec::new();
        for seed in 0..3 {
            // Labels keep hyphens for their parts.
            let run = format!("out/runs/maml-rl-{}-5r-s{seed}", set.replace('-', "_"));
            let run = bench.path(&run);
            let bytes = fs::read(run.join("test.safetensors")).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mean = |name: &str| {
                let bytes = file.tensor(name).unwrap().data().chunks_exact(8);
                let values: Vec<f64> = bytes
                    .map(|eight| f64::from_le_bytes(eight.try_into().unwrap()))
                    .collect();
                values.iter().sum::<f64>() / values.len() as f64
            };
            gaps.push(mean("best_return") - mean("task_return"));
        }
        let found = json(&bench.path("out/report.json"));
        let learners = &found["settings"][0]["learners"];
        let learners = learners.as_array().unwrap();
        let of = learners
            .iter()
            .find(|it| it["learner"] == "maml-rl")
            .unwrap();
        let gap = of["all"]["optimum_gap"]["gap"]["value"].as_f64().unwrap();
        let expected = gaps.iter().sum::<f64>() / 3.0;
        assert!((gap - expected).abs() < 1e-9, "{set}: {gap} {expected}");
        let page = fs::read_to_string(bench.path("out/report.md")).unwrap();
        assert!(page.contains("Distance to the optimum") && !page.contains("accuracy"));
    }
}
