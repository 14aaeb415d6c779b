//! The outer loop, one step at a time: the caller owns the loop, progress, files and interruption.

use metastable_models::{Network, Params, Real};
use rayon::prelude::*;

use super::{
    BestWeights, Divergence, Inspection, Observation, Outcome, Signal, TaskWeighting, TrainPlan,
    TrainState, budget::InspectionBudget,
};
use crate::{AlgorithmError, Context, Learner, MetaGradient, TaskSource, evaluate};

/// Added to the norm that clipping divides by, as in PyTorch's `clip_grad_norm_`.
const CLIP_EPSILON: f64 = 1e-6;

/// A meta-training.
pub struct Trainer<'a, T> {
    network: &'a dyn Network<T>,
    learner: &'a dyn Learner<T>,
    train: &'a TaskSource<'a, T>,
    validation: &'a TaskSource<'a, T>,
    plan: TrainPlan,
    state: TrainState<T>,
    divergence: Option<(usize, Divergence)>,
}

/// What an outer step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Outer steps made, this one included.
    pub step: usize,
    /// Mean query loss of the meta-batch before the update, in nats; of numbers the mean squared error.
    pub loss: f64,
    /// Mean query accuracy of the meta-batch before the update, 0 to 1; NaN for tasks of numbers.
    pub accuracy: f64,
    /// Euclidean norm of the averaged meta-gradient, before clipping.
    pub gradient_norm: f64,
    /// Whether clipping shortened the meta-gradient.
    pub clipped: bool,
    /// Step size of the update.
    pub outer_lr: f64,
    /// Sizes of the gradients and of the update.
    pub signal: Signal,
    /// A closer look at the tasks before the update, at the steps that observe.
    pub observation: Option<Observation>,
    /// The validation after the update, at the steps that validate.
    pub validation: Option<Validation>,
    /// What its first tasks show from within, at the validations that inspect.
    pub inspection: Option<Inspection>,
}

/// A validation on the fixed list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// Mean accuracy over tasks, 0 to 1; NaN for tasks of numbers.
    pub accuracy: f64,
    /// Mean negative log-likelihood over tasks, in nats, or the mean squared error.
    pub loss: f64,
    /// Whether it is better than every one before.
    pub is_best: bool,
}

impl<'a, T: Real> Trainer<'a, T> {
    /// A training that goes on from `state` ([`TrainState::new`] or [`TrainState::import`]).
    ///
    /// `train` is asked for the tasks `step * meta_batch + b` (`step` counted from 0), `validation` for
    /// `0 .. validation_tasks`.
    ///
    /// # Errors
    /// [`AlgorithmError::State`] if the state does not fit the network or the optimizer.
    pub fn new(
        network: &'a dyn Network<T>,
        learner: &'a dyn Learner<T>,
        train: &'a TaskSource<'a, T>,
        validation: &'a TaskSource<'a, T>,
        plan: TrainPlan,
        state: TrainState<T>,
    ) -> Result<Self, AlgorithmError> {
        let fits = state.weights.theta.layout() == network.layout()
            && state.weights.buffers.layout() == network.buffers();
        let n_moments = plan.config().optimizer.n_moments();
        let problem = if !fits {
            Some("does not have the layout of the network")
        } else if state.moments.len() != n_moments {
            Some("does not have the moments of the optimizer")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(AlgorithmError::State {
                what: "the state".to_owned(),
                problem: problem.to_owned(),
            });
        }
        Ok(Self {
            network,
            learner,
            train,
            validation,
            plan,
            state,
            divergence: None,
        })
    }

    /// The state between two steps.
    #[must_use]
    pub fn state(&self) -> &TrainState<T> {
        &self.state
    }

    /// The state, when training is over.
    #[must_use]
    pub fn into_state(self) -> TrainState<T> {
        self.state
    }

    /// How the training ended; none while steps are left.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.divergence {
            Some((step, cause)) => Some(Outcome::Diverged {
                step: *step,
                cause: cause.clone(),
            }),
            None if self.plan.config().outer_steps <= self.state.step => Some(Outcome::Completed),
            None => None,
        }
    }

    /// One outer step, on all threads of rayon's current pool; none if the training has ended, be it at this very
    /// step (see [`Self::outcome`]).
    ///
    /// Meta-gradients are collected and summed in the order of the tasks, so bits do not depend on the number of
    /// threads. If a value is not finite, the state stays as it was before the step.
    ///
    /// # Errors
    /// Those of the learner and of the sources; the state stays as it was before the step.
    pub fn step(&mut self) -> Result<Option<StepReport>, AlgorithmError> {
        if self.outcome().is_some() {
            return Ok(None);
        }
        let tasks = self.meta_gradients()?;
        let attempt = self.attempt(&tasks);
        let (mut report, next) = match attempt {
            Ok(made) => made,
            Err(cause) => {
                self.divergence = Some((self.state.step + 1, cause));
                return Ok(None);
            }
        };
        if self.plan.observes_at(next.step) {
            report.observation = Observation::make(
                self.network,
                self.learner,
                &self.state.weights.theta,
                self.train,
                self.first_task(),
                &tasks,
            )?;
        }
        let previous = std::mem::replace(&mut self.state, next);
        if self.plan.validates_after(self.state.step) {
            match self.look() {
                Ok((validation, inspection)) => {
                    report.validation = Some(validation);
                    report.inspection = inspection;
                }
                Err(error) => {
                    self.state = previous;
                    return Err(error);
                }
            }
        }
        Ok(Some(report))
    }

    /// Index of the first task of the next outer step.
    fn first_task(&self) -> u64 {
        (self.state.step * self.plan.config().meta_batch) as u64
    }

    /// One meta-gradient a task, in the order of the tasks.
    fn meta_gradients(&self) -> Result<Vec<MetaGradient<T>>, AlgorithmError> {
        let first = self.first_task();
        (first..first + self.plan.config().meta_batch as u64)
            .into_par_iter()
            .map(|index| {
                let task = (self.train)(index)?;
                let theta = &self.state.weights.theta;
                let context = Context::training(self.network, &task);
                self.learner
                    .meta_gradient_at(&context, theta, self.state.step)
            })
            .collect()
    }

    /// The state after the update, or the value that was first not finite.
    fn attempt(
        &self,
        tasks: &[MetaGradient<T>],
    ) -> Result<(StepReport, TrainState<T>), Divergence> {
        let config = self.plan.config();
        let batch = Batch::average(&self.state.weights.theta, tasks, config.task_weighting)?;
        let gradient_norm = batch.gradient.norm();
        let clipped = config.clip_norm.filter(|limit| *limit < gradient_norm);
        let shortened = clipped.map(|limit| {
            let mut gradient = batch.gradient.clone();
            gradient.scale(T::of(limit / (gradient_norm + CLIP_EPSILON)));
            gradient
        });

        let mut next = self.state.clone();
        let outer_lr = config
            .schedule
            .lr(config.outer_lr, self.state.step, config.outer_steps);
        next.step += 1;
        let (theta, moments) = (&mut next.weights.theta, &mut next.moments);
        config.optimizer.update(
            next.step,
            outer_lr,
            theta,
            moments,
            shortened.as_ref().unwrap_or(&batch.gradient),
        );
        if let Some(tensor) = theta.first_non_finite() {
            let tensor = tensor.to_owned();
            return Err(Divergence::Parameter { tensor });
        }
        // running <- (1 - momentum) running + momentum batch, task by task
        let buffers = &mut next.weights.buffers;
        for task in tasks {
            buffers.scale(T::of(1.0 - config.running_momentum));
            buffers.add(T::of(config.running_momentum), &task.statistics);
        }
        if let Some(tensor) = buffers.first_non_finite() {
            let tensor = tensor.to_owned();
            return Err(Divergence::RunningStatistics { tensor });
        }
        if let Some(decay) = config.ema {
            let average = next.average.get_or_insert_with(|| next.weights.clone());
            average.follow(&next.weights, decay, next.step);
        }
        let report = StepReport {
            step: next.step,
            loss: batch.loss,
            accuracy: batch.accuracy,
            gradient_norm,
            clipped: clipped.is_some(),
            outer_lr,
            signal: Signal::of(
                tasks,
                batch.plain.as_ref().unwrap_or(&batch.gradient),
                &self.state.weights.theta,
                &next.weights.theta,
            ),
            observation: None,
            validation: None,
            inspection: None,
        };
        Ok((report, next))
    }

    /// The validation of the weights as they are, and what its first tasks show from within if they are inspected.
    pub(super) fn look(&mut self) -> Result<(Validation, Option<Inspection>), AlgorithmError> {
        let validation = self.validate()?;
        Ok((validation, self.inspect()?))
    }

    fn validate(&mut self) -> Result<Validation, AlgorithmError> {
        let evaluation = evaluate(
            self.network,
            self.learner,
            self.state.measured(),
            self.validation,
            self.plan.config().validation_tasks,
        )?;
        let score = evaluation.score();
        let best_before = self.state.best.as_ref().map(|best| best.score);
        // A loss that is not finite is no best, not even of nothing.
        let is_best = score.is_finite() && best_before.is_none_or(|best| best < score);
        if is_best {
            self.state.best = Some(BestWeights {
                step: self.state.step,
                score,
                weights: self.state.measured().clone(),
            });
        }
        Ok(Validation {
            accuracy: evaluation.accuracy(),
            loss: evaluation.nll(),
            is_best,
        })
    }

    fn inspect(&self) -> Result<Option<Inspection>, AlgorithmError> {
        if self.plan.config().inspected_tasks == 0 {
            return Ok(None);
        }
        let (trained, inspected) = ((self.train)(0)?.shape(), (self.validation)(0)?.shape());
        let inner_steps = self.learner.inner_loop().map(|inner| inner.train_steps());
        let budget = InspectionBudget::new(&self.plan, inner_steps, trained, inspected);
        let Some(n_tasks) = budget.n_tasks_after(self.state.step) else {
            return Ok(None);
        };
        let (weights, tasks) = (self.state.measured(), self.validation);
        Inspection::make(self.network, self.learner, weights, tasks, n_tasks).map(Some)
    }
}

/// A meta-batch, averaged.
struct Batch<T> {
    loss: f64,
    accuracy: f64,
    /// What is descended: the mean over the tasks that count.
    gradient: Params<T>,
    /// The mean over all tasks, if not all of them count: the signal describes the tasks, whatever their weights.
    plain: Option<Params<T>>,
}

impl<T: Real> Batch<T> {
    fn average(
        theta: &Params<T>,
        tasks: &[MetaGradient<T>],
        weighting: TaskWeighting,
    ) -> Result<Self, Divergence> {
        let mut batch = Self {
            loss: 0.0,
            accuracy: 0.0,
            gradient: Params::zeros(theta.layout()),
            plain: None,
        };
        for (task_idx, task) in tasks.iter().enumerate() {
            if let Some(what) = task.non_finite.clone() {
                return Err(Divergence::Task { task_idx, what });
            }
            batch.loss += task.query_loss.wide();
            batch.accuracy += task.n_correct as f64 / task.n_queries as f64;
            batch.gradient.add(T::ONE, &task.gradient);
        }
        let n_tasks = tasks.len() as f64;
        batch.loss /= n_tasks;
        batch.accuracy /= n_tasks;
        batch.gradient.scale(T::of(1.0 / n_tasks));
        if !weighting.is_mean() {
            batch.weigh(tasks, weighting);
        }
        match batch.gradient.first_non_finite() {
            Some(tensor) => {
                // The first bad tensor of the first bad task, if it is not the sum alone.
                let of_task = |(task_idx, task): (usize, &MetaGradient<T>)| {
                    Some((task_idx, task.gradient.first_non_finite()?.to_owned()))
                };
                let of_task = tasks.iter().enumerate().find_map(of_task);
                let of_sum = tensor.to_owned();
                let (task_idx, tensor) = of_task.unzip();
                Err(Divergence::Gradient {
                    tensor: tensor.unwrap_or(of_sum),
                    task_idx,
                })
            }
            None => Ok(batch),
        }
    }

    /// The mean over the tasks that count in place of that over all.
    fn weigh(&mut self, tasks: &[MetaGradient<T>], weighting: TaskWeighting) {
        let losses: Vec<f64> = tasks.iter().map(|task| task.query_loss.wide()).collect();
        let counted = weighting.counted(&losses);
        let mut gradient = Params::zeros(self.gradient.layout());
        for index in &counted {
            gradient.add(T::ONE, &tasks[*index].gradient);
        }
        gradient.scale(T::of(1.0 / counted.len() as f64));
        self.plain = Some(std::mem::replace(&mut self.gradient, gradient));
    }
}
