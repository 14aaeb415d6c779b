//! What people reported of tools like this one, as small tables of our own making (`tests/cases`): each with its right value, computed
//! outside of the program, or with its right refusal.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Bench, stderr, stdout};
use crate::tables::report;

/// A bench with this table in it.
fn bench(table: &str) -> Bench {
    let bench = Bench::new(&[]);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    fs::copy(from.join(table), bench.path(table)).unwrap();
    bench
}

/// The receipt, the text of the report without its escapes, and its numbers.
fn analysed(table: &str, flags: &[&str]) -> (String, String, Value) {
    let bench = bench(table);
    let output = bench.run(&[&["analyze", table, "--out", "out"], flags].concat());
    assert!(output.status.success(), "{table}: {}", stderr(&output));
    let (text, json) = report(&bench);
    (stdout(&output) + &stderr(&output), text, json)
}

fn refused(table: &str, flags: &[&str], parts: &[&str]) {
    let bench = bench(table);
    bench.refuses(
        &[&["analyze", table, "--out", "out"], flags].concat(),
        parts,
    );
}

#[track_caller]
fn near(found: &Value, expected: f64, tolerance: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} where {expected} is right"
    );
}

/// The mean of a learner of the only setting.
fn mean(json: &Value, learner: &str) -> Value {
    let all = json["settings"][0]["learners"].as_array().unwrap();
    let own = all.iter().find(|it| it["learner"] == learner).unwrap();
    own["all"]["spread"]["mean"]["value"].clone()
}

/// The sentence of a list of factors, by its side.
fn list<'j>(json: &'j Value, side: &str) -> &'j Value {
    let lists = json["all"]["key_factors"]["lists"].as_array().unwrap();
    lists.iter().find(|it| it["side"] == side).unwrap()
}

/// The best level of a factor.
fn best<'j>(json: &'j Value, factor: &str) -> &'j Value {
    let all = json["all"]["key_factors"]["best"].as_array().unwrap();
    all.iter().find(|it| it["factor"] == factor).unwrap()
}

/// One run a point: nothing may be said of a spread over seeds that was never seen, though the score is a steep function without noise.
#[test]
fn case_1_no_seeds_no_spread() {
    for (table, factors) in [
        ("deterministic_30.csv", "x"),
        ("deterministic_no_seeds.csv", "x,z"),
    ] {
        let (_, text, json) = analysed(table, &["--factor", factors]);
        for side in ["spread", "spread_beyond_mean"] {
            let list = list(&json, side);
            assert_eq!(list["tested"], serde_json::json!([]), "{list}");
            assert!(
                list["why_none"].as_str().unwrap().contains("seed"),
                "{list}"
            );
        }
        assert!(!text.contains("moves the spread"), "{text}");
    }
}

/// Welch's intervals of the five means of each learner.
#[test]
fn case_4_learners_without_common_seeds() {
    for (table, lower, upper) in [
        ("disjoint_seeds.csv", 0.087, 0.111),
        ("no_seed_column.csv", 0.078, 0.115),
    ] {
        let (_, text, json) = analysed(table, &[]);
        let pair = &json["settings"][0]["all"]["comparisons"]["pairs"][0];
        let interval = &pair["unpaired"]["difference"]["interval"];
        near(&interval["lower"], -upper, 0.0005);
        near(&interval["upper"], -lower, 0.0005);
        assert!(text.contains("B is better than A"), "{text}");
    }
}

/// Returns of any size, and shares of a reference above 1: the means of `statistics.mean`.
#[test]
fn case_6_scores_in_another_unit() {
    for (table, unit, maml, pearl) in [
        ("rl_returns.csv", "return", 516.9632, 693.0568),
        (
            "normalized_above_one.csv",
            "normalised return",
            1.31016,
            1.54664,
        ),
    ] {
        refused(table, &[], &[&format!("{table}:"), "--unit return"]);
        let (_, text, json) = analysed(table, &["--unit", unit]);
        near(&mean(&json, "maml"), maml, 1e-6 * maml);
        near(&mean(&json, "pearl"), pearl, 1e-6 * pearl);
        assert!(!text.contains("accurac") && !text.contains(" pp"), "{text}");
    }
}

/// B is 2.0564 points above A on average, and above it on each of five sets; of returns, pearl is 176 above maml.
#[test]
fn case_7_the_better_level_by_measured_means() {
    let flags = ["--factor", "algo,dataset", "--stream", "seed_no"];
    let (_, text, json) = analysed("two_algos_five_sets_0.csv", &flags);
    let algo = best(&json, "algo");
    assert_eq!((&algo["top"], &algo["worst"]), (&"B".into(), &"A".into()));
    near(&algo["fall"]["value"], 0.020_564, 1e-9);
    assert_eq!(algo["kept"], serde_json::json!([["B", "B"]]));
    assert!(!text.contains("best at A"), "{text}");

    let flags = [
        "--factor", "algo,env", "--stream", "seed_no", "--unit", "return",
    ];
    let (_, text, json) = analysed("rl_returns_factors.csv", &flags);
    let algo = best(&json, "algo");
    assert_eq!(algo["top"], "pearl", "{algo}");
    near(&algo["fall"]["value"], 693.0568 - 516.9632, 1e-6);
    assert!(!text.contains("best at maml"), "{text}");
}

/// The loss is least at 0.034 and largest at the ends, 0.001 and 0.83.
#[test]
fn case_8_of_a_loss_the_least_is_best() {
    let flags = [
        "--log",
        "lr",
        "--stream",
        "seed_no",
        "--unit",
        "loss",
        "--direction",
        "lower",
    ];
    let (receipt, _, json) = analysed("loss_response.csv", &flags);
    let basin = &list(&json, "mean")["ranked"]["factors"][0]["basin"];
    let level = |name: &str| basin[name].as_str().unwrap().parse::<f64>().unwrap();
    assert!((0.025..0.045).contains(&level("best")), "{basin}");
    assert!(level("low") < 0.034 && 0.034 < level("high"), "{basin}");
    assert!(receipt.contains("less is better"), "{receipt}");
    // Without the flag, the receipt says which end was taken for the better one.
    let (receipt, _, _) = analysed("loss_response.csv", &flags[..6]);
    assert!(receipt.contains("--direction lower"), "{receipt}");
}

#[test]
fn case_10_one_bad_cell_changes_no_type() {
    refused(
        "one_bad_cell_in_factor.csv",
        &["--factor", "a,b"],
        &[
            "one_bad_cell_in_factor.csv:19",
            "column 2 (`a`)",
            "`0,3769`",
            "--category a",
        ],
    );
    let (_, text, _) = analysed("clean_factor.csv", &["--factor", "a,b"]);
    assert!(text.contains("a moves the mean"), "{text}");
}

/// Momentum is there for SGD alone. No run has a second seed, so that no spread is spoken of.
#[test]
fn case_11_a_setting_that_does_not_apply() {
    for table in ["conditional_parameter.csv", "conditional_parameter_nan.csv"] {
        let flags = ["--factor", "optimizer,momentum", "--log", "lr"];
        let (receipt, text, json) = analysed(table, &flags);
        assert!(
            receipt.contains("`momentum` applies where optimizer = sgd"),
            "{receipt}"
        );
        assert!(!text.contains("moves the spread"), "{text}");
        assert_eq!(list(&json, "spread")["tested"], serde_json::json!([]));
    }
}

#[test]
fn case_12_a_setting_that_never_varied() {
    refused(
        "constant_category.csv",
        &["--factor", "lr,optimizer"],
        &[
            "constant_category.csv:2",
            "column 3 (`optimizer`)",
            "`adam`",
            "--ignore optimizer",
        ],
    );
    refused(
        "seventy_categories.csv",
        &["--factor", "config,x"],
        &["seventy_categories.csv:", "(`config`)", "--ignore config"],
    );
}

#[test]
fn case_13_numbers_that_are_names() {
    let flags = ["--factor", "optimizer_id,dropout"];
    let (receipt, _, _) = analysed("category_as_number.csv", &flags);
    assert!(receipt.contains("say --category optimizer_id"), "{receipt}");
    let flags = ["--category", "optimizer_id", "--factor", "dropout"];
    let (receipt, _, json) = analysed("category_as_number.csv", &flags);
    assert!(
        receipt.contains("`optimizer_id` factor (names)"),
        "{receipt}"
    );
    let top = best(&json, "optimizer_id")["top"].as_str().unwrap();
    assert!(["0", "1", "2", "3", "4"].contains(&top), "{top}");
}

/// A mean in single precision may pass 1 by rounding.
#[test]
fn case_9_one_in_single_precision() {
    let (_, _, json) = analysed("float32_above_one.csv", &[]);
    let lower = mean(&json, "maml").as_f64().unwrap();
    assert!((0.0..1.0).contains(&lower));
}

/// The failed run has no score, and the others have theirs.
#[test]
fn case_19_a_failed_run_is_counted_as_one() {
    for table in ["nan_with_failed.csv", "failed_run_with_part_of_scores.csv"] {
        let (_, text, json) = analysed(table, &[]);
        let learners = json["settings"][0]["learners"].as_array().unwrap();
        let failed = |it: &Value| it["failures"]["failed"].as_array().unwrap().len();
        assert_eq!(learners.iter().map(failed).sum::<usize>(), 1, "{text}");
    }
}

/// Each run has 30 tasks of its own: its mean counts, and no task is compared with another's.
#[test]
fn case_20_episodes_of_a_runs_own() {
    let (receipt, text, json) = analysed("own_episodes_own_names.csv", &[]);
    assert!(receipt.contains("no task occurs in two runs"), "{receipt}");
    near(&mean(&json, "maml"), 0.598_766_666_666_666_7, 1e-12);
    near(&mean(&json, "proto"), 0.621_65, 1e-12);
    assert!(!text.contains("share one list of tasks"), "{text}");
}

/// Four splits with 20 tasks each.
#[test]
fn case_21_tasks_that_go_with_the_split() {
    let (receipt, text, json) = analysed("streams_tasks_by_split.csv", &["--stream", "split,init"]);
    assert!(
        receipt.contains("fall into 4 groups without a common task"),
        "{receipt}"
    );
    let alone = json["all"]["sources"]["alone"].as_array().unwrap();
    let names: Vec<&str> = alone
        .iter()
        .map(|it| it["source"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"split") && names.contains(&"init"),
        "{names:?}"
    );
    assert!(!text.contains("share one list of tasks"), "{text}");
}

/// Ten runs were tested, though nothing says on how many queries.
#[test]
fn case_23_a_missing_column_is_no_missing_run() {
    let (receipt, text, json) = analysed("same_seeds.csv", &[]);
    near(&mean(&json, "A"), 0.595_183_5, 1e-12);
    near(&mean(&json, "B"), 0.691_658_5, 1e-12);
    assert!(receipt.contains("`queries`"), "{receipt}");
    for never in [
        "No run reached its test",
        "two tested runs",
        "no learner has them",
        "no tested run",
    ] {
        assert!(!text.contains(never), "{never}: {text}");
    }
}

/// Student's paired t over five seeds: `scipy.stats.ttest_rel`.
#[test]
fn case_24_one_task_and_five_shared_seeds() {
    let (_, text, json) = analysed("one_score_constant_task.csv", &[]);
    let pair = &json["settings"][0]["all"]["comparisons"]["pairs"][0];
    assert_eq!(pair["seeds"], serde_json::json!([0, 1, 2, 3, 4]));
    let difference = &pair["paired"]["difference"];
    near(&difference["value"], -0.031_22, 1e-9);
    near(&difference["interval"]["lower"], -0.043_233_187, 1e-6);
    near(&difference["interval"]["upper"], -0.019_206_813, 1e-6);
    assert!(!text.contains("single seed"), "{text}");
}

#[test]
fn case_25_copies_and_the_edge_of_the_scale() {
    let (receipt, text, json) = analysed("seed_does_nothing.csv", &[]);
    near(&mean(&json, "probe"), 0.6823, 1e-9);
    assert!(receipt.contains("equal scores on every task"), "{receipt}");
    assert!(
        text.contains("The runs of probe have the same mean"),
        "{text}"
    );
    let (_, text, json) = analysed("all_hundred_percent.csv", &[]);
    near(&mean(&json, "proto"), 1.0, 0.0);
    let spread = &json["settings"][0]["learners"][0]["all"]["spread"];
    assert_eq!(spread["prediction"], Value::Null, "{spread}");
    for never in ["between 100.00 % and 100.00 %", "0.00 [0.00, 0.00]"] {
        assert!(!text.contains(never), "{never}: {text}");
    }
}

/// One test task says nothing of others, and two say it with Student's t: 12.706 standard errors to either side, not 1.96.
#[test]
fn case_26_few_episodes() {
    let bench = Bench::new(&[("[learners.maml]\ninner_steps = 2\n", "")]);
    bench.experiment(&["--out", "out"]);
    let checkpoint = "out/runs/protonet-glyphs-3w1s-s0/last.safetensors";
    let said = |flags: &[&str]| {
        let output = bench.run(&[&["evaluate", checkpoint], flags].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(!said(&["--episodes", "1"]).contains("+-"));
    // The first seed whose two tasks differ.
    let two = (0..20).find_map(|seed| {
        let flags = ["--episodes", "2", "--seed", &format!("{seed}"), "--json"];
        let found: Value = serde_json::from_str(&said(&flags)).unwrap();
        let of = |at: usize| found["task_accuracy"][at].as_f64().unwrap();
        (of(0).to_bits() != of(1).to_bits()).then(|| (seed, (of(0) - of(1)).abs() / 2.0))
    });
    let (seed, error) = two.unwrap();
    let text = said(&["--episodes", "2", "--seed", &format!("{seed}")]);
    let half = format!("+- {:.2}", 100.0 * 12.706_205 * error);
    assert!(text.contains(&half), "{half}: {text}");
}
