//! What every loss of labels makes of its rows: the mean negative log-likelihood.

use crate::Real;

/// A judged batch.
pub(super) struct Judged<T> {
    /// Mean negative log-likelihood of the labels, or the loss of values.
    pub(super) loss: T,
    /// `(n_judged, n_way)`; empty where outputs are no logits.
    pub(super) log_probabilities: Vec<T>,
}

impl<T: Real> Judged<T> {
    pub(super) fn new(log_probabilities: Vec<T>, n_way: usize, labels: &[usize]) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let share = T::of(1.0 / labels.len() as f64);
        let sum: T = log_probabilities
            .chunks_exact(n_way)
            .zip(labels)
            .map(|(row, label)| row[*label])
            .sum();
        Self {
            loss: -(sum * share),
            log_probabilities,
        }
    }
}
