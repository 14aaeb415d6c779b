//! What one run answered to the question of [`crate::probe::task_map`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Classes that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassGroup {
    /// Name of the alphabet, or of the one class.
    pub name: String,
    /// Its classes, as [`crate::record::Test::classes`] numbers them.
    pub classes: Vec<u32>,
}

/// Tasks of one run as their Fisher diagonals at the adapted parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Distance of each pair of tasks, `(n_tasks, n_tasks)`.
    pub distances: Vec<f64>,
    /// Position of each task in the plane that shows the distances best.
    pub plane: Vec<(f64, f64)>,
    /// Mean of the embedding: how much information the task's labels hold on the parameters.
    pub information: Vec<f64>,
    /// Accuracy of each task.
    pub accuracy: Vec<f64>,
    /// Standard deviation of its accuracy over support sets.
    pub support_sd: Vec<f64>,
    /// The alphabets of the test classes, or the classes themselves; empty if not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ClassGroup>,
    /// Class of each label of each task, `(n_tasks, n_way)`; empty if not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<u32>,
    /// Standard deviation over support sets of the accuracy on that class, `(n_tasks, n_way)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_support_sd: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.distances, self.n_tasks, self.n_tasks)?;
        crate::error::check_len(what, self.n_tasks, self.plane.len())?;
        for table in [&self.information, &self.accuracy, &self.support_sd] {
            check_table(what, table, self.n_tasks, 1)?;
        }
        check_table(what, &self.class_support_sd, self.classes.len(), 1)
    }

    /// Mean distance of each task to all others.
    pub(crate) fn oddness(&self) -> Vec<f64> {
        let n = self.n_tasks;
        let rows = self.distances.chunks_exact(n);
        rows.map(|row| row.iter().sum::<f64>() / (n - 1).max(1) as f64)
            .collect()
    }
}
