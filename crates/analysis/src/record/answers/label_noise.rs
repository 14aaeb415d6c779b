//! What one run answered to the question of [`crate::probe::label_noise`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::{AnalysisError, check_len};

/// Accuracies of one run with wrong labels among the supports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Classes of a task.
    pub n_way: usize,
    /// Supports of each class.
    pub k_shot: usize,
    /// Shares of wrong labels, ascending, the first 0.
    pub shares: Vec<f64>,
    /// Accuracy, `(shares, n_tasks)`.
    pub accuracy: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.accuracy, self.shares.len(), self.n_tasks)?;
        check_len(what, self.shares.len().max(2), self.shares.len())
    }
}
