//! Which factors move a response that was seen with the same seeds at several points? Then runs of one seed are not independent,
//! and what a factor does has to hold from seed to seed as well as from point to point.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, DVector};

use super::columns::{beside, orthonormal, without};
use super::max_t::{Answer, Question, residual, stepwise};
use super::table::FactorTable;
use crate::distribution::fisher_tail;

/// The seeds of a table as far as points share them.
pub(super) struct Seeds {
    /// The seed of each run, as a number of its own.
    pub(super) of_run: Vec<usize>,
    /// Different seeds.
    pub(super) n: usize,
    /// Whether one seed occurs at several points.
    pub(super) shared: bool,
}

/// The seeds of a table: all streams of a run together, or the stream that repeats most over points if no whole bundle does.
/// Without streams every run has a seed of its own.
pub(super) fn seeds(table: &FactorTable) -> Seeds {
    let points = table.points();
    let whole: Vec<String> = table
        .runs
        .iter()
        .map(|run| run.streams.join("\u{1f}"))
        .collect();
    let mut candidates = vec![whole];
    for at in 0..table.streams.len() {
        candidates.push(
            table
                .runs
                .iter()
                .map(|run| run.streams[at].clone())
                .collect(),
        );
    }
    if table.streams.is_empty() {
        let n = table.runs.len();
        return Seeds {
            of_run: (0..n).collect(),
            n,
            shared: false,
        };
    }
    let mut found: Vec<Seeds> = candidates
        .iter()
        .map(|labels| numbered(labels, &points))
        .collect();
    let shared = (1..found.len()).filter(|&at| found[at].shared);
    let fewest = shared.min_by_key(|&at| found[at].n);
    match fewest {
        Some(at) if !found[0].shared => found.swap_remove(at),
        _ => found.swap_remove(0),
    }
}

fn numbered(labels: &[String], points: &[Vec<usize>]) -> Seeds {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for label in labels {
        let next = numbers.len();
        numbers.entry(label).or_insert(next);
    }
    let of_run: Vec<usize> = labels.iter().map(|label| numbers[label.as_str()]).collect();
    let mut first_point = vec![None; numbers.len()];
    let mut shared = false;
    for (point, runs) in points.iter().enumerate() {
        for &run in runs {
            let seen = first_point[of_run[run]].get_or_insert(point);
            shared |= *seen != point;
        }
    }
    Seeds {
        n: numbers.len(),
        of_run,
        shared,
    }
}

/// The test with both kinds of repetition: `F = (|c|^2 / k) / (a + b)`, `c` the mean over seeds of a factor's `k` coefficients,
/// `a` their variance over seeds divided by the number of seeds, `b` the variance that the scatter of the points about the
/// design gives; Satterthwaite's degrees of freedom, Bonferroni over the open factors. Adding both counts what they have in
/// common twice, so the test is careful rather than exact.
///
/// `by_seed[seed][point]`: the response of that seed there; none where it has none. `n_fitted`: seeds' worth of freedom that went
/// into the responses (one if they are distances from the mean of the seeds of a point): such responses agree more than seeds do,
/// and `a` is raised by `(R - 1)/(R - 1 - n_fitted)`.
///
/// # Source
/// Two-way clustered variances: Cameron, Gelbach and Miller 2011, without the part that they subtract.
pub(super) fn over_seeds(
    question: &Question<'_>,
    by_seed: &[Vec<Option<f64>>],
    n_fitted: usize,
) -> Vec<Answer> {
    stepwise(question, |basis, open| {
        let found = open.iter().map(|&factor| {
            let directions = orthonormal(&without(&question.factors[factor], basis));
            let p = one(
                &question.responses[0],
                by_seed,
                n_fitted,
                basis,
                &directions,
            );
            (p * open.len() as f64).min(1.0)
        });
        found.collect()
    })
}

fn one(
    response: &[f64],
    by_seed: &[Vec<Option<f64>>],
    n_fitted: usize,
    basis: &DMatrix<f64>,
    directions: &DMatrix<f64>,
) -> f64 {
    let k = directions.ncols();
    let rest = response.len() as f64 - (basis.ncols() + k) as f64;
    if k == 0 || rest < 1.0 {
        return 1.0;
    }
    let coefficients: Vec<DVector<f64>> = by_seed
        .iter()
        .filter_map(|values| of_seed(values, basis, directions))
        .collect();
    let n = coefficients.len();
    if n < 2 + n_fitted {
        return 1.0;
    }
    let mean = coefficients.iter().sum::<DVector<f64>>() / n as f64;
    let scatter: f64 = coefficients
        .iter()
        .map(|c| (c - &mean).norm_squared())
        .sum();
    let seed_df = (k * (n - 1)) as f64;
    let raised = (n - 1) as f64 / (n - 1 - n_fitted) as f64;
    let over_seeds = raised * scatter / seed_df / n as f64;
    let left = residual(&DVector::from_column_slice(response), basis);
    let over_points =
        (left.norm_squared() - (directions.transpose() * &left).norm_squared()).max(0.0) / rest;
    let total = over_seeds + over_points;
    if total <= 0.0 {
        return if mean.norm() > 0.0 { 0.0 } else { 1.0 };
    }
    let df = total * total / (over_seeds * over_seeds / seed_df + over_points * over_points / rest);
    fisher_tail(mean.norm_squared() / k as f64 / total, k as f64, df)
}

/// Coefficients of the directions, by least squares on the points that this seed has; none if they are too few.
fn of_seed(
    values: &[Option<f64>],
    basis: &DMatrix<f64>,
    directions: &DMatrix<f64>,
) -> Option<DVector<f64>> {
    let here: Vec<usize> = (0..values.len())
        .filter(|&at| values[at].is_some())
        .collect();
    let design = beside(directions, basis);
    if here.len() <= design.ncols() {
        return None;
    }
    let x = design.select_rows(&here);
    let y = DVector::from_iterator(here.len(), here.iter().filter_map(|&at| values[at]));
    let inverse = (x.transpose() * &x).cholesky()?;
    let all = inverse.solve(&(x.transpose() * y));
    Some(all.rows(0, directions.ncols()).into_owned())
}
