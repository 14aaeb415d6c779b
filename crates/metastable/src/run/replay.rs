//! The first steps of a run once more: they have to leave what the run left, at any number of threads.

use anyhow::Result;
use metastable_algorithms::Trainer;
use metastable_data::MetaSplit;

use super::log::Pending;
use super::returns::{self, Lab};
use super::steps::Steps;
use super::{Material, Run};
use crate::files::sha256;

/// What some first steps leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    /// The lines of the log.
    pub(crate) log: Vec<String>,
    /// SHA-256 of the bits of the parameters after each step.
    pub(crate) thetas: Vec<String>,
}

impl Run<'_> {
    /// Makes the first outer steps again, from the initial state, on the threads of the current pool.
    pub(crate) fn replay(&self, material: &Material, n_steps: usize) -> Result<Replay> {
        let config = self.config();
        let training = material.training(config)?;
        let validation = material.list(config, MetaSplit::Validation)?;
        let train_tasks = |index| training.task(index);
        let validation_tasks = |index| validation.task(index);
        let initial = self.initial_state()?;
        let mut trainer: Box<dyn Steps + '_> = match Lab::of(config)? {
            Some(lab) => Box::new(returns::Training::new(lab, &config.training, initial)),
            None => Box::new(Trainer::new(
                self.network(),
                self.learner(),
                &train_tasks,
                &validation_tasks,
                config.training.validate()?,
                initial,
            )?),
        };
        let mut pending = Pending::default();
        let mut replay = Replay::default();
        for _ in 0..n_steps {
            let report = trainer.step()?;
            let line = match &report {
                Some(report) => {
                    pending.add(report, config.training.outer_steps);
                    let theta = &trainer.state().weights.theta;
                    let bytes = theta.values().iter().flat_map(|value| value.to_le_bytes());
                    replay.thetas.push(sha256(&bytes.collect::<Vec<u8>>()));
                    let is_due = self.logs_after(report);
                    let line = is_due.then(|| pending.line(Some(report))).flatten();
                    line.map(|it| it.of_domains(&training, config.training.meta_batch))
                }
                // Where the run diverged, its replay does.
                None => pending.line(None),
            };
            if let Some(line) = line {
                replay.log.push(line.text()?.trim_end().to_owned());
            }
            if report.is_none() {
                break;
            }
        }
        Ok(replay)
    }
}
