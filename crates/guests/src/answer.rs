//! Scores and embeddings as they are taken: in the shape that was asked for, put back in order, normalised, or refused.

use metastable_algorithms::{Prediction, Task};
use metastable_models::Real;
use safetensors::SafeTensors;

use crate::tensors::numbers;

/// How far the probabilities of a query may be from adding up to 1.
const NORMALISED: f64 = 1e-3;

/// Log-probabilities of the queries of task `number` in the order of the task.
pub(crate) fn prediction<T: Real>(
    scores: &SafeTensors<'_>,
    number: usize,
    task: &Task<T>,
    order: &[usize],
) -> Result<Prediction<T>, String> {
    let n_way = task.shape().n_way;
    let (logits, probabilities) = (
        format!("{number}.logits"),
        format!("{number}.log_probabilities"),
    );
    let is_logits = scores.names().contains(&logits.as_str());
    let name = if is_logits { logits } else { probabilities };
    let (shape, mut values) = numbers(scores, &name)?;
    if shape != [order.len(), n_way] {
        return Err(format!(
            "{name} has shape {shape:?}, and [{}, {n_way}] (queries, classes) is expected",
            order.len()
        ));
    }
    for (query, row) in values.chunks_exact_mut(n_way).enumerate() {
        let norm = log_sum_exp(row);
        if is_logits {
            row.iter_mut().for_each(|value| *value -= norm);
        } else if (norm.exp() - 1.0).abs() > NORMALISED {
            // What is not finite is not larger, and passes.
            return Err(format!(
                "the probabilities of query {query} of task {number} add up to {}: send {number}.logits, which are normalised here",
                norm.exp()
            ));
        }
    }
    let mut put_back = vec![T::ZERO; values.len()];
    let mut loss = 0.0;
    for (row, at) in values.chunks_exact(n_way).zip(order) {
        loss -= row[task.query_labels()[*at]] / order.len() as f64;
        for (to, value) in put_back[at * n_way..(at + 1) * n_way].iter_mut().zip(row) {
            *to = T::of(*value);
        }
    }
    Ok(Prediction {
        log_probabilities: put_back,
        n_way,
        query_loss: T::of(loss),
    })
}

/// Width, and rows in the order of the images, of embeddings that came in the order in which the images were sent.
pub(crate) fn embeddings(
    found: &SafeTensors<'_>,
    order: &[usize],
) -> Result<(usize, Vec<f64>), String> {
    let (shape, values) = numbers(found, "embeddings")?;
    let width = match shape[..] {
        [n, width] if n == order.len() && width > 0 => width,
        _ => {
            return Err(format!(
                "embeddings have shape {shape:?}, and ({}, width) is expected",
                order.len()
            ));
        }
    };
    let mut put_back = vec![0.0; values.len()];
    for (row, at) in values.chunks_exact(width).zip(order) {
        put_back[at * width..(at + 1) * width].copy_from_slice(row);
    }
    Ok((width, put_back))
}

/// `ln sum exp`, exact where terms differ much; NaN where one is.
fn log_sum_exp(row: &[f64]) -> f64 {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if row.iter().any(|value| value.is_nan()) || most == f64::INFINITY {
        return f64::NAN;
    }
    most + row
        .iter()
        .map(|value| (value - most).exp())
        .sum::<f64>()
        .ln()
}

#[cfg(test)]
mod tests;
