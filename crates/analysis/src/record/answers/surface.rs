//! What one run answered to the question of [`crate::probe::surface`].

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_len};

/// Losses on a grid of a plane through theta, along two filter-normalized random directions; mean over tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks of the mean.
    pub n_tasks: usize,
    /// Steps along either direction, ascending, 0 in the middle.
    pub steps: Vec<f64>,
    /// Support loss in nats, `(steps, steps)`; absent for a learner without an inner loop.
    pub support: Option<Vec<Option<f64>>>,
    /// Query loss without adaptation; absent for a learner without an inner loop, whose query loss is that after it.
    pub before: Option<Vec<Option<f64>>>,
    /// Query loss after adaptation from each point: the meta-landscape.
    pub after: Vec<Option<f64>>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        let n = self.steps.len() * self.steps.len();
        for table in self.support.iter().chain(&self.before).chain([&self.after]) {
            check_len(what, n, table.len())?;
        }
        Ok(())
    }
}
