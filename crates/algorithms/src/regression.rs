//! Meta-test of regressions: the numbers that a learner predicts, and the mean squared error of each task.
//!
//! What [`crate::evaluate()`] is for classes. Tasks are spread over rayon's threads and collected in the order of the list.

use metastable_models::{Network, Real};
use rayon::prelude::*;

use crate::outer::Weights;
use crate::{Context, Learner, Result, TaskSource};

/// Predictions on a list of regressions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regressed {
    /// Mean squared error of the queries of each task, in the squared unit of the targets, `(n_tasks)`; not finite where the adaptation of a
    /// task blew up.
    pub task_errors: Vec<f64>,
    /// What is predicted at each query, task by task.
    pub predictions: Vec<f32>,
}

impl Regressed {
    /// Mean over the tasks.
    #[must_use]
    pub fn mean_error(&self) -> f64 {
        self.task_errors.iter().sum::<f64>() / self.task_errors.len() as f64
    }
}

/// Predicts the queries of the tasks `0 .. n_tasks`, after adaptation with the settings for test.
///
/// # Errors
/// An `n_tasks` of 0, and those of the learner and of the source; a task of classes is one of them.
pub fn regress<T: Real>(
    network: &dyn Network<T>,
    learner: &dyn Learner<T>,
    weights: &Weights<T>,
    tasks: &TaskSource<'_, T>,
    n_tasks: usize,
) -> Result<Regressed> {
    let advice = "an evaluation needs a task";
    crate::error::require(0 < n_tasks, "n_tasks", n_tasks, advice)?;
    let judged = (0..n_tasks as u64)
        .into_par_iter()
        .map(|index| {
            let task = tasks(index)?;
            crate::error::require(
                matches!(task.targets(), crate::Targets::Values(_)),
                "task",
                index,
                "it has classes, and a regression has numbers",
            )?;
            let context = Context {
                network,
                statistics: weights.statistics(),
                task: &task,
            };
            let phi = learner.adapted(&context, &weights.theta)?;
            let queries = learner.query_loss(&context, &phi, task.query_labels())?;
            let predicted: Vec<f32> = queries.outputs().iter().map(|y| y.wide() as f32).collect();
            Ok((queries.loss().wide(), predicted))
        })
        .collect::<Result<Vec<_>>>()?;
    let (task_errors, predictions): (Vec<f64>, Vec<Vec<f32>>) = judged.into_iter().unzip();
    Ok(Regressed {
        task_errors,
        predictions: predictions.concat(),
    })
}
