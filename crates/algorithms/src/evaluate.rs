//! Meta-test: predictions and inner-loop curves on a list of episodes.
//!
//! Tasks are spread over rayon's threads and collected in the order of the list, so results do not depend on the
//! number of threads. A drawn list (`0 .. n_tasks` of the `eval` stream) and a fixed one (Lake's 20 runs) are both a
//! [`TaskSource`].

use metastable_data::EpisodeShape;
use metastable_models::{Network, Real};
use rayon::prelude::*;

use crate::outer::Weights;
use crate::{
    AlgorithmError, Context, Curve, Learner, Predict, Prediction, Result, Task, TaskSource,
};

/// Predictions on a list of episodes, whose shapes may differ.
///
/// Lists go task by task, query by query; query `j` of task `t` has label `j / shapes[t].n_query`.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Episodes, T.
    pub n_tasks: usize,
    /// Their sizes, `(n_tasks)`; `k_shot` is the most supports of a class.
    pub shapes: Vec<EpisodeShape>,
    /// Predicted label of each query.
    pub predictions: Vec<u8>,
    /// Mean negative log-likelihood of the query labels of each task, in nats, `(n_tasks)`, or the mean squared error; not finite where the
    /// adaptation of a task blew up.
    pub task_nll: Vec<f64>,
    /// Log-odds against the true class of each query, `ln((1 - p) / p)`.
    pub query_log_odds: Vec<f64>,
    /// Natural log-probabilities of the classes, `n_way` of them for each query, in single precision.
    pub log_probabilities: Vec<f32>,
}

impl Evaluation {
    /// Share of right predictions of each task, 0 to 1; none for tasks of numbers.
    pub fn task_accuracies(&self) -> impl Iterator<Item = f64> {
        let mut rest = self.predictions.as_slice();
        let shapes = match rest {
            [] => &[],
            [..] => self.shapes.as_slice(),
        };
        shapes.iter().map(move |shape| {
            let (task, others) = rest.split_at(shape.n_queries());
            rest = others;
            let n_right = task
                .iter()
                .enumerate()
                .filter(|(query, label)| usize::from(**label) == query / shape.n_query)
                .count();
            n_right as f64 / task.len() as f64
        })
    }

    /// Mean accuracy over tasks, 0 to 1; NaN for tasks of numbers, of which nothing is right or wrong.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        if self.predictions.is_empty() {
            return f64::NAN;
        }
        self.task_accuracies().sum::<f64>() / self.n_tasks as f64
    }

    /// What larger values of are better: the accuracy, or of tasks of numbers the mean loss with its sign turned.
    #[must_use]
    pub fn score(&self) -> f64 {
        if self.predictions.is_empty() {
            -self.nll()
        } else {
            self.accuracy()
        }
    }

    /// Mean negative log-likelihood over tasks, in nats; of numbers the mean squared error.
    #[must_use]
    pub fn nll(&self) -> f64 {
        self.task_nll.iter().sum::<f64>() / self.n_tasks as f64
    }

    /// Of tasks that were judged one by one, in the order of their list.
    #[must_use]
    pub fn assembled(judged: Vec<Judged>) -> Self {
        let mut all = Self {
            n_tasks: judged.len(),
            shapes: Vec::with_capacity(judged.len()),
            predictions: Vec::new(),
            task_nll: Vec::with_capacity(judged.len()),
            query_log_odds: Vec::new(),
            log_probabilities: Vec::new(),
        };
        for one in judged {
            all.shapes.push(one.shape);
            all.predictions.extend(one.labels);
            all.task_nll.push(one.nll);
            all.query_log_odds.extend(one.log_odds);
            all.log_probabilities.extend(one.log_probabilities);
        }
        all
    }
}

/// Inner-loop curves for `k = 0 ..= n_steps`.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// Inner steps in training, K.
    pub trained_steps: usize,
    /// Last `k`: four times the trained steps, unless more were asked for.
    pub n_steps: usize,
    /// One curve a task, in the order of the list.
    pub tasks: Vec<Curve>,
}

/// Inner steps of a curve, in multiples of those of training.
pub const CURVE_FACTOR: usize = 4;

/// Predicts the queries of the tasks `0 .. n_tasks`.
///
/// # Errors
/// [`AlgorithmError::TooManyWays`], a `n_tasks` of 0, and those of the learner and of the source.
pub fn evaluate<T: Real>(
    network: &dyn Network<T>,
    learner: &dyn Predict<T>,
    weights: &Weights<T>,
    tasks: &TaskSource<'_, T>,
    n_tasks: usize,
) -> Result<Evaluation> {
    crate::error::require(
        0 < n_tasks,
        "n_tasks",
        n_tasks,
        "an evaluation needs a task",
    )?;
    let judged = (0..n_tasks as u64)
        .into_par_iter()
        .map(|index| {
            let task = tasks(index)?;
            let context = Context {
                network,
                statistics: weights.statistics(),
                task: &task,
            };
            Judged::of(&learner.predict(&context, &weights.theta)?, &task)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Evaluation::assembled(judged))
}

/// Predictions of several weights together on the tasks `0 .. n_tasks`: the mean of their class probabilities, as Antoniou et al. 2019
/// ("How to train your MAML", ICLR, section 5) test. Of one member they are those of [`evaluate`], to the bit.
///
/// # Errors
/// As for [`evaluate`]; no member at all; several on a task of numbers ([`AlgorithmError::NoClasses`]).
pub fn evaluate_together<T: Real>(
    network: &dyn Network<T>,
    learner: &dyn Predict<T>,
    members: &[&Weights<T>],
    tasks: &TaskSource<'_, T>,
    n_tasks: usize,
) -> Result<Evaluation> {
    crate::error::require(
        !members.is_empty() && 0 < n_tasks,
        "members and n_tasks",
        format!("{} and {n_tasks}", members.len()),
        "an evaluation needs weights and a task",
    )?;
    if let [weights] = members {
        return evaluate(network, learner, weights, tasks, n_tasks);
    }
    let judged = (0..n_tasks as u64)
        .into_par_iter()
        .map(|index| {
            let task = tasks(index)?;
            task.needs_classes("a mean of class probabilities")?;
            let predictions = members.iter().map(|weights| {
                let context = Context {
                    network,
                    statistics: weights.statistics(),
                    task: &task,
                };
                learner.predict(&context, &weights.theta)
            });
            let predictions = predictions.collect::<Result<Vec<_>>>()?;
            Judged::of(&Prediction::mean(&predictions, task.query_labels()), &task)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Evaluation::assembled(judged))
}

/// What one task adds to an evaluation.
#[derive(Clone, Debug)]
pub struct Judged {
    shape: EpisodeShape,
    labels: Vec<u8>,
    nll: f64,
    log_odds: Vec<f64>,
    log_probabilities: Vec<f32>,
}

impl Judged {
    /// Of the prediction of a task.
    ///
    /// # Errors
    /// [`AlgorithmError::TooManyWays`].
    pub fn of<T: Real>(prediction: &Prediction<T>, task: &Task<T>) -> Result<Self> {
        let n_way = task.shape().n_way;
        let byte = |label| u8::try_from(label).map_err(|_| AlgorithmError::TooManyWays { n_way });
        let log_probabilities = prediction.log_probabilities.iter();
        Ok(Self {
            shape: task.shape(),
            labels: prediction.labels().map(byte).collect::<Result<_>>()?,
            nll: prediction.query_loss.wide(),
            log_odds: prediction.log_odds(task.query_labels()).collect(),
            log_probabilities: log_probabilities.map(|p| p.wide() as f32).collect(),
        })
    }
}

/// Inner-loop curves of the tasks `0 .. n_tasks`; none for a learner without an inner loop.
///
/// # Errors
/// Those of the learner and of the source.
pub fn curves<T: Real>(
    network: &dyn Network<T>,
    learner: &dyn Learner<T>,
    weights: &Weights<T>,
    tasks: &TaskSource<'_, T>,
    n_tasks: usize,
) -> Result<Option<Curves>> {
    let Some(inner) = learner.inner_loop() else {
        return Ok(None);
    };
    let n_steps = CURVE_FACTOR * inner.train_steps();
    curves_over(network, learner, weights, tasks, n_tasks, n_steps)
}

/// The same over so many inner steps.
///
/// # Errors
/// Those of the learner and of the source.
pub fn curves_over<T: Real>(
    network: &dyn Network<T>,
    learner: &dyn Learner<T>,
    weights: &Weights<T>,
    tasks: &TaskSource<'_, T>,
    n_tasks: usize,
    n_steps: usize,
) -> Result<Option<Curves>> {
    let Some(inner) = learner.inner_loop() else {
        return Ok(None);
    };
    let trained_steps = inner.train_steps();
    let curves = (0..n_tasks as u64)
        .into_par_iter()
        .map(|index| {
            let context = Context {
                network,
                statistics: weights.statistics(),
                task: &tasks(index)?,
            };
            inner.curve(&context, &weights.theta, n_steps)
        })
        .collect::<Result<Vec<Curve>>>()?;
    Ok(Some(Curves {
        trained_steps,
        n_steps,
        tasks: curves,
    }))
}
