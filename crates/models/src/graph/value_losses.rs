//! The losses of rows that bring numbers, in twice differentiable candle operations.

use candle_core::{Result, Tensor};

use super::losses;
use crate::{Loss, Objective};

/// `ln(2 pi) / 2`, of the normal density.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;

/// The loss and the log-probabilities, which are none where outputs are no logits.
///
/// # Shapes
/// `outputs`: `(n_judged, n_way)`.
pub(super) fn judge(outputs: &Tensor, objective: &Objective<'_>) -> Result<(Tensor, Tensor)> {
    let none = || Tensor::zeros(0, outputs.dtype(), outputs.device());
    let per_row = objective.loss.values_per_row(objective.n_way);
    if per_row == 0 {
        let log_probabilities = losses::log_probabilities(outputs, objective)?;
        let loss = losses::mean_negative_log_likelihood(&log_probabilities, objective.labels)?;
        return Ok((loss, log_probabilities));
    }
    let n_judged = objective.n_judged();
    let shape = (n_judged, per_row);
    let brought = Tensor::from_slice(objective.values, shape, &candle_core::Device::Cpu)?
        .to_dtype(outputs.dtype())?
        .to_device(outputs.device())?;
    let n_outputs = objective.n_way;
    match objective.loss {
        Loss::CrossEntropy
        | Loss::Prototype { .. }
        | Loss::Matching { .. }
        | Loss::SquaredError => {
            let gap = (outputs - brought)?;
            let n_values = (n_judged * n_outputs) as f64;
            Ok((gap.sqr()?.sum_all()?.affine(1.0 / n_values, 0.0)?, none()?))
        }
        Loss::Gaussian => {
            let n = n_outputs / 2;
            let (mean, log_deviation) = (outputs.narrow(1, 0, n)?, outputs.narrow(1, n, n)?);
            let (other, deviation) = (brought.narrow(1, 0, n)?, brought.narrow(1, n, n)?);
            let weight = brought.narrow(1, 2 * n, 1)?;
            let squares = ((mean - other)?.sqr()? + deviation.sqr()?)?;
            let scaled = (squares * log_deviation.affine(-2.0, 0.0)?.exp()?)?;
            let entropy = (scaled.affine(0.5, HALF_LN_TAU)? + log_deviation)?;
            Ok((entropy.broadcast_mul(&weight)?.sum_all()?, none()?))
        }
        Loss::Categorical => {
            let log_probabilities = losses::log_probabilities(outputs, objective)?;
            let shares = brought.narrow(1, 0, n_outputs)?;
            let weight = brought.narrow(1, n_outputs, 1)?;
            let products = (&log_probabilities * shares.broadcast_mul(&weight)?)?;
            Ok((products.sum_all()?.neg()?, log_probabilities))
        }
    }
}
