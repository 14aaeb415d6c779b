//! What one run answered to the question of [`crate::probe::shots`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::{AnalysisError, check_len};

/// Accuracies of one run with 1, 2, ... supports a class: the same classes and queries, and supports that nest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Supports of each class in the tasks of training.
    pub trained: usize,
    /// Supports asked for, ascending.
    pub shots: Vec<usize>,
    /// Accuracy, `(shots, n_tasks)`.
    pub accuracy: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.accuracy, self.shots.len(), self.n_tasks)?;
        check_len(what, self.shots.len().max(1), self.shots.len())
    }

    pub(crate) fn row(&self, at: usize) -> &[f64] {
        &self.accuracy[at * self.n_tasks..(at + 1) * self.n_tasks]
    }
}
