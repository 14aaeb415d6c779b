//! Tasks that switch: asked by a study and told in its report.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, json};

fn answers(bench: &Bench, out: &str, run: &str) -> Value {
    json(&bench.path(&format!("{out}/probes/{run}-glyphs-3w1s-s0/switches.json")))["probe"]
        ["switches"]
        .take()
}

#[test]
fn switches_are_asked_and_told() {
    let bench = Bench::new(&[("outer_steps = 12", "outer_steps = 4")]);
    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let more =
        "[learners.nearest-mean]\nouter_steps = 1\n\n[probe]\nfamilies = [\"s\"]\ntasks = 6\n";
    fs::write(bench.path("tiny.toml"), text + more).unwrap();
    bench.experiment(&["--out", "out"]);
    let maml = answers(&bench, "out", "maml");
    assert_eq!(
        (&maml["n_before"], &maml["n_after"], &maml["n_streams"]),
        (&3.into(), &6.into(), &5.into())
    );
    for it in maml["switches"].as_array().unwrap() {
        let values = |name: &str| -> Vec<f64> {
            let values = it[name].as_array().unwrap().iter();
            values.map(|it| it.as_f64().unwrap()).collect()
        };
        let [online, frozen, told] = ["online", "frozen", "told"].map(values);
        assert_eq!((online.len(), frozen.len(), told.len()), (45, 45, 30));
        // Nothing is learnt before the first episode of a stream.
        for stream in 0..5 {
            assert_eq!(online[9 * stream].to_bits(), frozen[9 * stream].to_bits());
        }
    }
    // A learner that cannot change is neither better nor worse for learning.
    let still = answers(&bench, "out", "nearest-mean");
    for it in still["switches"].as_array().unwrap() {
        assert_eq!(it["online"], it["frozen"]);
    }
    let html = fs::read_to_string(bench.path("out/report.html")).unwrap();
    for expected in ["Tasks that switch", "switches-plot-0", "a quarter turn"] {
        assert!(html.contains(expected), "{expected}");
    }
    for threads in ["1", "7"] {
        let out = format!("out{threads}");
        bench.experiment(&["--out", &out, "--threads", threads]);
        assert_eq!(
            answers(&bench, &out, "maml"),
            answers(&bench, "out", "maml")
        );
    }
}
