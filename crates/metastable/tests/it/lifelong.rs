//! Streams of classes: asked by a study, told in its report, refused where the classes do not hold them.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, json, stderr};

/// The tiny study with streams of all kinds of learners; its test part has 8 classes of 6 images.
fn bench(more: &str) -> Bench {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 4")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let table = format!("[learners.anil]\n\n[probe]\nfamilies = [\"l\"]\ntasks = 2\n{more}");
    fs::write(bench.path("tiny.toml"), text + &table).unwrap();
    bench
}

fn answers(bench: &Bench, out: &str, run: &str) -> Value {
    json(&bench.path(&format!("{out}/probes/{run}-glyphs-3w1s-s0/lifelong.json")))["probe"]["lifelong"].take()
}

#[test]
fn streams_are_asked_and_told() {
    let bench = bench("stream_classes = [2, 6]\nstream_orders = 3\n");
    bench.experiment(&["--out", "out"]);
    let maml = answers(&bench, "out", "maml");
    assert_eq!(maml["classes"], serde_json::json!([2, 6]));
    // Six images a class: a quarter of them are new.
    assert_eq!(
        (&maml["n_images"], &maml["n_queries"]),
        (&5.into(), &1.into())
    );
    let names = |answers: &Value| -> Vec<String> {
        let heads = answers["heads"].as_array().unwrap().iter();
        heads
            .map(|it| it["head"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&maml), ["linear", "prototypes", "inner-loop"]);
    let protonet = answers(&bench, "out", "protonet");
    assert_eq!(names(&protonet), ["linear", "prototypes"]);
    for head in maml["heads"].as_array().unwrap() {
        let length = |name: &str| head[name].as_array().unwrap().len();
        assert_eq!(
            (length("seen"), length("retained"), length("matrix")),
            (6, 6, 3 * 6 * 6)
        );
        let values = head["seen"].as_array().unwrap().iter();
        assert!(
            values
                .clone()
                .all(|it| (0.0..=1.0).contains(&it.as_f64().unwrap()))
        );
    }
    // Means do not see the order.
    let of_prototypes = maml["heads"][1]["seen"].as_array().unwrap();
    assert!(of_prototypes[..3].iter().all(|it| *it == of_prototypes[0]));

    let report = json(&bench.path("out/report.json"));
    let told = &report["settings"][0]["learners"][0]["all"]["lifelong"];
    assert_eq!(told["heads"][1]["is_order_blind"], true);
    let html = fs::read_to_string(bench.path("out/report.html")).unwrap();
    for expected in [
        "Streams of classes",
        "lifelong-plot-0",
        "lifelong-matrix-0",
        "exactly 0",
        "its backward transfer",
    ] {
        assert!(html.contains(expected), "{expected}");
    }

    // The same answers at any number of threads; other sizes are other questions.
    for threads in ["1", "2", "7"] {
        let out = format!("out{threads}");
        bench.experiment(&["--out", &out, "--threads", threads]);
        for run in ["maml", "anil", "protonet"] {
            assert_eq!(answers(&bench, &out, run), answers(&bench, "out", run));
        }
    }
    let again = |more: &[&str]| {
        let said = stderr(&bench.run(&[&["probe", "out"], more].concat()));
        said.matches(" answered in ").count()
    };
    assert_eq!(again(&[]), 0);
    assert_eq!(again(&["--stream-classes", "2,4"]), 6);
}

#[test]
fn streams_that_classes_do_not_hold_are_refused_before_anything_starts() {
    let refuses = |more: &str, expected: &[&str]| {
        let bench = bench(more);
        bench.refuses(
            &["experiment", "tiny.toml", "--out", "out"],
            &[&["tiny.toml:"], expected].concat(),
        );
        assert!(!bench.path("out").exists(), "{more} left a folder");
    };
    refuses(
        "stream_classes = [2, 600]\n",
        &["stream_classes = 600", "8 classes", "2 to 8"],
    );
    refuses(
        "stream_classes = [6, 2]\n",
        &["probe.stream_classes", "[6, 2] is not an ascending list"],
    );
    refuses("stream_classes = [1]\n", &["from 2 on"]);
    refuses(
        "stream_images = 6\n",
        &["stream_images = 6", "6 images", "at most 5"],
    );
    refuses("stream_images = 0\n", &["1 to 1000"]);
    refuses("stream_orders = 0\n", &["1 to 1000"]);
}
