//! One run from its configuration to its files. A run that was cut goes on where its state says, with the same bits.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use metastable_algorithms::{
    CheckedLearner, Evaluation, Outcome, TaskSource, TrainState, Trainer, Weights, curves, evaluate,
};
use metastable_data::{MetaSplit, Stream};
use metastable_models::{Architecture, Network};

use super::log::{Log, Pending};
use super::record::{Record, RecordParts, RunResult, TestResult};
use super::state::State;
use super::{Material, RunConfig, checkpoint, results};
use crate::files::make_folder;
use crate::progress::{Line, Progress};
use crate::signal::Stop;
use crate::study::RunSettings;

/// What all runs of a study share.
pub(crate) struct Workshop<'a> {
    pub(crate) study: &'a str,
    /// Folder of the study's results.
    pub(crate) out: &'a Path,
    pub(crate) material: &'a Material,
    pub(crate) settings: &'a RunSettings,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
}

/// How a session of work on a run ended.
pub(crate) enum Ended {
    /// With a result, now or in an earlier session.
    Finished(Box<Record>),
    /// Because the user asked; the state is on the disk.
    Interrupted,
}

/// Where the files of a run are.
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of a run below that of its study.
    pub(crate) fn new(out: &Path, id: &str) -> Self {
        Self(out.join("runs").join(id))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("run.json")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log.jsonl")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.safetensors")
    }

    pub(crate) fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    pub(crate) fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    pub(crate) fn test(&self) -> PathBuf {
        self.0.join("test.safetensors")
    }
}

/// A run whose configuration is checked and whose network is built.
pub(crate) struct Run<'a> {
    config: &'a RunConfig,
    config_hash: String,
    learner: CheckedLearner,
    network: Box<dyn Network<f32>>,
}

impl<'a> Run<'a> {
    /// Builds learner and network.
    pub(crate) fn new(config: &'a RunConfig) -> Result<Self> {
        let compute = &config.compute;
        Ok(Self {
            config,
            config_hash: config.hash()?,
            learner: config.learner.validate()?,
            network: metastable_models::build(
                &config.network,
                compute.backend,
                compute.device.parse()?,
            )?,
        })
    }

    /// Does what is left of the run.
    pub(crate) fn execute(&self, shop: &Workshop<'_>) -> Result<Ended> {
        let folder = RunFolder::new(shop.out, &self.config.id());
        let finish = || format!("in run {}", self.config.id());
        self.execute_in(shop, &folder).with_context(finish)
    }

    fn execute_in(&self, shop: &Workshop<'_>, folder: &RunFolder) -> Result<Ended> {
        let stored = Record::read(&folder.record())?;
        if let Some(record) = stored.filter(|record| record.result.is_some()) {
            return Ok(Ended::Finished(Box::new(record)));
        }
        make_folder(folder.path())?;
        let test = shop.material.list(self.config, MetaSplit::Test)?;
        let parts = RecordParts {
            classes: shop.material.class_lists(),
            test_list_digest: test.digest(self.config.test.episodes),
            n_parameters: self.network.layout().n_values(),
        };
        let mut record = Record::new(shop.study, self.config, parts)?;
        record.write(&folder.record())?;

        let Some((state, outcome)) = self.train(shop, folder)? else {
            return Ok(Ended::Interrupted);
        };
        let train = &state.train;
        let save = |path: &Path, weights: &Weights<f32>, step| {
            checkpoint::write(path, &record, weights, step)
        };
        save(&folder.last(), &train.weights, train.step)?;
        if let Some(best) = &train.best {
            save(&folder.best(), &best.weights, best.step)?;
        }
        let mut result = RunResult {
            outcome: plain(&outcome),
            train_seconds: state.train_seconds,
            best_validation: train.best.as_ref().map(|best| (best.step, best.accuracy)),
            test: None,
        };
        if outcome == Outcome::Completed {
            if shop.stop.asked() {
                return Ok(Ended::Interrupted);
            }
            let (weights, step) = match (&train.best, self.config.test.weights.as_str()) {
                (Some(best), "best") => (&best.weights, best.step),
                _ => (&train.weights, train.step),
            };
            result.test = Some(self.test(shop, folder, weights, step)?);
        }
        record.result = Some(result);
        record.write(&folder.record())?;
        // From here on the run is finished; a state that stays behind does no harm.
        let _ = fs::remove_file(folder.state());
        Ok(Ended::Finished(Box::new(record)))
    }

    /// Trains to the end, or until the user asks to stop (then nothing is returned).
    fn train(&self, shop: &Workshop<'_>, folder: &RunFolder) -> Result<Option<(State, Outcome)>> {
        let config = self.config;
        let optimizer = &config.training.optimizer;
        let network = &*self.network;
        let stored = State::read(&folder.state(), &self.config_hash, network, optimizer)?;
        let start = match stored {
            Some(state) => state,
            None => State {
                train: self.initial_state()?,
                n_lines: 0,
                pending: Pending::default(),
                train_seconds: 0.0,
            },
        };
        let mut log = Log::open(&folder.log(), start.n_lines)?;
        let mut pending = start.pending;
        let training = shop.material.training(config)?;
        let validation = shop.material.list(config, MetaSplit::Validation)?;
        let line = shop
            .progress
            .run(&config.id(), start.train.step, config.training.outer_steps);
        let train_tasks = |index| training.task(index);
        let validation_tasks = |index| validation.task(index);
        let mut trainer = Trainer::new(
            network,
            self.learner.single(),
            &train_tasks,
            &validation_tasks,
            config.training.validate()?,
            start.train,
        )?;
        let begun = Instant::now();
        let seconds = || start.train_seconds + begun.elapsed().as_secs_f64();
        let pause = Duration::from_secs_f64(shop.settings.save_seconds);
        let mut saved = Instant::now();
        let mut accuracy = None;
        let save = |train: &TrainState<f32>, log: &Log, pending: &Pending| -> Result<()> {
            log.sync()?;
            let state = State {
                train: train.clone(),
                n_lines: log.n_lines,
                pending: pending.clone(),
                train_seconds: seconds(),
            };
            state.write(&folder.state(), &self.config_hash)
        };
        while let Some(report) = trainer.step()? {
            pending.add(&report);
            let is_last = report.step == config.training.outer_steps;
            if report.step.is_multiple_of(config.log_every)
                || report.validation.is_some()
                || is_last
            {
                accuracy = report.validation.map(|v| v.accuracy).or(accuracy);
                log.write(&pending.line(&report))?;
            }
            line.step(report.step, accuracy);
            let stopping = shop.stop.asked();
            if stopping || is_last || saved.elapsed() >= pause {
                save(trainer.state(), &log, &pending)?;
                saved = Instant::now();
            }
            if stopping && !is_last {
                line.say(&format!("stopped after step {}", report.step));
                return Ok(None);
            }
        }
        let outcome = trainer
            .outcome()
            .ok_or_else(|| anyhow!("the training stopped without an outcome, which is a bug"))?;
        log.sync()?;
        announce(&line, &outcome);
        let state = State {
            train: trainer.into_state(),
            n_lines: log.n_lines,
            pending,
            train_seconds: seconds(),
        };
        Ok(Some((state, outcome)))
    }

    /// The state before the first step: initial weights are a function of the `init` stream alone.
    fn initial_state(&self) -> Result<TrainState<f32>> {
        let architecture = Architecture::new(&self.config.network)?;
        let mut rng = self.config.seeds.rng(Stream::Init, 0);
        let theta = architecture.initial_params(&mut rng);
        let optimizer = &self.config.training.optimizer;
        Ok(TrainState::new(&*self.network, optimizer, theta))
    }

    /// The meta-test, written to its file.
    fn test(
        &self,
        shop: &Workshop<'_>,
        folder: &RunFolder,
        weights: &Weights<f32>,
        step: usize,
    ) -> Result<TestResult> {
        let begun = Instant::now();
        let settings = &self.config.test;
        let episodes = shop.material.list(self.config, MetaSplit::Test)?;
        let tasks = |index| episodes.task(index);
        let evaluation = self.evaluate(weights, &tasks, settings.episodes)?;
        let n_curves = settings.curves.min(settings.episodes);
        let curves = match n_curves {
            0 => None,
            n => curves(&*self.network, self.learner.single(), weights, &tasks, n)?,
        };
        let classes = episodes.classes(settings.episodes);
        let path = folder.test();
        results::write(
            &path,
            &self.config_hash,
            &evaluation,
            &classes,
            curves.as_ref(),
        )?;
        Ok(TestResult {
            step,
            accuracy: evaluation.accuracy(),
            nll: Some(evaluation.nll()).filter(|nll| nll.is_finite()),
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    /// Predictions of given weights on the first `n_tasks` tasks of a list.
    pub(crate) fn evaluate(
        &self,
        weights: &Weights<f32>,
        tasks: &TaskSource<'_, f32>,
        n_tasks: usize,
    ) -> Result<Evaluation> {
        let (network, learner) = (&*self.network, self.learner.single());
        Ok(evaluate(network, learner, weights, tasks, n_tasks)?)
    }
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
        Outcome::Completed => line.say("trained; testing"),
        Outcome::Diverged { step, cause } => {
            line.say(&format!("diverged at step {step}: {cause} not finite"));
        }
    }
}
