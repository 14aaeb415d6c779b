//! E7: spikes of the training loss: how many, how high, how long.

use serde::{Deserialize, Serialize};

use crate::distribution::chi_square_quantile;
use crate::dynamics::{Spike, spike_rate, spikes};
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::{mean, median};

/// Spikes of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossSpikes {
    /// Spikes in 1,000 outer steps, over all runs.
    pub rate: Estimate,
    /// Outer steps of all runs.
    pub n_steps: usize,
    /// Spikes of all runs.
    pub n_spikes: usize,
    /// Median height above the threshold that was broken, in nats; absent without spikes of finite height.
    pub height: Option<f64>,
    /// Mean number of steps until the loss is back at the median before the spike; absent if no spike recovered.
    pub recovery: Option<f64>,
    /// Spikes from which the loss did not come back.
    pub n_lasting: usize,
    /// Each run, in order of seed.
    pub runs: Vec<RunSpikes>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpikes {
    /// Its seed.
    pub seed: u64,
    /// Its outer steps.
    pub n_steps: usize,
    /// Its spikes; `at` counts steps from 0.
    pub spikes: Vec<Spike>,
}

impl Measure for LossSpikes {
    const ID: &'static str = "spikes";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: LossSpikes::ID,
    title: "Spikes of the training loss (E7)",
    measure,
};

/// Events in 1,000 steps, with Garwood's exact interval for a Poisson count.
///
/// # Source
/// Garwood 1936: `chi2((1 - level) / 2; 2 n) / 2` to `chi2((1 + level) / 2; 2 n + 2) / 2` events.
#[must_use]
pub fn rate_per_thousand(n_events: usize, n_steps: usize, level: f64) -> Estimate {
    let scale = 1000.0 / n_steps.max(1) as f64;
    let n = n_events as f64;
    let lower = match n_events {
        0 => 0.0,
        _ => chi_square_quantile((1.0 - level) / 2.0, 2.0 * n) / 2.0,
    };
    let upper = chi_square_quantile((1.0 + level) / 2.0, 2.0 * n + 2.0) / 2.0;
    let interval = Interval {
        lower: scale * lower,
        upper: scale * upper,
        level,
        method: format!("Poisson, {n_events} events in {n_steps} steps"),
    };
    Estimate::new(scale * n, interval)
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let runs: Vec<RunSpikes> = group
        .runs
        .iter()
        .filter_map(|run| {
            let losses = run.training.as_ref()?.losses();
            (!losses.is_empty()).then(|| RunSpikes {
                seed: run.seed,
                n_steps: losses.len(),
                spikes: spikes(&losses),
            })
        })
        .collect();
    if runs.is_empty() {
        return Ok(Measured::absent());
    }
    let n_steps = runs.iter().map(|run| run.n_steps).sum();
    let all: Vec<Spike> = runs.iter().flat_map(|run| run.spikes.clone()).collect();
    let heights: Vec<f64> = all.iter().filter_map(|spike| spike.height).collect();
    let result = LossSpikes {
        rate: rate_per_thousand(all.len(), n_steps, options.level),
        n_steps,
        n_spikes: all.len(),
        height: (!heights.is_empty()).then(|| median(&heights)),
        recovery: spike_rate(&all, n_steps).1,
        n_lasting: all.iter().filter(|spike| spike.recovery.is_none()).count(),
        runs,
    };
    let text = match (result.n_spikes, result.rate.interval.as_ref()) {
        (0, Some(interval)) => format!(
            "The training loss of {} has no spike in {} steps; a rate of up to {:.2} in 1,000 is still compatible with that.",
            group.learner, result.n_steps, interval.upper
        ),
        (n, interval) => format!(
            "The training loss of {} spikes {n} times in {} steps, {:.2} in 1,000{}{}{}.",
            group.learner,
            result.n_steps,
            result.rate.value,
            interval.map_or_else(String::new, |i| format!(
                " ({:.2} to {:.2})",
                i.lower, i.upper
            )),
            result.recovery.map_or_else(String::new, |steps| format!(
                ", and is back after {steps:.0} steps on average"
            )),
            match result.n_lasting {
                0 => String::new(),
                n => format!("; after {n} of them it did not come back"),
            }
        ),
    };
    let finding = Finding::of_learner(group, LossSpikes::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

/// Mean loss of all runs over windows of `window` steps, `(last step of the window, losses of each run)`.
pub(crate) fn windows(losses: &[Vec<f64>], window: usize) -> Vec<(usize, Vec<f64>)> {
    let longest = losses.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest.div_ceil(window.max(1)))
        .map(|at| {
            let (start, end) = (at * window, ((at + 1) * window).min(longest));
            let of_runs = losses.iter().filter_map(|run| {
                let part = run.get(start..end.min(run.len()))?;
                (!part.is_empty()).then(|| mean(part))
            });
            (end, of_runs.collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Garwood's table: 0 events leave (0, 3.689), 10 events (4.795, 18.39) at 95 %.
    #[test]
    fn exact_poisson_limits() {
        for (n, lower, upper) in [(0, 0.0, 3.689), (10, 4.795, 18.39)] {
            let rate = rate_per_thousand(n, 1000, 0.95);
            let interval = rate.interval.unwrap();
            assert!((interval.lower - lower).abs() < 1e-3, "{interval:?}");
            assert!((interval.upper - upper).abs() < 5e-3, "{interval:?}");
        }
        let rate = rate_per_thousand(3, 6000, 0.95);
        assert!((rate.value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn windows_end_where_the_longest_run_does() {
        let found = windows(&[vec![1.0, 3.0, 5.0], vec![2.0]], 2);
        assert_eq!(found, vec![(2, vec![2.0, 2.0]), (3, vec![5.0])]);
    }
}
