//! What one run answered to the question of [`crate::probe::support_order`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Accuracies of one run under several orders of the supports; images and labels stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Orders, that of the episode first.
    pub n_orders: usize,
    /// Accuracy, `(n_tasks, n_orders)`.
    pub accuracy: Vec<f64>,
    /// Share of queries whose label differs from that of the first order, mean over the other orders, `(n_tasks)`.
    pub churn: Vec<f64>,
    /// Largest change of any probability of any query against the first order: rounding for a learner that cannot see the order.
    pub largest_change: f64,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.accuracy, self.n_tasks, self.n_orders)?;
        check_table(what, &self.churn, self.n_tasks, 1)
    }
}
