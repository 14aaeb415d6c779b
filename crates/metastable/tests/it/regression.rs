//! A study of regressions from its file to its report: errors, and nothing about right answers.

use std::fs;

use safetensors::SafeTensors;

use crate::support::{Bench, json, stderr};

const SINUSOID: &str = r#"
name = "sinusoid"
seeds = 3

[data]
set = "sinusoid"

[episode]
shot = 5
query = 4

[validation]
episodes = 5
times = 3
inspected = 2

[test]
shot = 5
query = 4
episodes = 30
curves = 6

[network]
name = "mlp"
width = 8
blocks = 2
norm = "none"

[run]
log_every = 2
save_seconds = 0

[learner]
meta_batch = 4
outer_steps = 12
inner_lr = 0.02
inner_steps = 1
test_inner_steps = 6

[learners.maml]

[learners.reptile]
inner_batch = 3
"#;

fn bench(text: &str) -> Bench {
    let bench = Bench::new(&[]);
    fs::write(bench.path("tiny.toml"), text).unwrap();
    bench
}

#[test]
fn a_report_of_errors_says_nothing_of_right_answers() {
    let bench = bench(SINUSOID);
    bench.experiment(&["--out", "out", "--threads", "2"]);
    let run = bench.path("out/runs/maml-sinusoid-5s-s0");
    let record = json(&run.join("run.json"));
    let tested = &record["result"]["test"];
    assert!(tested["mean_squared_error"].as_f64().unwrap() > 0.0);
    for file in ["run.json", "log.jsonl"] {
        let text = fs::read_to_string(run.join(file)).unwrap();
        assert!(!text.contains("accuracy"), "{file}");
    }

    // The file of the test: errors are those of the predictions and targets in it.
    let bytes = fs::read(run.join("test.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let said = header.metadata().clone().unwrap();
    assert_eq!(said["direction"], "lower is better");
    assert_eq!(said["unit"], "squared unit of the targets");
    let doubles = |name: &str| -> Vec<f64> {
        let data = file.tensor(name).unwrap().data().chunks_exact(8);
        data.map(|it| f64::from_le_bytes(it.try_into().unwrap()))
            .collect()
    };
    let predicted = file.tensor("predictions").unwrap();
    assert_eq!(predicted.shape(), [30, 4]);
    let predicted = predicted.data().chunks_exact(4);
    let predicted: Vec<f64> = predicted
        .map(|it| f64::from(f32::from_le_bytes(it.try_into().unwrap())))
        .collect();
    let (targets, inputs) = (doubles("query_targets"), doubles("query_inputs"));
    let (amplitude, phase) = (doubles("parameters.amplitude"), doubles("parameters.phase"));
    for (task, error) in doubles("task_mean_squared_error").iter().enumerate() {
        let rows = 4 * task..4 * task + 4;
        let gap = |at: usize| predicted[at] - targets[at];
        let expected = rows.clone().map(|at| gap(at) * gap(at)).sum::<f64>() / 4.0;
        assert!(
            (error - expected).abs() < 1e-5 * expected.max(1.0),
            "task {task}"
        );
        for at in rows {
            let value = amplitude[task] * (inputs[at] - phase[task]).sin();
            assert!((targets[at] - value).abs() < 1e-12);
        }
    }
    assert_eq!(file.tensor("curves.query_loss").unwrap().shape(), [6, 7]);

    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(report.contains("mean squared error"), "{report}");
    for word in [
        "accuracy",
        "accuracies",
        "right answers",
        "% of queries",
        " nats",
    ] {
        let found = report.lines().find(|line| line.contains(word));
        assert!(found.is_none(), "{word}: {found:?}");
    }
    // Certificates are made, and hold.
    let output = bench.run(&["certify", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("checks hold") && !said.contains("REFUTED"),
        "{said}"
    );
    // As a table, too.
    let output = bench.run(&["export", "out", "--format", "csv", "--out", "tables"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let tasks = fs::read_to_string(bench.path("tables/tasks.csv")).unwrap();
    assert_eq!(tasks.lines().count(), 1 + 6 * 30);
}

#[test]
fn any_number_of_threads_leaves_the_same_bits() {
    let bench = bench(SINUSOID);
    let weights = |out: &str, threads: &str| {
        bench.experiment(&["--out", out, "--threads", threads, "--set", "seeds=1"]);
        ["maml", "reptile"].map(|learner| {
            let run = bench
                .path(out)
                .join(format!("runs/{learner}-sinusoid-5s-s0"));
            let log = fs::read(run.join("log.jsonl")).unwrap();
            (fs::read(run.join("test.safetensors")).unwrap(), log)
        })
    };
    let one = weights("one", "1");
    assert!(one == weights("two", "2"));
    assert!(one == weights("seven", "7"));
}

#[test]
fn what_needs_classes_is_refused_with_the_reason() {
    let refused = |was: &str, is: &str| {
        assert!(SINUSOID.contains(was));
        let bench = bench(&SINUSOID.replacen(was, is, 1));
        let output = bench.run(&["experiment", "tiny.toml", "--out", "out"]);
        assert!(!output.status.success(), "{is}");
        stderr(&output)
    };
    let said = refused("[learners.maml]", "[learners.maml]\n[learners.protonet]");
    assert!(
        said.contains("protonet") && said.contains("has no classes"),
        "{said}"
    );
    let said = refused("[learners.maml]", "[learners.maml]\nhead = \"tied\"");
    assert!(
        said.contains("head") && said.contains("has no classes"),
        "{said}"
    );
    let said = refused("[episode]", "[episode]\nway = 3");
    assert!(said.contains("neither classes nor images"), "{said}");
    let said = refused("[run]", "[probe]\nfamilies = [\"c\"]\n[run]");
    assert!(said.contains("about classes and images"), "{said}");
}
