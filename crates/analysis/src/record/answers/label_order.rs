//! What one run answered to the question of [`crate::probe::label_order`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Accuracies of one run under many orders of the classes; images stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Orders, the original one first.
    pub n_orders: usize,
    /// Whether these are all orders there are.
    pub all: bool,
    /// Accuracy, `(n_tasks, n_orders)`.
    pub accuracy: Vec<f64>,
    /// Accuracy of the mean probabilities over all orders, `(n_tasks)`.
    pub ensemble: Vec<f64>,
    /// Largest change of any probability of any query against the original order, over all tasks: rounding for a
    /// learner that cannot see the order.
    pub largest_change: f64,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.accuracy, self.n_tasks, self.n_orders)?;
        check_table(what, &self.ensemble, self.n_tasks, 1)
    }
}
