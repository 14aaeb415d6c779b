//! Settings of the outer loop: unchecked as a user writes them, checked as a trainer takes them.

use serde::{Deserialize, Serialize};

use super::{OptimizerConfig, ScheduleConfig, TaskWeighting};
use crate::AlgorithmError;
use crate::error::require;

/// Settings of the outer loop as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Updates of theta.
    pub outer_steps: usize,
    /// Tasks of an outer step, B; their meta-gradients are averaged.
    pub meta_batch: usize,
    /// Step size of the outer loop, beta, before the schedule.
    pub outer_lr: f64,
    /// How a gradient becomes an update.
    pub optimizer: OptimizerConfig,
    /// How the step size changes.
    pub schedule: ScheduleConfig,
    /// Which tasks of a meta-batch count.
    #[serde(skip_serializing_if = "TaskWeighting::is_mean")]
    pub task_weighting: TaskWeighting,
    /// Largest Euclidean norm of the averaged meta-gradient; no clipping if absent.
    pub clip_norm: Option<f64>,
    /// What of a weighted mean of the weights stays at each step ([`super::Weights::follow`]); validation and test are then of that mean,
    /// and training goes on from the weights themselves. No mean if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Validation after every so many steps, and after the last; 0 for never.
    pub validate_every: usize,
    /// Tasks of the fixed validation list.
    pub validation_tasks: usize,
    /// Validation tasks that are looked at from within ([`super::Inspection`]), at most `validation_tasks`; 0 for none. With
    /// fewer tasks, and at fewer of the validations, the last among them, where it would take more than 1 % of the passes of
    /// the training.
    pub inspected_tasks: usize,
    /// Tasks of the outer steps `1, n, 2 n, ...` and of the last are looked at closely ([`super::Observation`]); 0 for never.
    pub observe_every: usize,
    /// Weight of a new batch in running statistics, task by task (PyTorch's `momentum`); only for networks that have
    /// them.
    pub running_momentum: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            outer_steps: 1000,
            meta_batch: 4,
            outer_lr: 1e-3,
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            task_weighting: TaskWeighting::default(),
            clip_norm: None,
            ema: None,
            validate_every: 100,
            validation_tasks: 50,
            inspected_tasks: 20,
            observe_every: 500,
            running_momentum: 0.1,
        }
    }
}

impl TrainConfig {
    /// The settings with their bounds checked.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] with the first setting that is out of bounds.
    pub fn validate(&self) -> Result<TrainPlan, AlgorithmError> {
        require(
            0 < self.meta_batch,
            "meta_batch",
            self.meta_batch,
            "an outer step needs at least one task",
        )?;
        require(
            self.outer_lr.is_finite() && 0.0 <= self.outer_lr,
            "outer_lr",
            self.outer_lr,
            "the outer step size has to be finite and not negative, e.g. 0.001",
        )?;
        self.optimizer.check()?;
        self.schedule.check()?;
        self.task_weighting.check()?;
        if let Some(clip_norm) = self.clip_norm {
            require(
                clip_norm.is_finite() && 0.0 < clip_norm,
                "clip_norm",
                clip_norm,
                "the largest norm has to be finite and positive; leave it out to switch clipping off",
            )?;
        }
        if let Some(ema) = self.ema {
            require(
                0.0 < ema && ema < 1.0,
                "ema",
                ema,
                "the share of the mean that stays at a step lies between 0 and 1, e.g. 0.999; leave it out to switch averaging off",
            )?;
        }
        require(
            self.validate_every == 0 || 0 < self.validation_tasks,
            "validation_tasks",
            self.validation_tasks,
            "validation needs at least one task; validate_every = 0 switches it off",
        )?;
        require(
            0.0 < self.running_momentum && self.running_momentum <= 1.0,
            "running_momentum",
            self.running_momentum,
            "the weight of a new batch lies above 0 and is at most 1, e.g. 0.1",
        )?;
        Ok(TrainPlan(self.clone()))
    }
}

/// Settings of the outer loop within their bounds; made by [`TrainConfig::validate`] alone.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainPlan(TrainConfig);

impl TrainPlan {
    /// The settings.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.0
    }

    /// Whether validation follows that step (counted from 1).
    #[must_use]
    pub fn validates_after(&self, step: usize) -> bool {
        let every = self.0.validate_every;
        every != 0 && (step.is_multiple_of(every) || step == self.0.outer_steps)
    }

    /// Whether the tasks of that step (counted from 1) are observed.
    #[must_use]
    pub fn observes_at(&self, step: usize) -> bool {
        let every = self.0.observe_every;
        every != 0 && (step == 1 || step.is_multiple_of(every) || step == self.0.outer_steps)
    }
}
