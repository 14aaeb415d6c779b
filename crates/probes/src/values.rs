//! Parameters as plain vectors.

use std::ops::Range;

use metastable_models::{Layout, Params};

/// Ranges of filters (rows of a weight); biases and normalization have none.
pub(crate) fn filters(layout: &Layout) -> Vec<Range<usize>> {
    let weights = layout
        .entries()
        .iter()
        .filter(|entry| entry.shape.len() > 1);
    weights
        .flat_map(|entry| {
            let (n, len) = (entry.shape[0], entry.len() / entry.shape[0]);
            (0..n).map(move |at| entry.offset + at * len..entry.offset + (at + 1) * len)
        })
        .collect()
}

/// Values in double precision.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Parameters of the same layout.
pub(crate) fn params(like: &Params<f32>, values: &[f64]) -> Params<f32> {
    Params::from_values(
        like.layout(),
        values.iter().map(|value| *value as f32).collect(),
    )
}
