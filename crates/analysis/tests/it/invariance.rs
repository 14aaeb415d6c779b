//! What must not matter: the order of runs and tasks, the unit of the scores, the number of threads.

use metastable_analysis::components::components;
use metastable_analysis::robust::{
    Resampling, Strata, iqm, optimality_gap, probability_of_improvement, with_interval,
};
use metastable_analysis::spread::spread;
use metastable_analysis::tail::{cvar, tail};
use metastable_analysis::{Options, ScoreMatrix};
use proptest::prelude::*;

use crate::support::{close, rng, uniform};

/// Sums run in another order after a permutation: some hundred additions of numbers near 1.
const REORDERED: f64 = 1e-9;

fn tables() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (2_usize..6, 2_usize..9).prop_flat_map(|(runs, tasks)| {
        proptest::collection::vec(proptest::collection::vec(0.0..1.0_f64, tasks), runs)
    })
}

fn reversed(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    rows.iter()
        .rev()
        .map(|row| row.iter().rev().copied().collect())
        .collect()
}

fn mapped(rows: &[Vec<f64>], scale: f64, shift: f64) -> Vec<Vec<f64>> {
    rows.iter()
        .map(|row| row.iter().map(|x| scale * x + shift).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_does_not_matter(rows in tables()) {
        let one = ScoreMatrix::from_rows(&rows).unwrap();
        let other = ScoreMatrix::from_rows(&reversed(&rows)).unwrap();
        let (a, b) = (components(&one, Some(75), 0.95).unwrap(), components(&other, Some(75), 0.95).unwrap());
        close(a.mean, b.mean, REORDERED, "mean");
        close(a.run.variance, b.run.variance, REORDERED, "v_run");
        close(a.task.variance, b.task.variance, REORDERED, "v_task");
        close(a.residual.variance, b.residual.variance, REORDERED, "v_res");
        close(a.interval.lower, b.interval.lower, 1e-6, "lower");
        let (a, b) = (Strata::new(rows.clone()).unwrap(), Strata::new(reversed(&rows)).unwrap());
        close(iqm(&a), iqm(&b), REORDERED, "iqm");
        close(optimality_gap(&a, 0.9), optimality_gap(&b, 0.9), REORDERED, "gap");
        close(cvar(&rows[0], 0.3), cvar(&reversed(&rows)[rows.len() - 1], 0.3), REORDERED, "cvar");
    }

    #[test]
    fn units_carry_through(rows in tables(), scale in 0.1..10.0_f64, shift in -5.0..5.0_f64) {
        let one = ScoreMatrix::from_rows(&rows).unwrap();
        let other = ScoreMatrix::from_rows(&mapped(&rows, scale, shift)).unwrap();
        let (a, b) = (spread(&one, 0.95).unwrap(), spread(&other, 0.95).unwrap());
        close(b.mean.value, scale * a.mean.value + shift, REORDERED, "mean");
        close(b.seed_sd.unwrap().value, scale * a.seed_sd.unwrap().value, REORDERED, "seed sd");
        let (a, b) = (components(&one, None, 0.95).unwrap(), components(&other, None, 0.95).unwrap());
        close(b.variance_of_mean, scale * scale * a.variance_of_mean, REORDERED, "variance of mean");
        let (a, b) = (Strata::new(rows.clone()).unwrap(), Strata::new(mapped(&rows, scale, shift)).unwrap());
        close(iqm(&b), scale * iqm(&a) + shift, REORDERED, "iqm");
        let against = Strata::new(reversed(&rows)).unwrap();
        let mapped_against = Strata::new(mapped(&reversed(&rows), scale, shift)).unwrap();
        close(
            probability_of_improvement(&b, &mapped_against),
            probability_of_improvement(&a, &against),
            REORDERED,
            "probability of improvement",
        );
    }

    #[test]
    fn constant_scores_have_no_spread(value in 0.0..1.0_f64, n_runs in 2_usize..5, n_tasks in 2_usize..9) {
        let scores = ScoreMatrix::from_flat(n_runs, n_tasks, vec![value; n_runs * n_tasks]).unwrap();
        let found = components(&scores, None, 0.95).unwrap();
        close(found.interval.half_width(), 0.0, REORDERED, "half-width");
        close(iqm(&Strata::new(vec![vec![value; n_runs]; n_tasks]).unwrap()), value, REORDERED, "iqm");
    }
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let mut rng = rng(7);
    let values: Vec<f64> = (0..3 * 50)
        .map(|_| (75.0 * uniform(&mut rng)).round() / 75.0)
        .collect();
    let scores = ScoreMatrix::from_flat(3, 50, values.clone()).unwrap();
    let strata = Strata::new(values.chunks(50).map(<[f64]>::to_vec).collect()).unwrap();
    let options = Options {
        n_resamples: 2000,
        ..Options::default()
    };
    let how = Resampling {
        seed: 9,
        n_resamples: 2000,
        level: 0.95,
        settings: true,
        from_runs: 0,
    };
    let at = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build()
            .unwrap();
        pool.install(|| {
            (
                tail(&scores, 75, true, &options).unwrap(),
                with_interval(&strata, iqm, "iqm", how).unwrap(),
            )
        })
    };
    let one = at(1);
    assert_eq!(one, at(2));
    assert_eq!(one, at(4));
    let other = Resampling { seed: 10, ..how };
    assert_ne!(
        one.1,
        with_interval(&strata, iqm, "iqm", other).unwrap(),
        "the seed is used"
    );
}

#[test]
fn bad_tables_are_named() {
    let message = |rows: &[Vec<f64>]| ScoreMatrix::from_rows(rows).unwrap_err().to_string();
    assert_eq!(
        message(&[vec![0.5, 0.5], vec![0.5, f64::NAN]]),
        "score is NaN at run 1, task 1; every value has to be finite"
    );
    assert_eq!(
        message(&[vec![0.5, 0.5], vec![0.5]]),
        "scores of run 1: expected 2 values, got 1"
    );
    assert_eq!(
        message(&[]),
        "runs in the scores: 0 given, at least 1 needed"
    );
    assert_eq!(
        message(&[vec![]]),
        "tasks in the scores: 0 given, at least 1 needed"
    );
}
