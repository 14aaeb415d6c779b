//! How heavy the tails of a few runs are, and what follows for their variance.

use crate::summary::{mean, sorted, variance};

/// Fewest runs from which a kurtosis, and with it a ratio of spreads, is judged: below, no method known here keeps its error rate where
/// seeds have heavy tails (docs/calibration.md).
pub(crate) const FEWEST_RUNS: usize = 5;

/// Variance of the logarithm of a variance of `n` runs: `(g - (n - 3)/n)/(n - 1)`, with `g` the kurtosis.
pub(crate) fn variance_of_log(kurtosis: f64, n: usize) -> f64 {
    let n = n as f64;
    ((kurtosis - (n - 3.0) / n) / (n - 1.0)).max(0.0)
}

/// Kurtosis of groups together, about their trimmed means: 3 for normal runs, and not under what a group of that size has
/// at least.
///
/// # Source
/// Bonett 2006, Applied Psychological Measurement 30, 432-439, equations 3 and 4.
pub(crate) fn pooled_kurtosis(groups: &[&[f64]]) -> f64 {
    let (mut fourth, mut second, mut n) = (0.0, 0.0, 0.0);
    for &runs in groups {
        let share = 1.0 / (2.0 * (runs.len() as f64 - 4.0).max(1.0).sqrt());
        let cut = ((share * runs.len() as f64) as usize).min((runs.len() - 1) / 2);
        let middle = mean(&sorted(runs)[cut..runs.len() - cut]);
        let center = mean(runs);
        // Each group on its own scale, or the wider one would hide the tails of the other.
        let scale = variance(runs).max(f64::MIN_POSITIVE);
        for run in runs {
            fourth += (run - middle).powi(4) / (scale * scale);
            second += (run - center).powi(2) / scale;
        }
        n += runs.len() as f64;
    }
    if second > 0.0 {
        n * fourth / (second * second)
    } else {
        3.0
    }
}
