//! The percentile bootstrap: repeatable, parallel, with bits that do not depend on the number of threads.
//!
//! (The public rliable library accepts a random state and then draws from the global generator; here the key is used.)

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::{AnalysisError, check_finite};
use crate::estimate::Interval;
use crate::random::generator;
use crate::summary::{quantile_of_sorted, sorted};

/// Values of `statistic` over `n_resamples` resamples, in order of the replicate.
///
/// Replicate `i` draws from a generator keyed by `(seed, purpose, i)` alone, so purposes do not disturb each other.
pub(crate) fn replicates<F>(seed: u64, purpose: &str, n_resamples: usize, statistic: F) -> Vec<f64>
where
    F: Fn(&mut ChaCha8Rng) -> f64 + Sync,
{
    (0..n_resamples as u64)
        .into_par_iter()
        .map(|replicate| statistic(&mut generator(seed, purpose, replicate)))
        .collect()
}

/// The percentile interval of replicates: their quantiles at `(1 - level) / 2` and `(1 + level) / 2`.
///
/// # Errors
/// [`AnalysisError::NotFinite`] with the number of the replicate on which the statistic was not finite.
pub(crate) fn percentile_interval(
    replicates: &[f64],
    level: f64,
    method: impl Into<String>,
) -> Result<Interval, AnalysisError> {
    check_finite("bootstrap replicate", replicates)?;
    let replicates = sorted(replicates);
    Ok(Interval {
        lower: quantile_of_sorted(&replicates, (1.0 - level) / 2.0),
        upper: quantile_of_sorted(&replicates, (1.0 + level) / 2.0),
        level,
        method: method.into(),
    })
}
