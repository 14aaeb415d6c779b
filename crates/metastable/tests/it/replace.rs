//! Trainings that differ in one task of their pool: from their declaration to the report.

use std::fs;

use safetensors::SafeTensors;

use crate::support::{Bench, json, stderr};

/// The tiny study over two pools.
fn bench() -> Bench {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("curves = 2", "curves = 2\nweights = \"last\""),
    ]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let table = "[replace]\npools = [6, 12]\nmembers = 2\n";
    fs::write(bench.path("tiny.toml"), text + table).unwrap();
    bench
}

/// Every tensor of a file, without the metadata, which name the run.
fn tensors(bench: &Bench, run: &str, file: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(bench.path("out/runs").join(run).join(file)).unwrap();
    let mut tensors: Vec<(String, Vec<u8>)> = SafeTensors::deserialize(&bytes)
        .unwrap()
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

#[test]
fn exchanging_a_task_changes_the_learner_and_training_again_does_not() {
    let bench = bench();
    bench.experiment(&["--out", "out", "--jobs", "2", "--threads", "1"]);
    for (learner, pool) in [("maml", 6), ("maml", 12), ("protonet", 6), ("protonet", 12)] {
        let run = |what: &str| format!("{learner}-glyphs-3w1s-n{pool}{what}-s0");
        let (whole, again) = (run(""), run("-again"));
        // Two runs of the store, each with a record and a log of its own.
        let at = |run: &str| fs::canonicalize(bench.path("out/runs").join(run)).unwrap();
        assert_ne!(at(&whole), at(&again));
        let record = json(&at(&again).join("run.json"));
        assert_eq!(record["config"]["repetition"], 1);
        for file in ["last.safetensors", "best.safetensors", "test.safetensors"] {
            let same = tensors(&bench, &whole, file) == tensors(&bench, &again, file);
            assert!(same, "{file} of {again} is not that of {whole}");
        }
        let log = |run: &str| fs::read(at(run).join("log.jsonl")).unwrap();
        assert!(log(&whole) == log(&again), "{again}");
        for member in ["-r0", "-r1"] {
            let file = "last.safetensors";
            let same = tensors(&bench, &whole, file) == tensors(&bench, &run(member), file);
            assert!(
                !same,
                "exchanging a task changed nothing in {}",
                run(member)
            );
        }
    }

    let report = json(&bench.path("out/report.json"));
    let settings = report["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 2);
    assert_eq!(settings[1]["setting"], "glyphs 3-way 1-shot, pool of 12");
    for learner in settings
        .iter()
        .flat_map(|it| it["learners"].as_array().unwrap())
    {
        // What was exchanged is no further seed.
        assert_eq!(learner["seeds"].as_array().unwrap().len(), 1);
        let found = &learner["all"]["replace_one_task"];
        assert_eq!(found["n_exchanges"], 2);
        assert_eq!(found["floor"]["n_repeats"], 1);
        assert_eq!(found["floor"]["loss"], 0.0);
        assert_eq!(found["floor"]["distance"], 0.0);
        assert!(found["beta"]["value"].as_f64().unwrap() > 0.0, "{found}");
        assert!(
            found["distance"]["value"].as_f64().unwrap() > 0.0,
            "{found}"
        );
    }
    let lines = report["all"]["replace_slopes"]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["slope"]["value"].as_f64().unwrap().is_finite());
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("the noise floor is exactly 0"));

    // Fewer members are some of the same runs.
    let output = bench.experiment(&["--out", "out", "--set", "replace.members=1"]);
    let said = stderr(&output);
    assert!(said.contains("12 of 12 runs are in the store"), "{said}");
}

/// Family `d` is asked of whole pools alone; with nothing exchanged, two trainings stay equal at every step.
#[test]
fn gaps_and_parting_trainings_are_asked_of_whole_pools() {
    let bench = bench();
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let probe = "[probe]\nfamilies = [\"c\", \"d\"]\ntasks = 4\n";
    fs::write(bench.path("tiny.toml"), text + probe).unwrap();
    let arguments = ["--out", "out", "--set", "replace.members=1"];
    bench.experiment(&arguments);
    assert_eq!(fs::read_dir(bench.path("out/probes")).unwrap().count(), 4);
    let report = json(&bench.path("out/report.json"));
    let settings = report["settings"].as_array().unwrap();
    for learner in settings
        .iter()
        .flat_map(|it| it["learners"].as_array().unwrap())
    {
        let found = &learner["all"];
        let gaps = &found["gaps"];
        assert_eq!(gaps["shape"], serde_json::json!([3, 1, 2]));
        assert_eq!(gaps["n_tasks"], 4);
        for level in ["fresh_queries", "new_tasks", "new_classes"] {
            assert!(
                gaps["tested"][level]["loss"]["value"].is_f64(),
                "{level}: {gaps}"
            );
        }
        assert!(
            gaps["last"].is_null(),
            "the last weights are tested: {gaps}"
        );
        let parting = &found["trajectory"];
        assert_eq!(
            (&parting["start"], &parting["n_steps"]),
            (&2.into(), &10.into())
        );
        assert_eq!(parting["floor"], 0.0);
        assert!(
            parting["last"]["value"].as_f64().unwrap() > 0.0,
            "{parting}"
        );
        // Six images of a class, two of them queries.
        assert_eq!(found["left_out"]["k_shot"], 4);
        assert_eq!(found["shots"]["curve"].as_array().unwrap().len(), 4);
    }
    // The same answers on other numbers of threads.
    let path = bench.path("out/probes/maml-glyphs-3w1s-n6-s0/generalization.json");
    let before = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    bench.experiment(&[&arguments[..], &["--threads", "3"]].concat());
    assert_eq!(before, fs::read(&path).unwrap());
}

#[test]
fn pools_that_cannot_be_are_named() {
    let refused = |table: &str, expected: &[&str]| {
        let bench = Bench::new(&[]);
        let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
        fs::write(bench.path("tiny.toml"), text + table).unwrap();
        bench.refuses(&["experiment", "tiny.toml", "--out", "out"], expected);
        assert!(!bench.path("out").exists(), "{table} left a folder");
    };
    refused(
        "[replace]\npools = [6, 12]\n",
        &[
            "tiny.toml:48",
            "0 tasks are to be exchanged in pools of [6, 12]",
            "members = 10",
        ],
    );
    refused(
        "[replace]\npools = [6, 6]\nmembers = 1\n",
        &["tiny.toml:48", "each once"],
    );
    refused(
        "[replace]\npool = [6]\nmembers = 1\n",
        &["tiny.toml:48", "did you mean \"pools\""],
    );
    refused(
        "[replace]\npools = [3]\nmembers = 4\n",
        &["no more members than the smallest pool"],
    );
    refused(
        "[replace]\npools = [6, 37]\nmembers = 1\n",
        &["tiny.toml:48", "maml reads 36 tasks", "a pool has 37"],
    );
    refused(
        "[replace]\npools = [6]\nmembers = 1\n[factors]\nnetwork.width = [2, 4]\n",
        &["tiny.toml:48", "a study of their own"],
    );
    let bench = Bench::new(&[("query = 2", "query = 2\nreplaced = 3")]);
    let arguments = ["experiment", "tiny.toml"];
    bench.refuses(&arguments, &["tiny.toml:18", "episode.pool"]);
    bench.refuses(
        &["experiment", "tiny.toml", "--set", "episode.pool=3"],
        &["replaced = 3", "members 0 to 2"],
    );
}
