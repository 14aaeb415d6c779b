//! `reproduce`: lists, papers as studies, and finished runs beside published numbers.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, json, stderr, stdout};

#[test]
fn papers_are_listed_told_and_written_as_studies() {
    let bench = Bench::new(&[]);
    let said = stdout(&bench.run(&["reproduce"]));
    for part in [
        "snell2017",
        "finn2017",
        "12 numbers: fomaml, reptile",
        "protonet",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = stdout(&bench.run(&["reproduce", "snell2017"]));
    for part in [
        "protonet omniglot 5-way 1-shot: 98.8 %",
        "95.3 % by Wenlin-Chen",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let arguments = [
        "reproduce",
        "snell2017",
        "--study",
        "snell.toml",
        "--way",
        "20",
        "--shot",
        "5",
    ];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(bench.path("snell.toml")).unwrap();
    for part in [
        "test_rotations = \"as-classes\"",
        "split = \"vinyals\"",
        "way = 60",
        "98.9 %",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    bench.refuses(&arguments, &["snell.toml is there already", "--study"]);
    let of = |paper, more: &[&str]| {
        let mut arguments = vec!["reproduce", paper];
        arguments.extend(more);
        arguments
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    for (arguments, expected) in [
        (
            of("snell2018", &[]),
            vec!["neither", "did you mean \"snell2017\""],
        ),
        (of("snell2017", &["--way", "5"]), vec!["--study"]),
        (
            of("snell2017", &["--study", "x.toml", "--way", "7"]),
            vec!["no such number", "protonet 20-way 5-shot"],
        ),
        (
            of("antoniou2019", &["--study", "x.toml"]),
            vec!["no learner here is \"maml++\""],
        ),
        (
            of("nichol2018", &["--study", "x.toml", "--method", "reptile"]),
            vec!["normalised alone", "probe"],
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        bench.refuses(&arguments, &expected);
    }
}

#[test]
fn a_study_of_other_data_has_nothing_to_reproduce() {
    let bench = Bench::new(&[("seeds = 2", "seeds = 1")]);
    bench.experiment(&["--out", "out"]);
    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(!report.contains("Published numbers"), "{report}");
    assert!(
        json(&bench.path("out/report.json"))
            .get("published")
            .is_none()
    );
    bench.refuses(
        &["reproduce", "out"],
        &["no published number", "reproduce` lists"],
    );
    bench.refuses(
        &["reproduce", "out", "--margin", "0"],
        &["--margin 0", "0.5"],
    );
}

/// Twelve steps on Omniglot are far from any published number, and by another protocol: both are said.
#[test]
fn finished_runs_stand_beside_published_numbers() {
    let Some(data) = std::env::var_os("METASTABLE_DATA") else {
        return;
    };
    let data = data.to_str().unwrap();
    let bench = Bench::new(&[
        (
            "set = \"glyphs\"",
            "set = \"omniglot\"\nsplit = \"vinyals\"",
        ),
        ("[episode]\nway = 3", "[episode]\nway = 5"),
        ("[test]\nway = 3", "[test]\nway = 5"),
    ]);
    bench.experiment(&["--out", "out", "--data-dir", data]);
    let output = bench.run(&["reproduce", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    for part in [
        "Protocol differs",
        "published 98.8 % (Table 1)",
        "test_rotations (off, there as-classes)",
        "outer_steps (12, there 60000)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The report has the same, as a chapter and as data.
    let strict = bench.run(&["reproduce", "out", "--json"]);
    let strict: Value = serde_json::from_str(&stdout(&strict)).unwrap();
    assert_eq!(
        json(&bench.path("out/report.json"))["published"],
        strict["rows"]
    );
    let report = fs::read_to_string(bench.path("out/report.md")).unwrap();
    assert!(report.contains("Published numbers"), "{report}");
    assert!(report.contains("protocol differs in"), "{report}");
    // In spite of the differences, such a gap is decided.
    let output = bench.run(&["reproduce", "out", "--lenient", "--json"]);
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let rows = told["rows"].as_array().unwrap();
    assert!(rows.len() >= 3, "{told}");
    let proto = rows
        .iter()
        .find(|row| row["published"]["key"] == "snell2017")
        .unwrap();
    assert_eq!(proto["ours"]["runs"], 2);
    assert_eq!(proto["published"]["value"], "98.8");
    let difference = proto["comparison"]["difference"].as_f64().unwrap();
    assert!(difference < -0.05, "{difference}");
    let interval = &proto["comparison"]["interval"];
    assert!(interval["lower"].as_f64().unwrap() < difference);
    // The files say the same.
    let folder = bench.path("out/reproduction");
    assert_eq!(json(&folder.join("reproduction.json")), told);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let csv = read("reproduction.csv");
    assert_eq!(csv.lines().count(), 1 + rows.len());
    let n_columns = csv.lines().next().unwrap().split(',').count();
    assert_eq!(n_columns, 25, "{csv}");
    let markdown = read("reproduction.md");
    assert!(markdown.contains("What others got") && markdown.contains("Wenlin-Chen"));
    let yaml = read("model-index.yaml");
    assert!(
        yaml.contains("notes: \"2 trainings, 8 test tasks; 95 % interval"),
        "{yaml}"
    );
}
