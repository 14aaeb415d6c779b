//! Variance components: other software, identities, and coverage on simulated designs whose truth is known.

use metastable_analysis::AnalysisError;
use metastable_analysis::ScoreMatrix;
use metastable_analysis::components::components;
use metastable_analysis::factors::design::{DesignTable, Terms};
use metastable_analysis::factors::variance::{
    QUERIES, REST, VarianceComponents, VarianceMethod, VarianceOptions, variance_components,
};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use toml::{Table, Value};

use crate::support::{close, normal, rng, uniform};

const OPTIONS: VarianceOptions = VarianceOptions {
    seed: 1,
    level: 0.95,
    n_draws: 400,
    queries: None,
};

fn found(table: &DesignTable, terms: &Terms) -> VarianceComponents {
    variance_components(table, terms, OPTIONS).unwrap()
}

/// With draws of its own, so that the draws' error is not the same in every simulated table.
fn drawn(table: &DesignTable, seed: u64) -> VarianceComponents {
    let options = VarianceOptions {
        seed,
        n_draws: 2000,
        ..OPTIONS
    };
    variance_components(table, &Terms::Main, options).unwrap()
}

fn listed(terms: &[&[&str]]) -> Terms {
    let owned = |term: &&[&str]| term.iter().map(|name| (*name).to_owned()).collect();
    Terms::Listed(terms.iter().map(owned).collect())
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_float().unwrap())
        .collect()
}

fn words(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect()
}

/// statsmodels stops when its likelihood changes by about 1e-8 of itself: variances then agree to a few in a thousand of
/// the total, and ours may only be more likely.
#[test]
fn restricted_likelihood_of_statsmodels() {
    let values: Table = include_str!("../golden/factors.toml").parse().unwrap();
    for (label, case) in values["reml"].as_table().unwrap() {
        let labels: Vec<Vec<String>> = case["levels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                row.as_array()
                    .unwrap()
                    .iter()
                    .map(ToString::to_string)
                    .collect()
            })
            .collect();
        let table =
            DesignTable::from_labels(&words(&case["names"]), &labels, &numbers(&case["values"]))
                .unwrap();
        let terms = case["terms"]
            .as_array()
            .unwrap()
            .iter()
            .map(words)
            .collect();
        let result = found(&table, &Terms::Listed(terms));
        assert_eq!(result.method, VarianceMethod::Reml);
        let expected = numbers(&case["variances"]);
        for (source, expected) in result.sources.iter().zip(&expected) {
            let difference = (source.variance.value - expected).abs() / result.total;
            assert!(
                difference < 1e-4,
                "{label} {}: {source:?} for {expected}",
                source.source
            );
            let interval = source.variance.interval.as_ref().unwrap();
            assert!(
                interval.contains(source.variance.value),
                "{label} {source:?}"
            );
        }
    }
}

/// In a balanced table without negative estimates both methods maximize the same thing; here the balance is broken by
/// nothing but an observation that is given twice and the second time away.
#[test]
fn both_methods_agree_on_balanced_tables() {
    let mut rng = rng(31);
    let sd = [1.0, 2.0, 0.5];
    let table = crossed_two(&mut rng, 6, 8, 1, sd);
    let squares = found(&table, &Terms::Main);
    let restricted = variance_components(&one_cell_doubled(&table), &Terms::Main, OPTIONS).unwrap();
    assert_eq!(squares.method, VarianceMethod::ExpectedMeanSquares);
    assert_eq!(restricted.method, VarianceMethod::Reml);
    for (a, b) in squares.sources.iter().zip(&restricted.sources) {
        assert!(!a.was_negative());
        // One more observation at its own cell's mean moves a variance by about 1 part in 48.
        assert!(
            (a.variance.value / b.variance.value - 1.0).abs() < 0.06,
            "{a:?} {b:?}"
        );
    }
}

fn one_cell_doubled(table: &DesignTable) -> DesignTable {
    let [rows, columns] = table.n_levels() else {
        panic!("two factors")
    };
    let mut labels: Vec<Vec<String>> = (0..rows * columns)
        .map(|at| vec![(at / columns).to_string(), (at % columns).to_string()])
        .collect();
    let mut values = table.values().to_vec();
    labels.push(labels[0].clone());
    values.push(values[0]);
    DesignTable::from_labels(table.names(), &labels, &values).unwrap()
}

#[test]
fn the_crossed_table_of_runs_and_tasks_is_a_special_case() {
    let mut rng = rng(32);
    let table = crossed_two(&mut rng, 5, 30, 1, [0.02, 0.05, 0.03]);
    let scores = ScoreMatrix::from_flat(5, 30, table.values().to_vec()).unwrap();
    let known = components(&scores, None, 0.95).unwrap();
    let result = found(&table, &Terms::Main);
    for (source, raw) in
        result
            .sources
            .iter()
            .zip([known.run.raw, known.task.raw, known.residual.raw])
    {
        close(source.raw, raw, 1e-12, &source.source);
    }
    close(result.mean, known.mean, 1e-12, "mean");
    let shares: f64 = result.sources.iter().map(|s| s.share.value).sum();
    close(shares, 1.0, 1e-12, "shares");
}

/// Supports drawn anew in each task, by the textbook's formulas of the two-stage nested design (Searle et al. 1992,
/// section 4.6): `v_support = (MS_support - MS_rest) / n`, `v_task = (MS_task - MS_support) / (b n)`.
#[test]
fn nested_designs_by_hand() {
    let (a, b, n) = (3, 2, 2);
    let values = vec![1., 2., 4., 5., 7., 9., 6., 8., 3., 3., 1., 0.];
    let table = DesignTable::crossed(&["task", "support"], &[a, b], n, values.clone()).unwrap();
    let result = found(&table, &listed(&[&["task"], &["task", "support"]]));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let center = mean(&values);
    let task: f64 = values
        .chunks(b * n)
        .map(|c| (mean(c) - center).powi(2))
        .sum::<f64>()
        * (b * n) as f64
        / (a - 1) as f64;
    let support: f64 = values
        .chunks(b * n)
        .flat_map(|c| {
            c.chunks(n)
                .map(|s| (mean(s) - mean(c)).powi(2))
                .collect::<Vec<_>>()
        })
        .sum::<f64>()
        * n as f64
        / (a * (b - 1)) as f64;
    let rest: f64 = values
        .chunks(n)
        .flat_map(|s| s.iter().map(|v| (v - mean(s)).powi(2)))
        .sum::<f64>()
        / (a * b * (n - 1)) as f64;
    let expected = [
        (task - support) / (b * n) as f64,
        (support - rest) / n as f64,
        rest,
    ];
    for (source, expected) in result.sources.iter().zip(expected) {
        close(source.raw, expected, 1e-12, &source.source);
    }
    let names: Vec<&str> = result.sources.iter().map(|s| s.source.as_str()).collect();
    assert_eq!(names, ["task", "task:support", REST]);
}

fn effects(rng: &mut ChaCha8Rng, n: usize, sd: f64) -> Vec<f64> {
    (0..n).map(|_| sd * normal(rng)).collect()
}

fn crossed_two(
    rng: &mut ChaCha8Rng,
    rows: usize,
    columns: usize,
    n: usize,
    sd: [f64; 3],
) -> DesignTable {
    let (a, b) = (effects(rng, rows, sd[0]), effects(rng, columns, sd[1]));
    let value = |at: usize| a[at / n / columns] + b[at / n % columns];
    let values = (0..rows * columns * n)
        .map(|at| value(at) + sd[2] * normal(rng))
        .collect();
    DesignTable::crossed(&["run", "task"], &[rows, columns], n, values).unwrap()
}

/// Hits of each interval over `n` simulated tables, in thousandths.
fn coverage(
    n: u64,
    truth: &[f64],
    simulate: impl Fn(&mut ChaCha8Rng) -> DesignTable + Sync,
) -> Vec<f64> {
    let hits = (0..n)
        .into_par_iter()
        .map(|draw| {
            let result = drawn(&simulate(&mut rng(7_000 + draw)), draw);
            let hit = |(source, truth): (_, &f64)| {
                let source: &metastable_analysis::factors::variance::SourceVariance = source;
                f64::from(u8::from(
                    source.variance.interval.as_ref().unwrap().contains(*truth),
                ))
            };
            result
                .sources
                .iter()
                .zip(truth)
                .map(hit)
                .collect::<Vec<f64>>()
        })
        .collect::<Vec<_>>();
    (0..truth.len())
        .map(|at| 1000.0 * hits.iter().map(|row| row[at]).sum::<f64>() / n as f64)
        .collect()
}

/// 1,000 tables each; if coverage is 95 %, the count leaves 930 to 970 with probability 0.4 %, and each test looks at three
/// or four counts.
#[test]
fn generalized_intervals_cover() {
    let cover = coverage(
        1000,
        &[0.01f64.powi(2), 0.04f64.powi(2), 0.05f64.powi(2)],
        |rng| crossed_two(rng, 5, 100, 1, [0.01, 0.04, 0.05]),
    );
    assert!(
        cover.iter().all(|c| (930.0..=970.0).contains(c)),
        "runs x tasks: {cover:?}"
    );
    // The recommended plan: 3 splits x 3 initializations x 3 orders, each tested on 40 tasks.
    let sd = [0.02, 0.015, 0.01, 0.05, 0.04];
    let truth: Vec<f64> = sd.iter().map(|s| s * s).collect();
    let cover = coverage(1000, &truth, |rng| {
        let levels = [3, 3, 3, 40];
        let parts: Vec<Vec<f64>> = levels
            .iter()
            .zip(sd)
            .map(|(n, sd)| effects(rng, *n, sd))
            .collect();
        let mut values = Vec::new();
        for at in 0..27 * 40 {
            let sum = parts[0][at / 360]
                + parts[1][at / 120 % 3]
                + parts[2][at / 40 % 3]
                + parts[3][at % 40];
            values.push(sum + sd[4] * normal(rng));
        }
        let names = ["split", "init", "order", "task"];
        DesignTable::crossed(&names, &levels, 1, values).unwrap()
    });
    assert!(
        cover.iter().all(|c| (930.0..=970.0).contains(c)),
        "27 runs: {cover:?}"
    );
}

/// Stated limits: without any run effect the interval covers more than it says (0 is its lower limit), and the bootstrap
/// over five runs covers far less.
#[test]
fn where_coverage_is_not_what_it_says() {
    let sd = [0.0, 0.04, 0.05];
    let cover = coverage(400, &[0.0], |rng| crossed_two(rng, 5, 40, 1, sd));
    assert!(cover[0] > 965.0, "{cover:?}");
    let mut hits = [0; 4];
    for (hits, n_runs) in hits.iter_mut().zip([3, 5, 10, 20]) {
        for draw in 0..400 {
            let table = crossed_two(&mut rng(9_000 + draw), n_runs, 100, 1, [0.03, 0.04, 0.05]);
            let result = found(&table, &Terms::Main);
            *hits += u32::from(
                result.sources[0]
                    .bootstrap
                    .as_ref()
                    .unwrap()
                    .contains(0.0009),
            );
        }
    }
    // Of 400; a standard deviation is at most 10, and the bounds are three or more away.
    assert!(
        hits[0] < 220 && hits[1] < 290 && hits[3] > hits[2] && hits[3] < 378,
        "{hits:?}"
    );
}

/// 1,000 unbalanced tables (a fifth of the cells missing): a false alarm has the probability of the test above.
#[test]
fn profile_intervals_cover_unbalanced_tables() {
    let sd = [0.03, 0.04, 0.05];
    let truth: Vec<f64> = sd.iter().map(|s| s * s).collect();
    let cover = coverage(1000, &truth, |rng| {
        let (a, b) = (effects(rng, 6, sd[0]), effects(rng, 12, sd[1]));
        let (mut labels, mut values) = (Vec::new(), Vec::new());
        for (run, of_run) in a.iter().enumerate() {
            for (task, of_task) in b.iter().enumerate() {
                let value = of_run + of_task + sd[2] * normal(rng);
                if uniform(rng) > 0.2 {
                    labels.push(vec![run.to_string(), task.to_string()]);
                    values.push(value);
                }
            }
        }
        DesignTable::from_labels(&["run", "task"], &labels, &values).unwrap()
    });
    assert!(
        cover.iter().all(|c| (930.0..=970.0).contains(c)),
        "{cover:?}"
    );
}

#[test]
fn queries_have_a_row_of_their_own() {
    let mut rng = rng(33);
    let values: Vec<f64> = (0..6 * 50)
        .map(|_| (0..75).filter(|_| uniform(&mut rng) < 0.9).count() as f64 / 75.0)
        .collect();
    let table = DesignTable::crossed(&["run", "task"], &[6, 50], 1, values).unwrap();
    let options = VarianceOptions {
        queries: Some(75),
        ..OPTIONS
    };
    let result = variance_components(&table, &Terms::Main, options).unwrap();
    let row = |name: &str| result.sources.iter().find(|s| s.source == name).unwrap();
    // Nothing but coin flips: p (1 - p) / q, up to the scatter of 300 observations (8 %, five of which is a false alarm of
    // 1 in 10^6).
    assert!((row(QUERIES).variance.value / (0.09 / 75.0) - 1.0).abs() < 0.1);
    assert!(row(QUERIES).share.value > 0.8, "{:?}", row(QUERIES));
    let shares: f64 = result.sources.iter().map(|s| s.share.value).sum();
    close(shares, 1.0, 1e-12, "shares");
    let few = VarianceOptions {
        queries: Some(1),
        ..OPTIONS
    };
    assert!(matches!(
        variance_components(&table, &Terms::Main, few),
        Err(AnalysisError::TooFew { .. })
    ));
}

#[test]
fn refusals_say_what_to_do() {
    let values = (0..24).map(f64::from).collect();
    let table = DesignTable::crossed(&["a", "b", "c"], &[2, 3, 4], 1, values).unwrap();
    let message = |terms: Terms| {
        variance_components(&table, &terms, OPTIONS)
            .unwrap_err()
            .to_string()
    };
    assert!(message(listed(&[&["a", "b"], &["a", "c"]])).contains("also the term `a`"));
    assert!(message(listed(&[&["d"]])).contains("one of a, b, c"));
    let full = listed(&[
        &["a"],
        &["b"],
        &["c"],
        &["a", "b"],
        &["a", "c"],
        &["b", "c"],
        &["a", "b", "c"],
    ]);
    assert!(message(full).contains("leave out the term `a:b:c`"));
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let table = crossed_two(&mut rng(34), 4, 20, 1, [0.01, 0.04, 0.05]);
    let at = |n_threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build()
            .unwrap();
        pool.install(|| {
            variance_components(&table, &Terms::Main, VarianceOptions { seed, ..OPTIONS }).unwrap()
        })
    };
    assert_eq!(at(1, 1), at(3, 1));
    assert_ne!(at(1, 1), at(1, 2), "the seed is used");
}
