//! The weights that a test is of: one checkpoint, or several validated ones together.
//!
//! `test.weights` says which come first, the best on validation or the last; `test.checkpoints` how many; `test.combine` whether the
//! probabilities that they predict are averaged, or they themselves.

use anyhow::{Context, Result, bail, ensure};
use metastable_algorithms::{
    BestWeights, Evaluation, TaskSource, TrainState, Weights, evaluate_together,
};

use super::folder::RunFolder;
use super::{Run, checkpoint, log, validated};
use crate::study::{Chosen, Combine};

/// What is tested together.
pub(crate) struct Combined {
    /// Outer steps of the checkpoints, in the order of their rank.
    pub(crate) steps: Vec<usize>,
    /// Whose probabilities are averaged: the checkpoints, or their mean.
    pub(crate) members: Vec<Weights<f32>>,
}

impl Combined {
    fn one(weights: &Weights<f32>, step: usize) -> Self {
        Self {
            steps: vec![step],
            members: vec![weights.clone()],
        }
    }

    /// Outer steps of the latest of them.
    pub(crate) fn step(&self) -> usize {
        self.steps.iter().copied().max().unwrap_or(0)
    }

    /// Whether the other is of the same checkpoints, in whatever order.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let sorted = |steps: &[usize]| {
            let mut steps = steps.to_vec();
            steps.sort_unstable();
            steps
        };
        sorted(&self.steps) == sorted(&other.steps)
    }
}

impl Run<'_> {
    /// Refuses a test of several checkpoints where a run will not have them.
    pub(super) fn check_combined(&self) -> Result<()> {
        let (config, network) = (self.config(), self.network());
        ensure!(
            config.training.ema.is_none() || !config.is_guest(),
            "ema: a guest keeps its own weights, and nothing averages them; set ema below [learners.NAME] of the others"
        );
        let wanted = config.test.checkpoints;
        if wanted == 1 {
            return Ok(());
        }
        ensure!(
            !config.is_guest(),
            "test.checkpoints = {wanted}: a guest keeps only its best and its last state; leave the setting out"
        );
        ensure!(
            !config.is_regression(),
            "test.checkpoints = {wanted}: a regression is tested with one checkpoint; leave the setting out"
        );
        ensure!(
            !config.is_policy(),
            "test.checkpoints = {wanted}: a policy is tested with one checkpoint; leave the setting out"
        );
        let plan = config.training.validate()?;
        let steps = 1..=config.training.outer_steps;
        let n_validations = steps.filter(|step| plan.validates_after(*step)).count();
        ensure!(
            wanted <= n_validations,
            "test.checkpoints = {wanted}: there are {n_validations} validations; raise validation.times to {wanted} at least"
        );
        let n_values = network.layout().n_values() + network.buffers().n_values();
        ensure!(
            validated::n_bytes(&config.training, n_values) > 0,
            "test.checkpoints = {wanted}: the weights of {n_validations} validations of {n_values} values would take more than 64 MiB and are not kept; lower validation.times"
        );
        Ok(())
    }

    /// The weights that `test.weights` names and, second, the others, of a training that has ended.
    pub(super) fn combined(
        &self,
        folder: &RunFolder,
        train: &TrainState<f32>,
    ) -> Result<[Combined; 2]> {
        let settings = &self.config().test;
        let [best, last] = if settings.checkpoints == 1 {
            let last = Combined::one(train.measured(), train.step);
            let best = train.best.as_ref();
            let best = best.map(|BestWeights { weights, step, .. }| Combined::one(weights, *step));
            [
                best.unwrap_or_else(|| Combined::one(train.measured(), train.step)),
                last,
            ]
        } else {
            self.best_and_last(folder, train.step)?
        };
        Ok(match settings.weights {
            Chosen::Best => [best, last],
            Chosen::Last => [last, best],
        })
    }

    /// The mean of the weights that the test is of, and the outer steps of the latest; none where no weights are averaged.
    pub(super) fn mean_weights(
        &self,
        folder: &RunFolder,
        train: &TrainState<f32>,
    ) -> Result<Option<(Weights<f32>, usize)>> {
        if !self.config().test.averages_weights() {
            return Ok(None);
        }
        let [chosen, _] = self.combined(folder, train)?;
        let step = chosen.step();
        Ok(chosen.members.into_iter().next().map(|mean| (mean, step)))
    }

    /// The weights that the test of a finished run is of, out of its files.
    pub(crate) fn tested(&self, folder: &RunFolder) -> Result<Combined> {
        let settings = &self.config().test;
        if settings.checkpoints == 1 {
            let stored = checkpoint::Stored::read(&folder.tested(settings))?;
            return Ok(Combined::one(&stored.weights, stored.step));
        }
        let [best, last] = self.best_and_last(folder, self.config().training.outer_steps)?;
        Ok(match settings.weights {
            Chosen::Best => best,
            Chosen::Last => last,
        })
    }

    /// As many checkpoints as the test asks for, of `n_steps` outer steps: the best first, of equals the earliest; the last first.
    fn best_and_last(&self, folder: &RunFolder, n_steps: usize) -> Result<[Combined; 2]> {
        let config = self.config();
        let path = folder.validated();
        let kept = validated::read(&path, &config.training, self.network(), n_steps)?;
        let kept = kept.with_context(|| format!("{} is not there", path.display()))?;
        let mut accuracies = Vec::with_capacity(kept.len());
        let lines = log::read(&folder.log())?;
        for (step, _) in &kept {
            let line = lines.iter().find(|line| line.step == *step);
            let Some(accuracy) = line.and_then(|line| line.validation_accuracy) else {
                bail!(
                    "{} says nothing of the validation after step {step}",
                    folder.log().display()
                );
            };
            accuracies.push(accuracy);
        }
        let mut by_accuracy: Vec<usize> = (0..kept.len()).collect();
        by_accuracy.sort_by(|a, b| accuracies[*b].total_cmp(&accuracies[*a]));
        let latest: Vec<usize> = (0..kept.len()).rev().collect();
        let of = |order: &[usize]| -> Result<Combined> {
            let chosen = order.iter().take(config.test.checkpoints);
            let chosen: Vec<_> = chosen.map(|index| &kept[*index]).collect();
            let weights: Vec<&Weights<f32>> = chosen.iter().map(|(_, weights)| weights).collect();
            let members = match config.test.combine {
                Combine::Probabilities => weights.into_iter().cloned().collect(),
                Combine::Weights => Weights::mean(&weights).into_iter().collect(),
            };
            Ok(Combined {
                steps: chosen.iter().map(|(step, _)| *step).collect(),
                members,
            })
        };
        Ok([of(&by_accuracy)?, of(&latest)?])
    }

    /// Predictions of weights together on the first `n_tasks` tasks of a list.
    pub(crate) fn evaluate_combined(
        &self,
        combined: &Combined,
        tasks: &TaskSource<'_, f32>,
        n_tasks: usize,
    ) -> Result<Evaluation> {
        let members: Vec<&Weights<f32>> = combined.members.iter().collect();
        Ok(evaluate_together(
            self.network(),
            self.learner(),
            &members,
            tasks,
            n_tasks,
        )?)
    }
}
