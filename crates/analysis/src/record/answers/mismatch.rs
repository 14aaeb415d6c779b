//! What one run answered to the question of [`crate::probe::mismatch`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Accuracies of one run on tasks of other shapes and of other data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Classes and supports of the run's training tasks.
    pub trained: (usize, usize),
    /// Classes and supports of its test tasks.
    pub tested: (usize, usize),
    /// Other shapes on its own test classes, that of the test among them.
    pub shapes: Vec<Shape>,
    /// Other data sets, in the shape of its own test.
    pub domains: Vec<Domain>,
    /// Accuracy on its own test classes in the shape of its test, on as many tasks.
    pub own: Vec<f64>,
}

/// Tasks of one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Classes.
    pub way: usize,
    /// Supports of each.
    pub shot: usize,
    /// Accuracy of each task.
    pub accuracy: Vec<f64>,
}

/// Tasks of one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Name of the data set.
    pub set: String,
    /// Digest of its images.
    pub digest: String,
    /// Classes that tasks were drawn from.
    pub n_classes: usize,
    /// Accuracy of each task.
    pub accuracy: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for table in self
            .shapes
            .iter()
            .map(|s| &s.accuracy)
            .chain(self.domains.iter().map(|d| &d.accuracy))
        {
            check_table(what, table, table.len(), 1)?;
        }
        check_table(what, &self.own, self.own.len(), 1)
    }
}
