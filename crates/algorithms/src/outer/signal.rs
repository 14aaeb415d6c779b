//! What the gradients that an outer step has anyway say about it: their size, their agreement, and how far they move theta.

use metastable_models::{Params, Real};
use rayon::prelude::*;

use crate::MetaGradient;

/// Sizes of the gradients of one outer step, and of the update that came of them. All sums are in a fixed order.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Euclidean norm of the averaged meta-gradient in each layer ([`metastable_models::Layout::layers`]), before clipping.
    pub layer_norms: Vec<f64>,
    /// `|gbar|^2`, squared norm of the averaged meta-gradient, before clipping.
    pub mean_square: f64,
    /// `sum_t |g_t|^2` over the tasks of the meta-batch.
    ///
    /// With `|gbar|^2` and the number of tasks it gives the trace of the covariance of the tasks' gradients, and with that
    /// signal-to-noise ratio, noise scale and mean inner product of the meta-gradient (McCandlish et al. 2018, appendix A).
    pub sum_of_squares: f64,
    /// `|theta' - theta| / |theta|`; 0 where theta is.
    pub update_ratio: f64,
}

impl Signal {
    /// Of the tasks' gradients, their mean before clipping, and theta before and after the update.
    pub(super) fn of<T: Real>(
        tasks: &[MetaGradient<T>],
        mean: &Params<T>,
        theta: &Params<T>,
        next: &Params<T>,
    ) -> Self {
        let squares: Vec<f64> = mean
            .layout()
            .layers()
            .into_iter()
            .map(|(_, range)| {
                let values = &mean.values()[range];
                T::dot(values, values)
            })
            .collect();
        let of_tasks: Vec<f64> = tasks
            .par_iter()
            .map(|task| task.gradient.dot(&task.gradient))
            .collect();
        let weight = theta.norm();
        Self {
            layer_norms: squares.iter().map(|square| square.sqrt()).collect(),
            mean_square: squares.iter().sum(),
            sum_of_squares: of_tasks.iter().sum(),
            update_ratio: if weight > 0.0 {
                T::squared_distance(next.values(), theta.values()).sqrt() / weight
            } else {
                0.0
            },
        }
    }
}
