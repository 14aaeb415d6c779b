//! What a study leaves behind, as plain tables: the input of every estimator and of the report.
//!
//! Nothing here knows how a score came about; a table from another laboratory serves as well.

pub mod answers;
pub mod domains;
pub mod factors;
pub mod probe;
pub mod replacement;
mod task_scores;
pub mod training;

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_len};
use crate::fingerprint::Fingerprint;

use self::domains::TaskDomains;
use self::factors::FactorTable;
use self::probe::Probe;
use self::replacement::Replacement;
pub use self::task_scores::TaskScores;
use self::training::{Selection, TrainingLog};

/// All runs of one study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Short name, e.g. `quick`.
    pub name: String,
    /// The command that makes this study again, bit for bit.
    pub command: String,
    /// Runs in the order of learner, then seed. Runs of one setting share one list of test tasks (crossed design).
    pub runs: Vec<Run>,
    /// A study of factors: runs with deliberately varied settings, or sources of chance varied one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factors: Option<FactorTable>,
    /// What trained learners answered when they were asked after their runs; at most one entry a run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
    /// Trainings that differ from one of the runs in one task of its pool, or in nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replacements: Vec<Replacement>,
    /// Which domain the test tasks of a setting are from, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<TaskDomains>,
}

/// One meta-training with its test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Folder name, unique in the study.
    pub id: String,
    /// Name of the learner, e.g. `maml`.
    pub learner: String,
    /// Data set and episode size at test, e.g. `glyphs 5-way 1-shot`: runs are comparable within a setting.
    pub setting: String,
    /// Seed of the bundle.
    pub seed: u64,
    /// How training ended.
    pub outcome: Outcome,
    /// Training, in order of steps.
    pub history: Vec<Progress>,
    /// Wall-clock seconds of training, validation included. A report says with them how long the next runs would take, and what a promise costs;
    /// all else in it is equal for equal studies.
    pub train_seconds: f64,
    /// The meta-test; absent if the run ended before it.
    pub test: Option<Test>,
    /// Accuracies alone, where predictions are not known (a table from elsewhere); read only where there is no `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<TaskScores>,
    /// Test episodes after 0, 1, 2, ... inner steps; absent for learners without an inner loop.
    pub adaptation: Option<Adaptation>,
    /// Gradients, angles and the network from within along the training; absent where only a curve is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingLog>,
    /// The test of the best and of the last weights; absent where one alone was tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// How it was made.
    pub fingerprint: Fingerprint,
}

/// How a training ended. Divergence is a result, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Outcome {
    /// All steps were made.
    Completed,
    /// A loss or a parameter was not finite.
    Diverged {
        /// Outer step, counted from 1.
        step: usize,
        /// What was found, and where.
        cause: String,
    },
}

/// One line of a training log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Outer steps made.
    pub step: usize,
    /// Mean query loss of the training episodes since the last line, in nats.
    pub train_loss: f64,
    /// Their mean query accuracy, 0 to 1.
    pub train_accuracy: f64,
    /// Accuracy on the fixed validation episodes, 0 to 1, at the lines that validate.
    pub validation_accuracy: Option<f64>,
}

/// Predictions on the test episodes: the same episodes, in the same order, for every run of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Episodes, T.
    pub n_tasks: usize,
    /// Classes, N.
    pub n_way: usize,
    /// Queries of each class, Q. Query `j` of a task has label `j / n_query`.
    pub n_query: usize,
    /// Predicted label of each query, `(n_tasks, n_way * n_query)`.
    pub predictions: Vec<u8>,
    /// Mean negative log-likelihood of the query labels of each task, in nats, `(n_tasks)`: the episode difficulty.
    pub task_nll: Vec<f64>,
    /// Log-odds against the true class of each query, `ln((1 - p) / p)`, `(n_tasks, n_way * n_query)`: needed only of
    /// the run that serves as reference of hardness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_log_odds: Option<Vec<f64>>,
    /// Class behind each label of each task, `(n_tasks, n_way)`: needed only to say which classes are taken for which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<u32>>,
}

/// Inner-loop curves, for `k = 0 ..= n_steps` inner steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// Episodes.
    pub n_tasks: usize,
    /// Inner steps that training used.
    pub trained_steps: usize,
    /// Query accuracy, `(n_tasks, n_steps + 1)`.
    pub query_accuracy: Vec<f64>,
    /// Support loss in nats, `(n_tasks, n_steps + 1)`.
    pub support_loss: Vec<f64>,
    /// Query loss in nats, `(n_tasks, n_steps + 1)`.
    pub query_loss: Vec<f64>,
}

impl Run {
    /// Accuracy on each test task, from predictions with finite losses or from scores alone; none if the run has neither.
    #[must_use]
    pub fn task_accuracies(&self) -> Option<Vec<f64>> {
        match (&self.test, &self.scores) {
            (Some(test), _) => test
                .task_nll
                .iter()
                .all(|nll| nll.is_finite())
                .then(|| test.task_accuracies()),
            (None, Some(scores)) => Some(scores.accuracies.clone()),
            (None, None) => None,
        }
    }

    /// Accuracy of guessing, `1/N`, mean over tasks where they differ in their classes; none where the classes are not known.
    #[must_use]
    pub fn chance(&self) -> Option<f64> {
        match (&self.test, &self.scores) {
            (Some(test), _) => Some(1.0 / test.n_way as f64),
            (None, scores) => scores.as_ref()?.chance(),
        }
    }
}

impl Test {
    /// Accuracy on each task, `(n_tasks)`: the share of its queries that are predicted right.
    #[must_use]
    pub fn task_accuracies(&self) -> Vec<f64> {
        self.predictions
            .chunks_exact(self.queries_per_task())
            .map(|task| {
                let right = task
                    .iter()
                    .enumerate()
                    .filter(|(query, label)| self.label(*query) == **label as usize);
                right.count() as f64 / task.len() as f64
            })
            .collect()
    }

    /// Queries of one task, `N * Q`.
    #[must_use]
    pub fn queries_per_task(&self) -> usize {
        self.n_way * self.n_query
    }

    /// True label of a query, counted within its task.
    #[must_use]
    pub fn label(&self, query: usize) -> usize {
        query / self.n_query
    }

    /// Checks lengths and labels; `what` names the test in the error.
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`], [`AnalysisError::Shape`], or [`AnalysisError::OutOfRange`] with task and query.
    pub fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for (name, count, needed) in [
            ("tasks", self.n_tasks, 1),
            ("classes", self.n_way, 2),
            ("queries of each class", self.n_query, 1),
        ] {
            if count < needed {
                return Err(AnalysisError::too_few(
                    format!("{what}: {name}"),
                    needed,
                    count,
                ));
            }
        }
        let per_task = self.queries_per_task();
        check_len(
            &format!("{what}: predictions"),
            self.n_tasks * per_task,
            self.predictions.len(),
        )?;
        check_len(
            &format!("{what}: task_nll"),
            self.n_tasks,
            self.task_nll.len(),
        )?;
        if let Some(log_odds) = &self.query_log_odds {
            check_len(
                &format!("{what}: query_log_odds"),
                self.n_tasks * per_task,
                log_odds.len(),
            )?;
        }
        if let Some(classes) = &self.classes {
            check_len(
                &format!("{what}: classes"),
                self.n_tasks * self.n_way,
                classes.len(),
            )?;
        }
        match self
            .predictions
            .iter()
            .position(|label| usize::from(*label) >= self.n_way)
        {
            None => Ok(()),
            Some(index) => Err(AnalysisError::OutOfRange {
                what: format!("{what}: predicted label"),
                value: self.predictions[index].to_string(),
                position: format!("task {}, query {}", index / per_task, index % per_task),
                expected: format!("a label under {}", self.n_way),
            }),
        }
    }
}
