//! The validation curve of a run, as it was logged and smoothed.

use crate::record::Run;
use crate::summary::mean;

/// Validation accuracies of a run, `(step, accuracy)`, in the order of the log.
#[must_use]
pub fn validation_curve(run: &Run) -> Vec<(usize, f64)> {
    run.history
        .iter()
        .filter_map(|progress| Some((progress.step, progress.validation_accuracy?)))
        .collect()
}

/// Trailing mean over the last `window` checks (fewer at the start).
#[must_use]
pub fn smoothed(curve: &[(usize, f64)], window: usize) -> Vec<(usize, f64)> {
    let accuracies: Vec<f64> = curve.iter().map(|point| point.1).collect();
    let smooth = |end: usize| mean(&accuracies[(end + 1).saturating_sub(window.max(1))..=end]);
    curve
        .iter()
        .enumerate()
        .map(|(at, point)| (point.0, smooth(at)))
        .collect()
}
