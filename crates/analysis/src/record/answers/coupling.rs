//! What one run answered to the question of [`crate::probe::coupling`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Accuracies of one run with queries judged together and one at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// All queries of a task in one batch, `(n_tasks)`.
    pub together: Vec<f64>,
    /// Each query with the supports, without the other queries, `(n_tasks)`.
    pub alone: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.together, self.n_tasks, 1)?;
        check_table(what, &self.alone, self.n_tasks, 1)
    }
}
