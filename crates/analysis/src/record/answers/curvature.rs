//! What one run answered to the question of [`crate::probe::curvature`].

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};

/// Curvature of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Length of the step of sharpness.
    pub rho: f64,
    /// Support loss at theta; absent for a learner without an inner loop.
    pub support: Option<Tasks>,
    /// Query loss at the adapted parameters.
    pub query: Tasks,
}

/// Curvature of one loss, task by task; tasks with a value that is not finite are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tasks {
    /// Largest eigenvalue of the Hessian.
    pub largest: Vec<f64>,
    /// Smallest Ritz value: negative where the loss is not convex.
    pub smallest: Vec<f64>,
    /// Trace (Hutchinson).
    pub trace: Vec<f64>,
    /// `L(theta + rho g / |g|) - L(theta)`, in nats.
    pub sharpness: Vec<f64>,
    /// Mean over random directions of `L(theta + e) - L(theta)`, `|e| = rho`, in nats.
    pub random_sharpness: Vec<f64>,
    /// Ritz values of the first task, and their weights in the spectral density.
    pub spectrum: Vec<(f64, f64)>,
    /// Largest eigenvalue of the block of each layer on the first tasks, mean: name, value.
    pub layers: Vec<(String, f64)>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for tasks in self.support.iter().chain([&self.query]) {
            for values in [
                &tasks.largest,
                &tasks.smallest,
                &tasks.trace,
                &tasks.sharpness,
                &tasks.random_sharpness,
            ] {
                check_len(what, tasks.largest.len(), values.len())?;
                check_finite(what, values)?;
            }
        }
        Ok(())
    }
}
