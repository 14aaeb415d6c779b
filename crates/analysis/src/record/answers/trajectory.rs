//! What one run answered to the question of [`crate::probe::trajectory`].

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite};

/// Distances of trainings in lockstep, for one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Outer steps before the one in which a task is exchanged.
    pub start: usize,
    /// Tasks of an outer step, one of which is exchanged.
    pub meta_batch: usize,
    /// `|theta' - theta| / |theta|` after each step from the exchange on, a list for each exchange; shorter where a training
    /// blew up.
    pub exchanged: Vec<Vec<f64>>,
    /// The same with nothing exchanged: the noise floor at each step.
    pub repeated: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        let mut lists = self.exchanged.iter().chain([&self.repeated]);
        lists.try_for_each(|list| check_finite(what, list))
    }
}
