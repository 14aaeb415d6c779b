//! What one run answered to the question of [`crate::probe::step_sizes`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::{AnalysisError, check_len};

/// What one run does with other inner step sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Inner step size of the run.
    pub trained: f64,
    /// Inner steps of each descent.
    pub n_steps: usize,
    /// Step sizes tried, ascending.
    pub step_sizes: Vec<f64>,
    /// Query accuracy after the last step, `(step sizes, n_tasks)`.
    pub accuracy: Vec<f64>,
    /// Whether the support loss rose at any step, or was not finite, `(step sizes, n_tasks)`.
    pub rose: Vec<bool>,
    /// Largest eigenvalue of the Hessian of the support loss at theta, `(n_tasks)`; absent where it was not finite.
    pub largest_at_theta: Vec<Option<f64>>,
    /// The same at the adapted parameters.
    pub largest_at_phi: Vec<Option<f64>>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        let n = self.step_sizes.len();
        check_table(what, &self.accuracy, n, self.n_tasks)?;
        check_len(what, n * self.n_tasks, self.rose.len())?;
        check_len(what, self.n_tasks, self.largest_at_theta.len())?;
        check_len(what, self.n_tasks, self.largest_at_phi.len())?;
        let ascend = self.step_sizes.windows(2).all(|pair| pair[0] < pair[1]);
        let positive = self.step_sizes.first().is_some_and(|first| *first > 0.0);
        if ascend && positive {
            Ok(())
        } else {
            Err(AnalysisError::out_of_range(
                what,
                self.step_sizes.first().copied().unwrap_or(f64::NAN),
                "step sizes",
                "positive step sizes in ascending order",
            ))
        }
    }
}
