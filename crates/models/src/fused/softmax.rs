//! Log-softmax of rows, and the tangent of a softmax.

use crate::Real;

/// Natural log-softmax of one row, in place, shifted by its maximum.
pub(super) fn log_softmax<T: Real>(row: &mut [T]) {
    let normalizer = log_sum_exp(row.iter().copied());
    for value in row {
        *value -= normalizer;
    }
}

/// `ln sum exp(x)`; minus infinity for no values.
pub(super) fn log_sum_exp<T: Real>(values: impl Iterator<Item = T> + Clone) -> T {
    let Some(maximum) = values.clone().reduce(|a, b| if b > a { b } else { a }) else {
        return T::of(f64::NEG_INFINITY);
    };
    let sum: T = values.map(|value| (value - maximum).exp()).sum();
    maximum + sum.ln()
}

/// Tangent of the softmax `p` whose arguments have the tangent `dz`: `p * (dz - sum p dz)`.
pub(super) fn softmax_tangent<T: Real>(p: &[T], dz: &[T]) -> impl Iterator<Item = T> {
    let mean: T = p.iter().zip(dz).map(|(p, dz)| *p * *dz).sum();
    p.iter().zip(dz).map(move |(p, dz)| *p * (*dz - mean))
}
