//! What one run answered to the question of [`crate::probe::example_influence`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// Query losses of one run with one support example exchanged, or left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks whose losses were all finite.
    pub n_tasks: usize,
    /// Supports of each class, K.
    pub k_shot: usize,
    /// Support examples of each task, N K.
    pub n_examples: usize,
    /// Query loss in nats with the support set as it is, `(n_tasks)`.
    pub loss: Vec<f64>,
    /// With example `j` changed, `(n_tasks, n_examples)`.
    pub changed_loss: Vec<f64>,
    /// Accuracy as it is, `(n_tasks)`.
    pub accuracy: Vec<f64>,
    /// With example `j` changed, `(n_tasks, n_examples)`.
    pub changed_accuracy: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for (table, width) in [
            (&self.loss, 1),
            (&self.changed_loss, self.n_examples),
            (&self.accuracy, 1),
            (&self.changed_accuracy, self.n_examples),
        ] {
            check_table(what, table, self.n_tasks, width)?;
        }
        Ok(())
    }

    /// `of` the changes of each task.
    pub(crate) fn changes(&self, loss: bool, of: fn(&[f64]) -> f64) -> Vec<f64> {
        let (whole, exchanged) = if loss {
            (&self.loss, &self.changed_loss)
        } else {
            (&self.accuracy, &self.changed_accuracy)
        };
        let tasks = whole.iter().zip(exchanged.chunks_exact(self.n_examples));
        tasks
            .map(|(whole, others)| {
                of(&others
                    .iter()
                    .map(|other| (other - whole).abs())
                    .collect::<Vec<_>>())
            })
            .collect()
    }
}
