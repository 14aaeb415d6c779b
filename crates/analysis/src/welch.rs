//! Two sets of run means that share no seed.

use serde::{Deserialize, Serialize};

use crate::distribution::student_two_sided;
use crate::estimate::{Estimate, Interval};
use crate::summary::{NO_SCATTER, mean, variance};

/// Two learners by the means of all their runs, whether or not they share seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnpairedComparison {
    /// Mean of A's runs minus mean of B's, for other trainings on these tasks.
    pub difference: Estimate,
    /// Runs of A and of B.
    pub n_runs: [usize; 2],
    /// Welch's degrees of freedom.
    pub df: f64,
    /// Two-sided p-value of "no difference".
    pub p: f64,
}

/// Welch's comparison of two sets of run means: `mean(a) - mean(b)` with standard error `sqrt(s_a^2/n_a + s_b^2/n_b)`
/// and `df = (v_a + v_b)^2 / (v_a^2/(n_a - 1) + v_b^2/(n_b - 1))`, where `v = s^2/n`. None if either set has fewer than
/// two runs, or if no run differs from another of its set: then there is no scale to measure by.
///
/// # Source
/// Welch 1947, Biometrika 34, 28-35.
#[must_use]
pub fn compare_unpaired(a: &[f64], b: &[f64], level: f64) -> Option<UnpairedComparison> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let (v_a, v_b) = (variance(a) / n_a, variance(b) / n_b);
    let variance_of_mean = v_a + v_b;
    let size = a
        .iter()
        .chain(b)
        .fold(1.0_f64, |most, it| most.max(it.abs()));
    if variance(a).max(variance(b)).sqrt() <= NO_SCATTER * size {
        return None;
    }
    let df = variance_of_mean.powi(2) / (v_a * v_a / (n_a - 1.0) + v_b * v_b / (n_b - 1.0));
    let value = mean(a) - mean(b);
    let method = "Welch over runs";
    Some(UnpairedComparison {
        difference: Estimate::new(
            value,
            Interval::student(value, variance_of_mean, df, level, method),
        ),
        n_runs: [a.len(), b.len()],
        df,
        p: student_two_sided(value / variance_of_mean.sqrt(), df),
    })
}
