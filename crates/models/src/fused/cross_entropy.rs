//! Cross-entropy of the outputs of a linear head.

use super::judged::Judged;
use super::softmax::{log_softmax, softmax_tangent};
use crate::Real;

/// Loss, log-probabilities, and the gradient at the logits, `(softmax - one-hot) / n`.
pub(super) fn forward<T: Real>(
    logits: &[T],
    n_way: usize,
    labels: &[usize],
) -> (Judged<T>, Vec<T>) {
    let judged = Judged::new(log_probabilities(logits, n_way), n_way, labels);
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let share = T::of(1.0 / labels.len() as f64);
    let mut gradient: Vec<T> = judged
        .log_probabilities
        .iter()
        .map(|value| value.exp() * share)
        .collect();
    for (row, label) in gradient.chunks_exact_mut(n_way).zip(labels) {
        row[*label] -= share;
    }
    (judged, gradient)
}

/// Tangent of the gradient, where the logits have the tangent `d_logits`.
pub(super) fn gradient_tangent<T: Real>(
    judged: &Judged<T>,
    n_way: usize,
    d_logits: &[T],
) -> Vec<T> {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let share = T::of(n_way as f64 / d_logits.len() as f64);
    let rows = judged
        .log_probabilities
        .chunks_exact(n_way)
        .zip(d_logits.chunks_exact(n_way));
    rows.flat_map(|(log_p, dz)| {
        let p: Vec<T> = log_p.iter().map(|value| value.exp()).collect();
        softmax_tangent(&p, dz)
            .map(|value| value * share)
            .collect::<Vec<_>>()
    })
    .collect()
}

fn log_probabilities<T: Real>(logits: &[T], n_way: usize) -> Vec<T> {
    let mut rows = logits.to_vec();
    rows.chunks_exact_mut(n_way).for_each(log_softmax);
    rows
}
