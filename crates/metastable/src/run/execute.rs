//! One run from its configuration to its files. A run that was cut goes on where its state says, with the same bits.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use metastable_algorithms::{Outcome, StepReport, TrainState, Trainer, Weights};
use metastable_data::{MetaSplit, Stream};
use metastable_models::{Architecture, Network};

use super::folder::RunFolder;
use super::furthest::furthest;
use super::growing::{Growing, Mark};
use super::guest;
use super::log::{Pending, note};
use super::made::Run;
use super::record::{Record, RecordParts, RunResult};
use super::returns::{self, Lab};
use super::state::State;
use super::steps::Steps;
use super::validated::Validated;
use super::workshop::{Ended, Workshop};
use super::{RunConfig, checkpoint};
use crate::progress::Line;
use crate::store::attempt::Attempt;

impl Run<'_> {
    /// Does what is left of the run, and puts it into the store.
    pub(crate) fn execute(&self, shop: &Workshop<'_>, attempt: Attempt<'_>) -> Result<Ended> {
        let folder = RunFolder::new(attempt.folder());
        match self.execute_in(shop, &folder, &attempt) {
            // What the successor removed is missing here; that is no error of this run.
            Err(_) if !attempt.is_held() => Ok(Ended::TakenOver),
            Ok(Ended::Finished(_)) if !attempt.is_held() => Ok(Ended::TakenOver),
            Ok(Ended::Finished(record)) => {
                let training = self.config().training_identity()?;
                attempt.publish(&folder.lasting(), &training)?;
                Ok(Ended::Finished(record))
            }
            other => other,
        }
    }

    fn execute_in(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        attempt: &Attempt<'_>,
    ) -> Result<Ended> {
        if self.config().is_guest() {
            return guest::execute(self, shop, folder, attempt);
        }
        let optimizer = &self.config().training.optimizer;
        let start = furthest(
            self.label(),
            shop,
            attempt,
            |folder| {
                let path = folder.state();
                let state = State::read(&path, &self.mark(), self.network(), optimizer)?;
                if let Some(state) = &state {
                    state.validated.read(&folder.validated())?;
                }
                Ok(state)
            },
            |state: &State| (state.train.step, &state.log),
        )?;
        let mut record = self.blank_record(shop)?;
        let (state, outcome, trained_by) = match self.reuse(shop, folder, attempt)? {
            Some(reused) => (reused.state, reused.outcome, Some(reused.from)),
            None => match self.train(shop, folder, attempt, start)? {
                Trained::Ended(state, outcome) => (*state, plain(&outcome), None),
                Trained::Cut(ended) => return Ok(ended),
            },
        };
        let train = &state.train;
        let save = |path: &Path, weights: &Weights<f32>, step| {
            checkpoint::write(path, &record, weights, step)
        };
        save(&folder.last(), train.measured(), train.step)?;
        if let Some(best) = &train.best {
            save(&folder.best(), &best.weights, best.step)?;
        }
        let has_completed = outcome == metastable_analysis::Outcome::Completed;
        let mut result = RunResult {
            outcome,
            train_seconds: state.train_seconds,
            best_validation: train.best.as_ref().map(|best| (best.step, best.score)),
            test: None,
            other_test: None,
            trained_by,
            guest: None,
        };
        if has_completed {
            if shop.stop.asked() {
                return Ok(Ended::Interrupted);
            }
            (result.test, result.other_test) = self.test(shop, folder, train)?;
            if let Some((mean, step)) = self.mean_weights(folder, train)? {
                save(&folder.mean(), &mean, step)?;
            }
        }
        record.result = Some(result);
        record.write(&folder.record())?;
        Ok(Ended::Finished(Box::new(record)))
    }

    /// The record of the run before its end.
    pub(super) fn blank_record(&self, shop: &Workshop<'_>) -> Result<Record> {
        let test = shop.material.list(self.config(), MetaSplit::Test)?;
        let parts = RecordParts {
            classes: shop.material.class_lists(),
            receipt: shop.material.dataset.receipt.as_deref().cloned(),
            test_list_digest: test.digest(self.config().test.episodes)?,
            n_parameters: self.network().layout().n_values(),
            layers: self
                .network()
                .layout()
                .layers()
                .into_iter()
                .map(|(name, _)| name.to_owned())
                .collect(),
        };
        Record::new(self.config(), parts)
    }

    /// Trains to the end, unless it is cut.
    fn train(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        attempt: &Attempt<'_>,
        start: Option<State>,
    ) -> Result<Trained> {
        let config = self.config();
        let start = match start {
            Some(state) => state,
            None => State {
                train: self.initial_state()?,
                log: Mark::default(),
                validated: Mark::default(),
                pending: Pending::default(),
                train_seconds: 0.0,
            },
        };
        let mut log = Growing::open(&folder.log(), &start.log)?;
        let mut validated = Validated::open(
            &folder.validated(),
            &config.training,
            self.network(),
            &start.validated,
        )?;
        let mut pending = start.pending;
        let training = shop.material.training(config)?;
        let validation = shop.material.list(config, MetaSplit::Validation)?;
        let line = shop
            .progress
            .run(self.label(), start.train.step, config.training.outer_steps);
        let train_tasks = |index| training.task(index);
        let validation_tasks = |index| validation.task(index);
        let mut trainer: Box<dyn Steps + '_> = match Lab::of(config)? {
            Some(lab) => Box::new(returns::Training::new(lab, &config.training, start.train)),
            None => Box::new(Trainer::new(
                self.network(),
                self.learner(),
                &train_tasks,
                &validation_tasks,
                config.training.validate()?,
                start.train,
            )?),
        };
        let begun = Instant::now();
        let seconds = || start.train_seconds + begun.elapsed().as_secs_f64();
        let pause = Duration::from_secs_f64(shop.settings.save_seconds);
        let mut saved = Instant::now();
        let mut accuracy = None;
        loop {
            // What is cut between two steps goes on from the last state; a step is waited for.
            let step = shop.stop.step();
            let Some(report) = trainer.step()? else {
                break;
            };
            shop.seat.warm();
            pending.add(&report, config.training.outer_steps);
            if report.validation.is_some() {
                validated.append(trainer.state().measured())?;
            }
            let is_last = report.step == config.training.outer_steps;
            if self.logs_after(&report) {
                accuracy = report.validation.map(|v| v.accuracy).or(accuracy);
                accuracy = accuracy.filter(|accuracy| accuracy.is_finite());
                let line = pending.line(Some(&report));
                let line = line.map(|it| it.of_domains(&training, config.training.meta_batch));
                note(&mut log, line)?;
            }
            line.step(report.step, accuracy);
            let stopping = shop.stop.asked();
            if stopping || is_last || saved.elapsed() >= pause {
                if !attempt.is_held() {
                    line.say("taken over by another process");
                    return Ok(Trained::Cut(Ended::TakenOver));
                }
                let state = State {
                    train: trainer.state().clone(),
                    log: log.mark()?,
                    validated: validated.mark()?,
                    pending: pending.clone(),
                    train_seconds: seconds(),
                };
                state.write(&folder.state(), &self.mark())?;
                saved = Instant::now();
            }
            drop(step);
            if stopping && !is_last {
                line.say(&format!("stopped after step {}", report.step));
                return Ok(Trained::Cut(Ended::Interrupted));
            }
        }
        // The steps before a divergence have no line yet, and are the ones to look at.
        note(&mut log, pending.line(None))?;
        let outcome = trainer
            .outcome()
            .ok_or_else(|| anyhow!("the training stopped without an outcome, which is a bug"))?;
        line.ended();
        announce(&line, &outcome);
        let state = State {
            train: trainer.state().clone(),
            log: log.mark()?,
            validated: validated.mark()?,
            pending,
            train_seconds: seconds(),
        };
        Ok(Trained::Ended(Box::new(state), outcome))
    }

    /// Whether a line of the log ends with this step.
    pub(super) fn logs_after(&self, report: &StepReport) -> bool {
        report.step.is_multiple_of(self.config().log_every)
            || report.validation.is_some()
            || report.observation.is_some()
            || report.step == self.config().training.outer_steps
    }

    /// The state before the first step.
    pub(crate) fn initial_state(&self) -> Result<TrainState<f32>> {
        initial_state(self.config(), self.network())
    }
}

/// The state before the first step of a network: initial weights are a function of the `init` stream alone.
pub(super) fn initial_state(
    config: &RunConfig,
    network: &dyn Network<f32>,
) -> Result<TrainState<f32>> {
    if let Some(lab) = Lab::of(config)? {
        let theta = lab.initial()?;
        return Ok(TrainState::new(network, &config.training.optimizer, theta));
    }
    let mut rng = config.seeds.rng(Stream::Init, 0);
    let theta = Architecture::new(&config.network)?.initial_params_by(config.init, &mut rng);
    Ok(TrainState::new(network, &config.training.optimizer, theta))
}

/// How a training ended.
enum Trained {
    /// By itself.
    Ended(Box<State>, Outcome),
    /// By something outside.
    Cut(Ended),
}

/// The outcome as a record keeps it.
fn plain(outcome: &Outcome) -> metastable_analysis::Outcome {
    match outcome {
        Outcome::Completed => metastable_analysis::Outcome::Completed,
        Outcome::Diverged { step, cause } => metastable_analysis::Outcome::Diverged {
            step: *step,
            cause: cause.to_string(),
        },
    }
}

fn announce(line: &Line<'_>, outcome: &Outcome) {
    match outcome {
        Outcome::Completed => line.note("trained; testing"),
        Outcome::Diverged { step, cause } => {
            line.say(&format!("diverged at step {step}: {cause} not finite"));
        }
    }
}
