//! A training that another run of the store has made already: its weights are taken over, and only measured anew.
//!
//! A training does not depend on the episodes that it is validated and tested on. So a run that differs from a finished one
//! in nothing else has the same weights after every step; the result is the one that training again would give, to the bit.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::{BestWeights, TrainState, revalidate};
use metastable_analysis::Outcome;
use metastable_data::MetaSplit;

use super::folder::RunFolder;
use super::growing::Mark;
use super::log::{self, LogLine, Pending};
use super::numerics::BUILD;
use super::state::State;
use super::workshop::Workshop;
use super::{Record, Run, checkpoint, validated};
use crate::files::{read_bytes, write_whole};
use crate::store::attempt::Attempt;

/// The log of a training, and its best weights.
type Revalidated = (Vec<u8>, Option<BestWeights<f32>>);

/// A training that is not made again.
pub(super) struct Reused {
    pub(super) state: State,
    pub(super) outcome: Outcome,
    /// Identity of the run that made it.
    pub(super) from: String,
}

impl Run<'_> {
    /// The same training out of another finished run of the store, validated as this run asks for, with its log in this
    /// run's folder. None where there is no such run, or none that can be used; the latter is said.
    pub(super) fn reuse(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        attempt: &Attempt<'_>,
    ) -> Result<Option<Reused>> {
        let training = self.config().training_identity()?;
        for (from, path) in attempt.trained_by(&training) {
            let other = RunFolder::new(&path);
            match self.take_from(&other, folder, shop, &training) {
                Ok(Some((state, outcome))) => {
                    shop.seat.warm();
                    shop.progress.pass(self.config().training.outer_steps);
                    shop.progress.note(&format!(
                        "{}: its training is in the store ({}); testing",
                        self.label(),
                        path.display()
                    ));
                    return Ok(Some(Reused {
                        state,
                        outcome,
                        from,
                    }));
                }
                Ok(None) => {}
                Err(error) => shop.progress.say(&format!(
                    "{}: the training in {} cannot be used: {error:#}; it is made again",
                    self.label(),
                    path.display()
                )),
            }
        }
        Ok(None)
    }

    fn take_from(
        &self,
        other: &RunFolder,
        folder: &RunFolder,
        shop: &Workshop<'_>,
        training: &str,
    ) -> Result<Option<(State, Outcome)>> {
        let record = Record::read(&other.record())?;
        ensure!(
            record.config.training_identity()? == training,
            "it is another training than its entry says"
        );
        let Some(result) = record.result else {
            return Ok(None);
        };
        // The weights of another build may differ after steps that nobody has made again.
        if record.environment.build.as_deref() != Some(BUILD) {
            return Ok(None);
        }
        let last = checkpoint::Stored::read(&other.last())?;
        let (log, best) = if self.config().validates_like(&record.config) {
            let best = result.best_validation.map(|(step, score)| {
                let weights = checkpoint::Stored::read(&other.best())?.weights;
                Ok::<_, anyhow::Error>(BestWeights {
                    step,
                    score,
                    weights,
                })
            });
            let log = read_bytes(&other.log())?;
            (log, best.transpose()?)
        } else {
            match self.validate_again(other, shop, last.step)? {
                Some(made) => made,
                None => return Ok(None),
            }
        };
        write_whole(&folder.log(), &log)?;
        copy_if_there(&other.validated(), &folder.validated())?;
        let state = State {
            train: TrainState {
                step: last.step,
                weights: last.weights,
                moments: Vec::new(),
                average: None,
                best,
            },
            log: Mark::default(),
            validated: Mark::default(),
            pending: Pending::default(),
            train_seconds: result.train_seconds,
        };
        Ok(Some((state, result.outcome)))
    }

    /// The log of another run with the validations of this one, and the best of them; none where the weights of its
    /// validations were not kept.
    fn validate_again(
        &self,
        other: &RunFolder,
        shop: &Workshop<'_>,
        n_steps: usize,
    ) -> Result<Option<Revalidated>> {
        let config = self.config();
        if config.is_policy() {
            return Ok(None);
        }
        let path = other.validated();
        let Some(weights) = validated::read(&path, &config.training, self.network(), n_steps)?
        else {
            return Ok(None);
        };
        let training = shop.material.training(config)?;
        let validation = shop.material.list(config, MetaSplit::Validation)?;
        let train_tasks = |index| training.task(index);
        let validation_tasks = |index| validation.task(index);
        let again = revalidate(
            self.network(),
            self.learner(),
            [&train_tasks, &validation_tasks],
            &config.training.validate()?,
            weights.into_iter().map(Ok::<_, anyhow::Error>),
        )?;
        let mut lines = log::read(&other.log())?;
        for (step, validation, inspection) in again.seen {
            let line = lines.iter_mut().find(|line| line.step == step);
            let line = line.with_context(|| {
                format!("its log has no line for the validation after step {step}")
            })?;
            line.see(&validation, inspection);
        }
        let texts: Result<Vec<String>> = lines.iter().map(LogLine::text).collect();
        Ok(Some((texts?.concat().into_bytes(), again.best)))
    }
}

fn copy_if_there(from: &Path, to: &Path) -> Result<()> {
    match fs::read(from) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        read => {
            let bytes = read.with_context(|| format!("while reading {}", from.display()))?;
            write_whole(to, &bytes)
        }
    }
}
