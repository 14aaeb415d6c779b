//! What a study leaves behind, as plain tables: the input of every estimator and of the report.
//!
//! Nothing here knows how a score came about; a table from another laboratory serves as well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All runs of one study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Short name, e.g. `quick`.
    pub name: String,
    /// The command that makes this study again, bit for bit.
    pub command: String,
    /// Runs in the order of learner, then seed. Runs of one setting share one list of test tasks (crossed design).
    pub runs: Vec<Run>,
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
    /// Wall-clock seconds of training, validation included.
    pub train_seconds: f64,
    /// The meta-test; absent if the run ended before it.
    pub test: Option<Test>,
    /// Test episodes after 0, 1, 2, ... inner steps; absent for learners without an inner loop.
    pub adaptation: Option<Adaptation>,
    /// Every setting and digest that has to agree for two results to be comparable.
    pub fingerprint: BTreeMap<String, String>,
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
    /// Class behind each label of each task, `(n_tasks, n_way)`: needed only to say which classes are taken for which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<u32>>,
}

/// Inner-loop curves (stability.md C4), for `k = 0 ..= n_steps` inner steps.
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
