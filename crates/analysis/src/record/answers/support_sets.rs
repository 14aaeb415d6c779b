//! What one run answered to the question of [`crate::probe::support_sets`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::{AnalysisError, check_len};

/// Accuracies of one run under many support sets; classes and queries of a task stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Support sets drawn for each, M.
    pub n_draws: usize,
    /// Accuracy, `(n_tasks, n_draws)`.
    pub accuracy: Vec<f64>,
    /// The searched support sets; absent if there was no search.
    pub extremes: Option<Extremes>,
}

/// Searched support sets: found on some queries of a task, judged on others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extremes {
    /// Tasks.
    pub n_tasks: usize,
    /// Candidates of each class.
    pub n_candidates: usize,
    /// Greedy rounds at most.
    pub rounds: usize,
    /// Accuracy on the queries of the search, a value a task: worst, drawn, best.
    pub searched: [Vec<f64>; 3],
    /// Accuracy on fresh queries of the same support sets.
    pub fresh: [Vec<f64>; 3],
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.accuracy, self.n_tasks, self.n_draws)?;
        for values in self
            .extremes
            .iter()
            .flat_map(|e| e.searched.iter().chain(&e.fresh))
        {
            let n_tasks = self.extremes.as_ref().map_or(0, |e| e.n_tasks);
            check_len(what, n_tasks, values.len())?;
            check_table(what, values, n_tasks, 1)?;
        }
        Ok(())
    }
}
