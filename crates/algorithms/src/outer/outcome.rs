//! How a training ends. Divergence is a result of the experiment, never an error.

use std::fmt;

use crate::NonFinite;

/// How a training ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were made.
    Completed,
    /// A value was not finite; the update of that step was not made.
    Diverged {
        /// Outer step, counted from 1.
        step: usize,
        /// Which value it was first.
        cause: Divergence,
    },
}

/// The first value of an outer step that was NaN or infinite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// Inside the adaptation to a task.
    Task {
        /// Position in the meta-batch.
        task_idx: usize,
        /// Which value.
        what: NonFinite,
    },
    /// The averaged meta-gradient.
    Gradient {
        /// Name of the first tensor.
        tensor: String,
        /// Position in the meta-batch of the first task whose own meta-gradient is not finite; none if all are, and their
        /// sum is not.
        task_idx: Option<usize>,
    },
    /// The parameters after the update.
    Parameter {
        /// Name of the first tensor.
        tensor: String,
    },
    /// The running statistics after the update.
    RunningStatistics {
        /// Name of the first tensor.
        tensor: String,
    },
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { task_idx, what } => write!(f, "{what} of task {task_idx}"),
            Self::Gradient {
                tensor,
                task_idx: Some(task_idx),
            } => write!(f, "meta-gradient of {tensor} of task {task_idx}"),
            Self::Gradient {
                tensor,
                task_idx: None,
            } => write!(f, "meta-gradient of {tensor}"),
            Self::Parameter { tensor } => write!(f, "{tensor} after the update"),
            Self::RunningStatistics { tensor } => write!(f, "running statistics {tensor}"),
        }
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SupportLoss { inner_step } => {
                write!(f, "support loss after {inner_step} inner steps")
            }
            Self::FastWeights { tensor, inner_step } => {
                write!(f, "fast weights {tensor} after {inner_step} inner steps")
            }
            Self::QueryLoss => write!(f, "query loss"),
        }
    }
}
