//! Tables that were made elsewhere.

use std::fs;

use crate::support::{Bench, stderr, stdout};

/// 3 seeds of two learners on 20 tasks of 15 queries; the second is worse by four queries on odd tasks, and by one more on tasks that
/// its seed decides.
fn scores() -> String {
    let mut text = String::from("run,learner,seed,setting,task,score,queries,way\n");
    for (learner, seed, task) in (0..120).map(|at| (at / 60, at / 20 % 3, at % 20)) {
        let by_seed = [1, 0, 0][(task + 2 * seed) % 3];
        let right = 13 - (task * 7 + seed * 5) % 3 - learner * (4 * (task % 2) + by_seed);
        let name = ["ours", "theirs"][learner];
        text += &format!(
            "{name}-{seed},{name},{seed},omniglot,t{task},{},15,5\n",
            right as f64 / 15.0
        );
    }
    text
}

fn succeeds(bench: &Bench, arguments: &[&str]) -> String {
    let output = bench.run(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_table_of_scores_gives_the_report() {
    let bench = Bench::new(&[]);
    fs::write(bench.path("scores.csv"), scores()).unwrap();
    let arguments = ["analyze", "scores.csv", "--out", "out"];
    let first = succeeds(&bench, &arguments);
    assert!(
        first.contains("ours") && first.contains("theirs") && first.contains("3 × 20"),
        "{first}"
    );
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("ours is better than theirs in mean accuracy"));
    assert!(page.contains("metastable analyze scores.csv --out out"));
    let json = fs::read(bench.path("out/report.json")).unwrap();
    succeeds(&bench, &arguments);
    assert_eq!(
        json,
        fs::read(bench.path("out/report.json")).unwrap(),
        "the same table, the same bytes"
    );
}

#[test]
fn a_search_gives_tested_lists() {
    let bench = Bench::new(&[]);
    let mut text = String::from("run,inner_lr,norm,seed_bundle,score,failed\n");
    for (point, bundle) in (0..120).map(|at| (at / 3, at % 3)) {
        let lr = 0.01 * 10f64.powf(2.0 * f64::from(point * 7 % 40) / 39.0);
        let norm = ["batch", "none"][(point % 2) as usize];
        let score = 0.9 - 0.1 * (lr.log10() + 1.0).powi(2)
            + 0.003 * f64::from((point * 5 + bundle * 3) % 7);
        text += &format!("p{point}-{bundle},{lr},{norm},{bundle},{score},no\n");
    }
    fs::write(bench.path("search.csv"), text).unwrap();
    let arguments = [
        "analyze",
        "search.csv",
        "--log",
        "inner_lr",
        "--factor",
        "norm",
        "--stream",
        "seed_bundle",
        "--out",
        "out",
    ];
    let shown = succeeds(&bench, &arguments);
    assert!(
        shown.contains("mean") && shown.contains("inner_lr"),
        "{shown}"
    );
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("moves the mean of score; the other factor is not settled"));
    // The same three bundles at every point.
    assert!(page.contains("tested over 3 different seeds and 40 points"));
    assert!(page.contains("none of the 120 runs failed"));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let bench = Bench::new(&[]);
    fs::write(
        bench.path("scores.csv"),
        scores().replacen("0.8666666666666667", "86.7", 1),
    )
    .unwrap();
    bench.refuses(
        &["analyze", "scores.csv", "--out", "out"],
        &["scores.csv:2", "column 6 (`score`)", "86.7"],
    );
    assert!(!bench.path("out").exists());
    bench.refuses(
        &["analyze", "scores.csv", "--factor", "nrom"],
        &["--factor nrom", "no such column"],
    );
    bench.refuses(&["analyze", "absent.csv"], &["absent.csv"]);
}
