//! Tables with holes: against statsmodels, against the complete case, and by simulation.

use metastable_analysis::components::components;
use metastable_analysis::incomplete::{adjusted_means, incomplete_components};
use metastable_analysis::{AnalysisError, ScoreMatrix};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use toml::Table;

/// Two optimizers on one likelihood: the values are flat at the minimum, the variances less so.
const MEAN: f64 = 2e-6;
const VARIANCE: f64 = 2e-3;

/// Within a share of the expected value.
fn near(what: &str, got: f64, expected: f64, share: f64) {
    assert!(
        (got / expected - 1.0).abs() < share,
        "{what}: {got} against {expected}"
    );
}

fn golden() -> (Table, Vec<Vec<Option<f64>>>) {
    let values: Table = include_str!("../golden/incomplete.toml").parse().unwrap();
    let mut cells = vec![vec![None; 12]; 5];
    for row in values["rows"].as_array().unwrap() {
        let row: Vec<f64> = row
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_float().unwrap())
            .collect();
        cells[row[0] as usize][row[1] as usize] = Some(row[2]);
    }
    (values, cells)
}

/// `tests/golden/make_incomplete.py`: MixedLM of statsmodels, restricted maximum likelihood.
#[test]
fn holes_are_filled_as_statsmodels_fills_them() {
    let (values, cells) = golden();
    let number = |name: &str| values[name].as_float().unwrap();
    let found = adjusted_means(&cells).unwrap();
    let expected = values["adjusted_means"].as_array().unwrap();
    for (mean, expected) in found.means.iter().zip(expected) {
        near("adjusted mean", *mean, expected.as_float().unwrap(), MEAN);
    }
    near(
        "task variance",
        found.task,
        number("adjusted_task_variance"),
        VARIANCE,
    );
    near(
        "residual",
        found.residual,
        number("adjusted_residual"),
        VARIANCE,
    );
    // A run with every task keeps its plain mean.
    let own: Vec<f64> = cells[1].iter().copied().flatten().collect();
    let plain = own.iter().sum::<f64>() / own.len() as f64;
    assert_eq!(own.len(), 12);
    near("complete run", found.means[1], plain, 1e-9);

    let both = incomplete_components(&cells, 0.95).unwrap();
    near("mean", both.mean, number("mean"), MEAN);
    near(
        "error",
        both.variance_of_mean.sqrt(),
        number("standard_error"),
        VARIANCE,
    );
    near(
        "run variance",
        both.run.variance,
        number("run_variance"),
        VARIANCE,
    );
    near(
        "task variance",
        both.task.variance,
        number("task_variance"),
        VARIANCE,
    );
    near(
        "residual",
        both.residual.variance,
        number("residual"),
        VARIANCE,
    );
}

/// Without a hole: plain means, and the components of the mean squares where none of them is negative.
#[test]
fn a_table_without_holes_is_a_complete_one() {
    let rows = [
        [0.96, 0.88, 0.92, 1.00],
        [0.92, 0.84, 0.92, 0.96],
        [0.98, 0.90, 0.96, 1.00],
    ];
    let cells: Vec<Vec<Option<f64>>> = rows
        .iter()
        .map(|row| row.iter().copied().map(Some).collect())
        .collect();
    for (mean, row) in adjusted_means(&cells).unwrap().means.iter().zip(rows) {
        near("mean", *mean, row.iter().sum::<f64>() / 4.0, 1e-9);
    }
    let whole = components(&ScoreMatrix::from_rows(&rows).unwrap(), None, 0.95).unwrap();
    let found = incomplete_components(&cells, 0.95).unwrap();
    near("mean", found.mean, whole.mean, 1e-9);
    near("df", found.df, whole.df, 1e-3);
    near(
        "half width",
        found.interval.half_width(),
        whole.interval.half_width(),
        1e-3,
    );
    for (a, b) in [
        (&found.run, &whole.run),
        (&found.task, &whole.task),
        (&found.residual, &whole.residual),
    ] {
        near("variance", a.variance, b.variance, 1e-3);
        near("share", a.share, b.share, 1e-3);
    }
}

/// Runs and tasks that add up without noise: `y_rt = r + t`. The second run lacks the easy task, and its mean is nevertheless one above.
#[test]
fn runs_that_add_up_are_told_exactly() {
    let cells = [
        vec![Some(1.0), Some(2.0), Some(9.0)],
        vec![Some(2.0), Some(3.0), None],
        vec![Some(1.5), None, Some(9.5)],
    ];
    let means = adjusted_means(&cells).unwrap().means;
    assert!((means[1] - means[0] - 1.0).abs() < 1e-3, "{means:?}");
    assert!((means[2] - means[0] - 0.5).abs() < 1e-3, "{means:?}");
}

#[test]
fn what_is_no_table_is_named() {
    let refused = |cells: &[Vec<Option<f64>>]| adjusted_means(cells).unwrap_err().to_string();
    assert!(refused(&[vec![Some(0.5)]]).contains("runs of an incomplete table"));
    assert!(refused(&[vec![Some(0.5), Some(0.1)], vec![None, None]]).contains("scores of run 1"));
    assert!(refused(&[vec![Some(0.5), Some(0.1)], vec![Some(0.5)]]).contains("scores of run 1"));
    assert!(refused(&[vec![Some(f64::NAN), None], vec![Some(0.5), None]]).contains("NaN"));
    let few = adjusted_means(&[vec![Some(0.5), None], vec![None, Some(0.5)]]);
    assert!(matches!(few, Err(AnalysisError::TooFew { .. })));
}

/// Five runs, twenty tasks, a fifth of the scores missing at random: the interval for other runs on other tasks holds the truth in 95 % of
/// tables, within the error of 400 of them and what Satterthwaite's approximation costs a complete table too.
#[test]
fn the_interval_of_an_incomplete_table_covers() {
    let mut covered = 0;
    for table in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(table);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let tasks: Vec<f64> = (0..20).map(|_| 0.08 * normal()).collect();
        let cells: Vec<Vec<Option<f64>>> = (0..5)
            .map(|_| {
                let run = 0.02 * normal();
                let score = |task: &f64| {
                    let score = 0.7 + run + task + 0.05 * normal();
                    // The lower fifth of a normal variate.
                    (normal() > -0.8416).then_some(score)
                };
                tasks.iter().map(score).collect()
            })
            .collect();
        let found = incomplete_components(&cells, 0.95).unwrap();
        covered += usize::from(found.interval.contains(0.7));
    }
    assert!((372..=396).contains(&covered), "{covered} of 400");
}
