//! One run from its configuration to its files. A run that was cut goes on where its state says, with the same bits.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use metastable_algorithms::{
    CheckedLearner, Learner, Outcome, StepReport, TrainState, Trainer, Weights,
};
use metastable_data::{MetaSplit, Stream};
use metastable_guests as guests;
use metastable_models::{Architecture, Network};

use super::growing::{Growing, Mark};
use super::guest;
use super::log::{LogLine, Pending};
use super::numerics::BUILD;
use super::record::{Record, RecordParts, RunResult};
use super::returns::{self, Lab};
use super::state::State;
use super::steps::Steps;
use super::validated::Validated;
use super::{Material, RunConfig, checkpoint};
use crate::campaign::room::Seat;
use crate::progress::{Line, Progress};
use crate::registry::registry;
use crate::signal::Stop;
use crate::store::attempt::Attempt;
use crate::study::{Chosen, RunSettings, TestSettings};

/// What a run needs around it.
pub(crate) struct Workshop<'a> {
    pub(crate) material: &'a Material,
    pub(crate) settings: &'a RunSettings,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
    /// Its place among the runs of this process.
    pub(crate) seat: &'a Seat<'a>,
}

/// How work on a run ended.
pub(crate) enum Ended {
    /// With a result; the run is in the store.
    Finished(Box<Record>),
    /// Because the user asked; the state is on the disk.
    Interrupted,
    /// Because another process, which found this one silent, has taken the run over.
    TakenOver,
}

/// The files of a run in their folder.
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of a run, wherever it is.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("run.json")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join(LOG)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join(STATE)
    }

    pub(crate) fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    pub(crate) fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    /// The mean of the weights of several checkpoints, where the test is of it.
    pub(crate) fn mean(&self) -> PathBuf {
        self.0.join("mean.safetensors")
    }

    /// The weights that were tested; of an ensemble the first.
    pub(crate) fn tested(&self, test: &TestSettings) -> PathBuf {
        if test.averages_weights() {
            return self.mean();
        }
        let best = self.best();
        if test.weights == Chosen::Best && best.exists() {
            best
        } else {
            self.last()
        }
    }

    pub(crate) fn validated(&self) -> PathBuf {
        self.0.join(VALIDATED)
    }

    pub(crate) fn test(&self) -> PathBuf {
        self.0.join("test.safetensors")
    }

    /// Names of the files that a finished run keeps.
    fn lasting(&self) -> Vec<String> {
        [
            self.record(),
            self.log(),
            self.best(),
            self.last(),
            self.mean(),
            self.validated(),
            self.test(),
        ]
        .iter()
        .filter(|path| path.exists())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect()
    }
}

const LOG: &str = "log.jsonl";
const STATE: &str = "state.safetensors";
const VALIDATED: &str = "validated.f32";

/// A run whose configuration is checked and whose network is built.
pub(crate) struct Run<'a> {
    config: &'a RunConfig,
    /// What messages call it.
    label: &'a str,
    identity: String,
    learner: CheckedLearner,
    network: Box<dyn Network<f32>>,
}

impl<'a> Run<'a> {
    /// Builds learner and network.
    pub(crate) fn new(label: &'a str, config: &'a RunConfig) -> Result<Self> {
        let compute = &config.compute;
        let network: Box<dyn Network<f32>> = if guest::is_of(config) {
            Box::new(guests::Outside::new(config.network.image, None))
        } else {
            metastable_models::build(&config.network, compute.backend, compute.device.parse()?)?
        };
        let run = Self {
            config,
            label,
            identity: config.identity()?,
            learner: registry().checked(&config.learner)?,
            network,
        };
        run.check_combined()?;
        Ok(run)
    }

    pub(crate) fn config(&self) -> &RunConfig {
        self.config
    }

    pub(super) fn label(&self) -> &str {
        self.label
    }

    pub(crate) fn network(&self) -> &dyn Network<f32> {
        &*self.network
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// What a state is marked with: another build goes on with none of this one's.
    fn mark(&self) -> String {
        format!("{} by {BUILD}", self.identity)
    }

    pub(crate) fn learner(&self) -> &dyn Learner<f32> {
        self.learner.single()
    }

    /// Does what is left of the run, and puts it into the store.
    pub(crate) fn execute(&self, shop: &Workshop<'_>, attempt: Attempt<'_>) -> Result<Ended> {
        let folder = RunFolder::new(attempt.folder());
        match self.execute_in(shop, &folder, &attempt) {
            // What the successor removed is missing here; that is no error of this run.
            Err(_) if !attempt.is_held() => Ok(Ended::TakenOver),
            Ok(Ended::Finished(_)) if !attempt.is_held() => Ok(Ended::TakenOver),
            Ok(Ended::Finished(record)) => {
                let training = self.config.training_identity()?;
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
        if guest::is_of(self.config) {
            return guest::execute(self, shop, folder, attempt);
        }
        let optimizer = &self.config.training.optimizer;
        let start = furthest(
            self.label,
            shop,
            attempt,
            |folder| {
                let path = folder.state();
                let state = State::read(&path, &self.mark(), &*self.network, optimizer)?;
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
        let test = shop.material.list(self.config, MetaSplit::Test)?;
        let parts = RecordParts {
            classes: shop.material.class_lists(),
            receipt: shop.material.dataset.receipt.as_deref().cloned(),
            test_list_digest: test.digest(self.config.test.episodes)?,
            n_parameters: self.network.layout().n_values(),
            layers: self
                .network
                .layout()
                .layers()
                .into_iter()
                .map(|(name, _)| name.to_owned())
                .collect(),
        };
        Record::new(self.config, parts)
    }

    /// Trains to the end, unless it is cut.
    fn train(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        attempt: &Attempt<'_>,
        start: Option<State>,
    ) -> Result<Trained> {
        let config = self.config;
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
            .run(self.label, start.train.step, config.training.outer_steps);
        let train_tasks = |index| training.task(index);
        let validation_tasks = |index| validation.task(index);
        let mut trainer: Box<dyn Steps + '_> = match Lab::of(config)? {
            Some(lab) => Box::new(returns::Training::new(lab, &config.training, start.train)),
            None => Box::new(Trainer::new(
                &*self.network,
                self.learner.single(),
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
        report.step.is_multiple_of(self.config.log_every)
            || report.validation.is_some()
            || report.observation.is_some()
            || report.step == self.config.training.outer_steps
    }

    /// The state before the first step.
    pub(crate) fn initial_state(&self) -> Result<TrainState<f32>> {
        initial_state(self.config, &*self.network)
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

/// Where an earlier attempt got to: the state of the one that got furthest, of those whose files are whole. Its files are this
/// attempt's from now on.
///
/// `read` gives the state in a folder, `place` its step and the part of the log that it counts on.
pub(super) fn furthest<S>(
    label: &str,
    shop: &Workshop<'_>,
    attempt: &Attempt<'_>,
    read: impl Fn(&RunFolder) -> Result<Option<S>>,
    place: impl Fn(&S) -> (usize, &Mark),
) -> Result<Option<S>> {
    let mut best: Option<(S, PathBuf)> = None;
    for path in attempt.earlier()? {
        let folder = RunFolder::new(&path);
        let usable = read(&folder).and_then(|state| {
            if let Some(state) = &state {
                place(state).1.read(&folder.log())?;
            }
            Ok(state)
        });
        match usable {
            Ok(Some(state)) => {
                let further = |(other, _): &(S, PathBuf)| place(other).0 < place(&state).0;
                if best.as_ref().is_none_or(further) {
                    best = Some((state, path));
                }
            }
            Ok(None) => {}
            Err(error) => shop.progress.say(&format!(
                "{label}: {error:#}; it is not used, and the steps it stood for are made again"
            )),
        }
    }
    let (state, path) = best.unzip();
    let kept = |folder: &PathBuf| {
        let names = [STATE, LOG, VALIDATED].into_iter();
        names.filter(|name| folder.join(name).exists()).collect()
    };
    let names: Vec<&str> = path.as_ref().map(kept).unwrap_or_default();
    attempt.adopt(path.as_deref(), &names)?;
    Ok(state)
}

/// Appends a line, if there is one.
pub(super) fn note(log: &mut Growing, line: Option<LogLine>) -> Result<()> {
    match line {
        Some(line) => log.append(line.text()?.as_bytes()),
        None => Ok(()),
    }
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
