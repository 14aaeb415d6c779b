//! What a finished study is told to run next, and its report as files for a paper.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, stdout};

#[test]
fn advice_has_the_widths_of_larger_experiments_and_the_chances_of_a_ratio() {
    let bench = Bench::new(&[]);
    bench.experiment(&["--out", "out"]);
    let said = stdout(&bench.run(&["advise", "out"]));
    for words in [
        "Expected half-width of the interval of a mean",
        "Chance to find a ratio of two learners' standard deviations",
        "twice the queries",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let json: Value =
        serde_json::from_str(&stdout(&bench.run(&["advise", "out", "--json"]))).unwrap();
    let widths = json["widths"].as_array().unwrap();
    assert_eq!(widths.len(), 2, "{json}");
    for it in widths {
        let of = |name: &str| it[name].as_f64().unwrap();
        assert_eq!(
            (
                it["n_runs"].as_u64(),
                it["n_tasks"].as_u64(),
                it["n_queries"].as_u64()
            ),
            (Some(2), Some(8), Some(6))
        );
        assert!(
            of("twice_runs") <= of("now")
                && of("twice_tasks") <= of("now")
                && of("twice_queries") <= of("now")
        );
    }
    // Of three seeds nothing is claimed; chances grow with the seeds and with the ratio.
    let chances: Vec<Vec<f64>> = json["power"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| serde_json::from_value(it["chances"].clone()).unwrap())
        .collect();
    assert!(
        chances
            .windows(2)
            .all(|two| two[0].iter().zip(&two[1]).all(|(a, b)| a <= b)),
        "{chances:?}"
    );
    assert!(
        chances
            .iter()
            .all(|row| row.windows(2).all(|two| two[0] <= two[1])),
        "{chances:?}"
    );

    let listed = stdout(&bench.run(&["report", "out", "--tables", "latex", "--figures", "svg"]));
    for folder in ["tables", "figures"] {
        assert!(
            listed.lines().any(|line| line.ends_with(folder)),
            "{listed}"
        );
    }
    let card = fs::read_to_string(bench.path("out/tables/card-1.tex")).unwrap();
    assert!(
        card.contains("\\toprule") && card.contains("maml & "),
        "{card}"
    );
}
