//! Settings that touch no weight: the training in the store is measured anew, and the result is that of training again.

use std::fs;
use std::path::Path;

use crate::support::{Bench, assert_same, json, lasting, stderr, stdout};

/// Runs of the tiny study.
const N_RUNS: usize = 4;

/// What a run says that takes a training over.
const TAKEN: &str = "its training is in the store";

/// Runs the study with one setting changed into a folder and a store; says how many trainings were taken over.
fn run(bench: &Bench, out: &str, store: &str, change: &str) -> usize {
    let output = bench.experiment(&["--out", out, "--store", store, "--set", change]);
    stderr(&output).matches(TAKEN).count()
}

fn with_weights(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = lasting(out);
    for run in fs::read_dir(out.join("runs")).unwrap() {
        let path = run.unwrap().path().join("validated.f32");
        let name = path.strip_prefix(out).unwrap().display().to_string();
        files.push((name, fs::read(&path).unwrap()));
    }
    files.sort();
    files
}

#[test]
fn what_touches_no_weight_takes_the_training_over_to_the_bit() {
    let bench = Bench::new(&[]);
    assert_eq!(run(&bench, "first", "shared", "test.episodes=8"), 0);
    for (index, change) in [
        "test.episodes=11",
        "test.weights=last",
        "test.checkpoints=2",
        "test.seed=7",
        "test.query=3",
        "validation.inspected=0",
        "validation.episodes=4",
        "data.test_rotations=as-classes",
    ]
    .into_iter()
    .enumerate()
    {
        let [taken, anew] = ["taken", "anew"].map(|name| format!("{name}{index}"));
        assert_eq!(run(&bench, &taken, "shared", change), N_RUNS, "{change}");
        assert_eq!(run(&bench, &anew, &format!("alone{index}"), change), 0);
        let [taken, anew] = [taken, anew].map(|out| bench.path(&out));
        assert_same(&with_weights(&anew), &with_weights(&taken));
        let record = |out: &Path| json(&out.join("runs/maml-glyphs-3w1s-s0/run.json"));
        assert_eq!(record(&anew)["identity"], record(&taken)["identity"]);
        let by = record(&taken)["result"]["trained_by"].clone();
        assert!(by.is_string(), "{by}");
        assert!(record(&anew)["result"]["trained_by"].is_null());
    }
    let planned = ["experiment", "tiny.toml", "--plan", "--store", "shared"];
    let planned = bench.run(&[&planned[..], &["--set", "test.episodes=9"]].concat());
    let said = stdout(&planned);
    assert!(
        said.contains("4 to do (4 of them trained already"),
        "{said}"
    );
}

/// The figures of a plan that was measured before are those of that measurement, to the digit.
#[test]
fn a_second_plan_measures_nothing() {
    let bench = Bench::new(&[]);
    let plan = || stdout(&bench.run(&["experiment", "tiny.toml", "--plan"]));
    let [first, second] = [plan(), plan()];
    assert!(!first.contains("measured before"), "{first}");
    let (said, rest): (Vec<&str>, Vec<&str>) = second
        .lines()
        .partition(|line| line.starts_with("steps: measured before"));
    assert_eq!(said.len(), 1, "{second}");
    assert_eq!(rest, first.lines().collect::<Vec<_>>());
    let file = said[0].rsplit_once("delete ").unwrap().1;
    std::fs::remove_file(file).unwrap();
    assert!(!plan().contains("measured before"));
}

#[test]
fn what_touches_a_weight_trains_again() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1"), ("\n[learners.protonet]\n", "")]);
    assert_eq!(run(&bench, "first", "shared", "test.episodes=8"), 0);
    for (out, change) in [
        ("a", "learner.outer_lr=0.002"),
        ("b", "validation.times=2"),
        ("c", "learner.observe_every=3"),
        ("d", "episode.query=3"),
        ("e", "first_seed=5"),
    ] {
        assert_eq!(run(&bench, out, "shared", change), 0, "{change}");
    }
}

#[test]
fn a_training_that_diverged_is_not_made_again_either() {
    let changes = [("seeds = 2", "seeds = 1"), ("\n[learners.protonet]\n", "")];
    let bench = Bench::new(
        &[
            &changes[..],
            &[("inner_steps = 2", "inner_steps = 2\ninner_lr = 1e30")],
        ]
        .concat(),
    );
    assert_eq!(run(&bench, "first", "shared", "test.seed=1"), 0);
    assert_eq!(run(&bench, "second", "shared", "test.seed=2"), 1);
    let outcome = |out: &str| {
        let record = json(&bench.path(out).join("runs/maml-glyphs-3w1s-s0/run.json"));
        record["result"]["outcome"].clone()
    };
    assert_eq!(outcome("first"), outcome("second"));
    assert!(outcome("first").to_string().contains("diverged"));
}

#[test]
fn a_damaged_training_is_not_taken_over_and_a_removed_one_is_forgotten() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1"), ("\n[learners.protonet]\n", "")]);
    assert_eq!(run(&bench, "runs/first", "runs/.store", "test.seed=1"), 0);
    let store = bench.path("runs/.store");
    let entries = || {
        let trainings = fs::read_dir(store.join("trained")).unwrap();
        let count = |training: fs::DirEntry| fs::read_dir(training.path()).unwrap().count();
        trainings.map(|it| count(it.unwrap())).sum::<usize>()
    };
    assert_eq!(entries(), 1);
    let kept = bench.path("runs/first/runs/maml-glyphs-3w1s-s0/validated.f32");
    let whole = fs::read(&kept).unwrap();
    let mut damaged = whole.clone();
    damaged[5] ^= 1;
    fs::write(&kept, damaged).unwrap();
    assert_eq!(run(&bench, "runs/second", "runs/.store", "test.seed=2"), 0);
    fs::write(&kept, whole).unwrap();
    assert_eq!(entries(), 2);
    // The first study becomes another, and its run one of no study.
    assert_eq!(run(&bench, "runs/first", "runs/.store", "test.seed=9"), 1);
    assert_eq!(entries(), 3);
    let cleaned = bench.run(&["clean", "runs", "--remove"]);
    assert!(cleaned.status.success(), "{}", stderr(&cleaned));
    assert_eq!(entries(), 2);
    assert_eq!(run(&bench, "runs/third", "runs/.store", "test.seed=3"), 1);
}
