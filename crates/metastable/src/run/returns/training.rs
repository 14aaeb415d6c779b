//! The outer steps of a policy, with validations on a fixed list.

use anyhow::Result;
use metastable_algorithms::outer::{Signal, Validation};
use metastable_algorithms::{
    BestWeights, Divergence, Outcome, StepReport, TrainConfig, TrainState,
};
use metastable_models::Vector;

use super::lab::Lab;
use super::returned::mean;
use crate::run::steps::Steps;

/// A training of a policy.
pub(in crate::run) struct Training {
    lab: Lab,
    config: TrainConfig,
    state: TrainState<f32>,
    divergence: Option<(usize, Divergence)>,
}

impl Training {
    /// One that goes on from a state.
    pub(in crate::run) fn new(lab: Lab, config: &TrainConfig, state: TrainState<f32>) -> Self {
        Self {
            lab,
            config: config.clone(),
            state,
            divergence: None,
        }
    }

    /// The mean return of the validation tasks after the inner steps of a test.
    fn validate(&mut self) -> Result<Validation> {
        let theta = &self.state.weights.theta;
        let (goals, n_tasks) = (&self.lab.validation, self.config.validation_tasks);
        let returns = self.lab.returns(theta, goals, n_tasks)?;
        let of_task = returns.len() / n_tasks;
        let last = of_task - self.lab.n_rollouts;
        let of_tasks: Vec<f64> = returns
            .chunks_exact(of_task)
            .map(|task| mean(&task[last..]))
            .collect();
        let score = mean(&of_tasks);
        let best_before = self.state.best.as_ref().map(|best| best.score);
        let is_best = score.is_finite() && best_before.is_none_or(|best| best < score);
        if is_best {
            self.state.best = Some(BestWeights {
                step: self.state.step,
                score,
                weights: self.state.weights.clone(),
            });
        }
        Ok(Validation {
            accuracy: f64::NAN,
            loss: -score,
            is_best,
        })
    }
}

impl Steps for Training {
    fn step(&mut self) -> Result<Option<StepReport>> {
        if self.outcome().is_some() {
            return Ok(None);
        }
        let mut next = self.state.clone();
        next.step += 1;
        let theta = &mut next.weights.theta;
        let made = self.lab.maml().step(theta, self.state.step as u64)?;
        let name = |tensor: &str| tensor.to_owned();
        let cause = match (made.gradient.first_non_finite(), theta.first_non_finite()) {
            (Some(tensor), _) => Some(Divergence::Gradient {
                tensor: name(tensor),
                task_idx: None,
            }),
            (None, Some(tensor)) => Some(Divergence::Parameter {
                tensor: name(tensor),
            }),
            (None, None) => None,
        };
        if let Some(cause) = cause {
            self.divergence = Some((next.step, cause));
            return Ok(None);
        }
        let before = &self.state.weights.theta;
        let moved = f32::squared_distance(theta.values(), before.values()).sqrt();
        let layers = made.gradient.layout().layers().into_iter();
        let squares: Vec<f64> = layers
            .map(|(_, range)| {
                let values = &made.gradient.values()[range];
                f32::dot(values, values)
            })
            .collect();
        let mut report = StepReport {
            step: next.step,
            loss: -made.after,
            accuracy: f64::NAN,
            gradient_norm: made.gradient_norm,
            clipped: false,
            // The line search finds the length of each step.
            outer_lr: f64::NAN,
            signal: Signal {
                layer_norms: squares.iter().map(|square| square.sqrt()).collect(),
                mean_square: squares.iter().sum(),
                sum_of_squares: made.sum_of_squares,
                update_ratio: moved / before.norm(),
            },
            observation: None,
            validation: None,
            inspection: None,
        };
        let previous = std::mem::replace(&mut self.state, next);
        let every = self.config.validate_every;
        let step = self.state.step;
        if every != 0 && (step.is_multiple_of(every) || step == self.config.outer_steps) {
            match self.validate() {
                Ok(validation) => report.validation = Some(validation),
                Err(error) => {
                    self.state = previous;
                    return Err(error);
                }
            }
        }
        Ok(Some(report))
    }

    fn state(&self) -> &TrainState<f32> {
        &self.state
    }

    fn outcome(&self) -> Option<Outcome> {
        match &self.divergence {
            Some((step, cause)) => Some(Outcome::Diverged {
                step: *step,
                cause: cause.clone(),
            }),
            None if self.config.outer_steps <= self.state.step => Some(Outcome::Completed),
            None => None,
        }
    }
}
