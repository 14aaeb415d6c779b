//! What one run answered to the question of [`crate::probe::corruption`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;
use crate::summary::mean;

/// Accuracies of one run under damage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Tasks.
    pub n_tasks: usize,
    /// Accuracy on clean images, `(n_tasks)`.
    pub clean: Vec<f64>,
    /// Every kind, severity and place.
    pub damaged: Vec<Damaged>,
}

/// Accuracies under one kind of damage at one severity in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Damaged {
    /// Kind of damage, e.g. `blur`.
    pub kind: String,
    /// From 1.
    pub severity: u8,
    /// Which images are damaged.
    pub place: Place,
    /// Accuracy, `(n_tasks)`.
    pub accuracy: Vec<f64>,
}

/// Which images of a task are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The supports.
    Support,
    /// The queries.
    Query,
    /// All.
    Both,
}

impl Place {
    /// All places.
    pub const ALL: [Self; 3] = [Self::Support, Self::Query, Self::Both];

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Query => "query",
            Self::Both => "both",
        }
    }
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        check_table(what, &self.clean, self.n_tasks, 1)?;
        for damaged in &self.damaged {
            check_table(what, &damaged.accuracy, self.n_tasks, 1)?;
        }
        Ok(())
    }

    /// Mean over the chosen damages of the drop, task by task.
    pub(crate) fn drops(&self, chosen: impl Fn(&Damaged) -> bool) -> Vec<f64> {
        let chosen: Vec<&Damaged> = self.damaged.iter().filter(|d| chosen(d)).collect();
        let of_task = |(task, clean): (usize, &f64)| {
            clean - mean(&chosen.iter().map(|d| d.accuracy[task]).collect::<Vec<_>>())
        };
        if chosen.is_empty() {
            return Vec::new();
        }
        self.clean.iter().enumerate().map(of_task).collect()
    }
}
