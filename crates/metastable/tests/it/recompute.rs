//! A run computed again from its files by code that is not ours to begin with: the arithmetic of the test, written out here and once more
//! in Python (`tests/readers/recompute.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use metastable_analysis::calibration::{CalibrationOptions, calibration};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::guests::python;
use crate::support::{Bench, stderr};

/// What the answers of a run come to.
struct Figures {
    accuracy: f64,
    nll: f64,
    brier: f64,
    ece: f64,
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap();
    let each = tensor.data().chunks_exact(4);
    each.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into())
        .collect()
}

fn counts(file: &SafeTensors<'_>, name: &str) -> Vec<usize> {
    let tensor = file.tensor(name).unwrap();
    let each = tensor.data().chunks_exact(4);
    each.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
        .collect()
}

/// Way and queries of a class of each task.
fn shapes(file: &SafeTensors<'_>) -> Vec<(usize, usize)> {
    if file.tensor("task_way").is_ok() {
        let query = counts(file, "task_query");
        return counts(file, "task_way").into_iter().zip(query).collect();
    }
    let classes = file.tensor("classes").unwrap().shape().to_vec();
    let queries = file.tensor("query_images").unwrap().shape()[1];
    vec![(classes[1], queries / classes[1]); classes[0]]
}

fn recomputed(folder: &Path) -> Figures {
    let bytes = fs::read(folder.join("test.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let rows = floats(&file, "log_probabilities");
    let (mut accuracy, mut nll, mut brier) = (0.0, 0.0, 0.0);
    let mut answers: Vec<(f64, bool)> = Vec::new();
    let shapes = shapes(&file);
    let mut rest = rows.as_slice();
    for (way, query) in &shapes {
        let (mut right, mut loss) = (0.0, 0.0);
        for place in 0..way * query {
            let (row, others) = rest.split_at(*way);
            rest = others;
            let label = place / query;
            let mut best = 0;
            for class in 1..*way {
                if row[class] > row[best] {
                    best = class;
                }
            }
            right += f64::from(u8::from(best == label));
            loss -= row[label];
            for (class, value) in row.iter().enumerate() {
                brier += (value.exp() - f64::from(u8::from(class == label))).powi(2);
            }
            answers.push((row[best].exp().min(1.0), best == label));
        }
        let n = (way * query) as f64;
        accuracy += right / n;
        nll += loss / n;
    }
    assert!(rest.is_empty());
    let n = answers.len();
    answers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ece = 0.0;
    for bin in 0..15 {
        let own = &answers[bin * n / 15..(bin + 1) * n / 15];
        let confidence: f64 = own.iter().map(|it| it.0).sum();
        let right = own.iter().filter(|it| it.1).count() as f64;
        ece += (right - confidence).abs() / n as f64;
    }
    let n_tasks = shapes.len() as f64;
    Figures {
        accuracy: accuracy / n_tasks,
        nll: nll / n_tasks,
        brier: brier / n as f64,
        ece,
    }
}

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} and {b}");
}

/// The folders of the runs of a study.
fn runs(bench: &Bench, study: &str) -> Vec<PathBuf> {
    let runs = fs::read_dir(bench.path(study).join("runs")).unwrap();
    let mut folders: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Figures of a study's runs from their files, twice, against what the runs say of themselves.
fn check(bench: &Bench, study: &str) {
    let mut ours = BTreeMap::new();
    for folder in runs(bench, study) {
        let figures = recomputed(&folder);
        let own = json(&folder.join("run.json"));
        let own = &own["result"]["test"];
        near(figures.accuracy, own["accuracy"].as_f64().unwrap(), 1e-12);
        let nll = own["nll"].as_f64().unwrap();
        near(figures.nll, nll, 1e-5 * nll.max(1.0));
        ours.insert(folder.display().to_string(), figures);
    }
    let Some(python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/recompute.py");
    let output = Command::new(python)
        .arg(script)
        .arg(bench.path(study).join("runs"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), ours.len());
    for line in said.lines() {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let figures = &ours[theirs["run"].as_str().unwrap()];
        for (name, own) in [
            ("accuracy", figures.accuracy),
            ("nll", figures.nll),
            ("brier", figures.brier),
            ("ece", figures.ece),
        ] {
            near(own, theirs[name].as_f64().unwrap(), 1e-9);
        }
    }
}

#[test]
fn a_run_is_computed_again_from_its_files() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "even"]);
    check(&bench, "even");
    // The analysis's own arithmetic on the same answers.
    let folder = &runs(&bench, "even")[0];
    let bytes = fs::read(folder.join("test.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let p: Vec<f64> = floats(&file, "log_probabilities")
        .into_iter()
        .map(f64::exp)
        .collect();
    let labels: Vec<usize> = (0..8).flat_map(|_| [0, 0, 1, 1, 2, 2]).collect();
    let found = calibration(&p, 3, &labels, CalibrationOptions::default()).unwrap();
    let figures = recomputed(folder);
    near(found.ece, figures.ece, 1e-12);
    near(found.brier, figures.brier, 1e-12);
}

/// Episodes of any way and any shot leave lists instead of tables; head-bound learners are refused with what serves instead.
#[test]
fn any_way_any_shot_is_computed_again_too() {
    let any = &[
        ("n_characters = 4", "n_characters = 8"),
        ("[data]", "[data]\nwithin_alphabet = true"),
        (
            "query = 2\nepisodes = 8",
            "query = 2\nsizes = \"meta-dataset\"\nepisodes = 20",
        ),
        ("query = 2\n", "query = 2\nsizes = \"meta-dataset\"\n"),
    ];
    let bench = Bench::new(any);
    let output = bench.run(&["experiment", "tiny.toml", "--out", "bound"]);
    let said = stderr(&output);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("tiny.toml:") && said.contains("learners.maml.head") && said.contains("tied"),
        "{said}"
    );
    bench.experiment(&["--set", "learners.maml.head=prototypes", "--out", "any"]);
    check(&bench, "any");
    let report = json(&bench.path("any/report.json"));
    let chance = report["settings"][0]["chance"].as_f64().unwrap();
    for folder in runs(&bench, "any") {
        let bytes = fs::read(folder.join("test.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let ways = counts(&file, "task_way");
        assert!(
            ways.iter().all(|way| (5..=8).contains(way)) && ways.iter().min() != ways.iter().max()
        );
        let guessing: f64 = ways.iter().map(|way| 1.0 / *way as f64).sum();
        near(chance, guessing / ways.len() as f64, 1e-12);
        // 6 drawings of a character leave 3 queries and 3 supports at the most.
        assert!(counts(&file, "task_query").iter().all(|n| *n == 3));
        let shots = counts(&file, "shots");
        assert!(shots.iter().all(|n| (1..=3).contains(n)) && shots.contains(&1));
        let total: usize = shots.iter().sum();
        assert_eq!(counts(&file, "support_images").len(), total);
    }
    let report = fs::read_to_string(bench.path("any/report.html")).unwrap();
    assert!(
        report.contains("any-way any-shot"),
        "the setting has a name"
    );
    let output = bench.run(&["export", "any", "--format", "csv", "--out", "csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let tasks = fs::read_to_string(bench.path("csv/tasks.csv")).unwrap();
    let n_way: Vec<&str> = tasks
        .lines()
        .skip(1)
        .filter_map(|it| it.split(',').nth(2))
        .collect();
    assert!(n_way.contains(&"5") && n_way.contains(&"8"), "{tasks}");
}

/// What the exports say of images, classes and probabilities is what the file of the test says.
#[test]
fn exports_name_the_image_of_every_support_and_query() {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
    ]);
    bench.images("own");
    let split = "data.split=random:4,4,4";
    bench.experiment(&["--dataset", "folder:own", "--out", "study", "--set", split]);
    let output = bench.run(&["export", "study", "--format", "csv", "--out", "csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = |name: &str| -> Vec<BTreeMap<String, String>> {
        let text = fs::read_to_string(bench.path(&format!("csv/{name}.csv"))).unwrap();
        let mut lines = text.lines().map(|line| line.split(','));
        let header: Vec<String> = lines.next().unwrap().map(str::to_owned).collect();
        lines
            .map(|cells| {
                header
                    .iter()
                    .cloned()
                    .zip(cells.map(str::to_owned))
                    .collect()
            })
            .collect()
    };
    let images = fs::read_to_string(bench.path("study/images.csv")).unwrap();
    let file_of: BTreeMap<String, String> = images
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[1].to_owned(), cells[3].to_owned())
        })
        .collect();
    for (name, n_rows) in [("hits", 8 * 6), ("supports", 8 * 3)] {
        let rows = table(name);
        assert_eq!(rows.len(), n_rows);
        for row in &rows {
            assert_eq!(row["file"], file_of[&row["image"]], "{name}");
            assert!(bench.path("own").join(&row["file"]).is_file());
        }
    }
    let rows = table("probabilities");
    assert_eq!(rows.len(), 8 * 6 * 3);
    for of_query in rows.chunks(3) {
        let sum: f64 = of_query
            .iter()
            .map(|row| row["log_probability"].parse::<f64>().unwrap().exp())
            .sum();
        near(sum, 1.0, 1e-5);
        let right = of_query.iter().filter(|row| row["is_right"] == "true");
        assert_eq!(right.count(), 1);
    }
}
