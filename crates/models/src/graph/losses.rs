//! The losses of [`crate::objective`], in twice differentiable candle operations: here those of labels.

use std::ops::Range;

use candle_core::{D, Result, Tensor};

use crate::{Loss, Metric, Objective};

/// Added to each squared norm under the cosine's root.
pub(super) const COSINE_EPS: f64 = 1e-8;

/// Natural log-probabilities of the judged rows, `(n_judged, n_way)`.
pub(super) fn log_probabilities(outputs: &Tensor, objective: &Objective<'_>) -> Result<Tensor> {
    let n_support = objective.n_support();
    let n_judged = objective.labels.len();
    let supports = || outputs.narrow(0, 0, n_support);
    let queries = || outputs.narrow(0, n_support, n_judged);
    let logits = match objective.loss {
        // Of policies without classes and of numbers there are none.
        Loss::CrossEntropy | Loss::Categorical | Loss::SquaredError | Loss::Gaussian => {
            outputs.clone()
        }
        Loss::Prototype {
            metric,
            temperature,
        } => {
            let mean = |class: Range<usize>| outputs.narrow(0, class.start, class.len())?.mean(0);
            let prototypes = objective.classes().map(mean).collect::<Result<Vec<_>>>()?;
            let prototypes = Tensor::stack(&prototypes, 0)?;
            similarity(metric, &queries()?, &prototypes)?.affine(1.0 / temperature, 0.0)?
        }
        Loss::Matching {
            metric,
            temperature,
        } => {
            // log of the attention summed by class: its logarithm first, so that nothing underflows to log 0.
            let attention =
                similarity(metric, &queries()?, &supports()?)?.affine(1.0 / temperature, 0.0)?;
            let of_class = |class: Range<usize>| {
                log_sum_exp(&attention.narrow(1, class.start, class.len())?)
            };
            let classes = objective
                .classes()
                .map(of_class)
                .collect::<Result<Vec<_>>>()?;
            Tensor::cat(&classes, 1)?
        }
    };
    logits.broadcast_sub(&log_sum_exp(&logits)?)
}

/// Mean over the rows of `-log p(label)`. A one-hot product: the second derivative of candle's `gather` is wrong.
pub(super) fn mean_negative_log_likelihood(
    log_probabilities: &Tensor,
    labels: &[usize],
) -> Result<Tensor> {
    let (n_judged, n_way) = log_probabilities.dims2()?;
    let mut one_hot = vec![0.0; n_judged * n_way];
    for (row, &label) in labels.iter().enumerate() {
        one_hot[row * n_way + label] = 1.0;
    }
    let one_hot = Tensor::from_vec(one_hot, (n_judged, n_way), &candle_core::Device::Cpu)?
        .to_dtype(log_probabilities.dtype())?
        .to_device(log_probabilities.device())?;
    (log_probabilities * one_hot)?
        .sum_all()?
        .affine(-1.0 / n_judged as f64, 0.0)
}

/// Similarity of each row of `a` with each row of `b`, `(n_a, n_b)`.
fn similarity(metric: Metric, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match metric {
        // The difference itself, and not its expansion into three products, which cancels in single precision.
        Metric::Euclidean => a
            .unsqueeze(1)?
            .broadcast_sub(&b.unsqueeze(0)?)?
            .sqr()?
            .sum(2)?
            .neg(),
        Metric::Cosine => {
            let length = |x: &Tensor| x.sqr()?.sum_keepdim(1)?.affine(1.0, COSINE_EPS)?.sqrt();
            a.matmul(&b.t()?)?
                .broadcast_div(&length(a)?)?
                .broadcast_div(&length(b)?.t()?)
        }
    }
}

/// `log sum exp` over the last dimension, kept; the subtracted maximum is a constant of the derivatives.
fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let max = x.detach().max_keepdim(D::Minus1)?;
    x.broadcast_sub(&max)?
        .exp()?
        .sum_keepdim(D::Minus1)?
        .log()?
        .broadcast_add(&max)
}
