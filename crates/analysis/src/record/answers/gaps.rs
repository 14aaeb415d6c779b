//! What one run answered to the question of [`crate::probe::gaps`].

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::{AnalysisError, check_len};

/// What a learner reaches on tasks ever further from those of its training, all of one shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Classes, supports and queries of each task.
    pub shape: (usize, usize, usize),
    /// At one or two checkpoints: that of the test, and that of the last step where it is another. Ascending steps.
    pub points: Vec<AtStep>,
}

/// At one checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtStep {
    /// Outer steps.
    pub step: usize,
    /// Whether it is the checkpoint of the test.
    pub is_tested: bool,
    /// Tasks of the training with their own supports and queries.
    pub seen: Level,
    /// The same tasks with queries that they did not have; absent where classes hold no further images.
    pub fresh_queries: Option<Level>,
    /// Tasks from the training classes that no training had.
    pub new_tasks: Level,
    /// Tasks from the test classes; absent where there are too few of them.
    pub new_classes: Option<Level>,
}

/// Accuracy and loss of each task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Accuracy, 0 to 1.
    pub accuracy: Vec<f64>,
    /// Query loss in nats.
    pub loss: Vec<f64>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for point in &self.points {
            let n = point.seen.loss.len();
            let others = [&point.fresh_queries, &point.new_classes]
                .into_iter()
                .flatten();
            for level in others.chain([&point.seen, &point.new_tasks]) {
                check_table(what, &level.accuracy, n, 1)?;
                check_table(what, &level.loss, n, 1)?;
            }
        }
        check_len(what, self.points.len().clamp(1, 2), self.points.len())
    }

    pub(crate) fn tested(&self) -> Option<&AtStep> {
        self.points.iter().find(|point| point.is_tested)
    }
}
