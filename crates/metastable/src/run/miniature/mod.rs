//! What identifies the code of a run: the bits that come out of a miniature of it.
//!
//! The miniature has the learner, network, norm, optimizer, schedule, sampler and backend of the run, with all of its settings
//! that are choices or counts. It is narrow, and makes two steps on images that are a formula. A change of the sources that
//! changes no bit leaves the code as it is; one that does shows where it is used: another optimizer, norm or learner
//! keeps its code, and its runs.
//!
//! Two steps cannot visit every branch. So a run of another build is held against its own first steps before it is taken
//! over ([`crate::repeat`]).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::Result;
use metastable_algorithms::{
    Episodes, Head, Inspection, Learner, LearnerConfig, ScheduleConfig, TaskSource, TrainConfig,
    Trainer, Weights, curves, evaluate, evaluate_together,
};
use metastable_data::{
    ClassImages, Dataset, EpisodeShape, Functions, ImageSize, MetaSplit, Rotations, Sampler, Seeds,
    Sizes,
};
use metastable_guests::OUTSIDE;
use metastable_models::{Network, NetworkConfig};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::RunConfig;
use super::execute::initial_state;
use super::log::Pending;
use super::numerics::{BUILD, Numerics};
use super::returns;
use super::tasks::Tasks;
use crate::files::hex;
use crate::registry::registry;
use crate::study::{DataSettings, TestSettings};

/// Outer steps: the second shows what the first left in the optimizer.
const STEPS: usize = 2;

/// Most tasks of a step, most supports and queries of a class.
const FEW: usize = 2;

/// Episodes that are drawn and not learnt from.
const EPISODES: usize = 4;

/// Alphabets of the images.
const ALPHABETS: usize = 2;

/// Codes of configurations, each found once.
#[derive(Debug, Default)]
pub(crate) struct Codes(BTreeMap<String, String>);

impl Codes {
    /// The code of a configuration, whatever its own says.
    ///
    /// That of a guest, whose bits are its own, of an accelerator, whose bits are not promised, and of episodes that a miniature
    /// does not draw is the build.
    pub(crate) fn of(&mut self, config: &RunConfig) -> Result<String> {
        if config.network.name == OUTSIDE
            || config.data.environment.is_some()
            || config.compute.device != "cpu"
            || !is_drawn_evenly(config)
        {
            return Ok(BUILD.to_owned());
        }
        let small = small(config)?;
        let key = serde_json::to_string(&small)?;
        if let Some(code) = self.0.get(&key) {
            return Ok(code.clone());
        }
        let code = bits(&small)?;
        self.0.insert(key, code.clone());
        Ok(code)
    }
}

/// Whether all episodes have one size and come from one data set, as those of a miniature.
fn is_drawn_evenly(config: &RunConfig) -> bool {
    let data = &config.data;
    config.episode_sizes.is_even()
        && config.test.sizes.is_even()
        && data.mix.is_empty()
        && data.held_out_file.is_empty()
}

/// The miniature of a run: nothing in it that chooses between two branches is another.
fn small(config: &RunConfig) -> Result<RunConfig> {
    let usual = TrainConfig::default();
    let training = &config.training;
    // A map of all training classes has as many as are drawn here.
    let n_classes =
        ALPHABETS * classes_of_alphabet(config) * config.data.rotations.n_variants() as usize;
    let head = registry().checked(&config.learner)?.head();
    let network = match head {
        Head::Classes { .. } => config.network.clone().with_beside(head.beside(n_classes))?,
        Head::Linear | Head::Tied | Head::None | Head::Beside(_) => config.network.clone(),
    };
    Ok(RunConfig {
        data: DataSettings {
            set: match config.family() {
                Some(family) => family.name.to_owned(),
                None if config.is_policy() => config.data.set.clone(),
                None => DataSettings::default().set,
            },
            rotations: config.data.rotations,
            test_rotations: config.data.test_rotations,
            within_alphabet: config.data.within_alphabet,
            ..DataSettings::default()
        },
        glyphs: None,
        data_digest: String::new(),
        split_digest: String::new(),
        episode: EpisodeShape {
            n_way: config.episode.n_way,
            k_shot: config.episode.k_shot.min(FEW),
            n_query: config.episode.n_query.min(FEW),
        },
        episode_sizes: Sizes::default(),
        pool: config.pool.map(|pool| pool.whole()),
        test: TestSettings {
            way: config.test.way,
            shot: config.test.shot.min(FEW),
            query: config.test.query.min(FEW),
            checkpoints: config.test.checkpoints.min(FEW),
            combine: config.test.combine,
            ..TestSettings::default()
        },
        network: NetworkConfig {
            // What is left over by the widest registers stays, and more channels than the smallest passes are made for.
            width: match config.network.width {
                width if width > 64 => 80 + width % 16,
                width if width > 24 => 16 + width % 8,
                width => width,
            },
            ..network
        },
        init: config.init,
        learner: LearnerConfig {
            settings: settings(&config.learner)?,
            ..config.learner.clone()
        },
        training: TrainConfig {
            outer_steps: STEPS,
            meta_batch: training.meta_batch.min(FEW),
            optimizer: training.optimizer,
            task_weighting: training.task_weighting,
            schedule: match training.schedule {
                ScheduleConfig::Constant => ScheduleConfig::Constant,
                ScheduleConfig::Cosine { .. } => ScheduleConfig::Cosine { final_lr: 1e-4 },
                ScheduleConfig::Step { .. } => ScheduleConfig::Step {
                    every: 1,
                    factor: 0.5,
                },
            },
            // Always reached.
            clip_norm: training.clip_norm.map(|_| 1e-3),
            ema: training.ema.map(|_| 0.5),
            validate_every: STEPS,
            validation_tasks: 1,
            inspected_tasks: 1,
            observe_every: 1,
            ..usual
        },
        seeds: Seeds::all(0),
        repetition: 0,
        log_every: 1,
        compute: config.compute.clone(),
        numerics: Numerics::default(),
    })
}

/// The settings of a learner, but for numbers with a point, which are its defaults.
fn settings(learner: &LearnerConfig) -> Result<Map<String, Value>> {
    let defaults = registry().checked(learner)?.entry().defaults();
    let settings = learner.settings.iter().map(|(key, value)| {
        let default = defaults.get(key).filter(|_| value.is_f64());
        (key.clone(), default.unwrap_or(value).clone())
    });
    Ok(settings.collect())
}

/// The bits of a miniature, as SHA-256.
fn bits(config: &RunConfig) -> Result<String> {
    if config.is_policy() {
        return returns::bits(config);
    }
    if let Some(family) = config.family() {
        let part = |part, seeds| {
            Tasks::Functions(Functions {
                family,
                part,
                n_support: config.episode.k_shot,
                n_query: config.episode.n_query,
                seeds,
                pool: config.pool.filter(|_| part == MetaSplit::Train),
            })
        };
        let training = part(MetaSplit::Train, config.seeds);
        return bits_on(
            config,
            &training,
            &part(MetaSplit::Test, config.seeds.evaluation()),
        );
    }
    let dataset = drawings(config)?;
    let n_classes = u32::try_from(ALPHABETS * classes_of_alphabet(config))?;
    let classes: Vec<u32> = (0..n_classes).collect();
    let within = config.data.within_alphabet;
    let sampler = |shape: EpisodeShape, rotations: Rotations| {
        Sampler::new(&dataset, &classes, shape, rotations, within)
    };
    let training = Tasks::Episodes(Episodes {
        dataset: &dataset,
        sampler: sampler(config.episode, config.data.rotations)?,
        seeds: config.seeds,
        pool: config.pool,
    });
    let judging = Tasks::Episodes(Episodes {
        dataset: &dataset,
        sampler: sampler(config.test.shape(), config.data.test_rotations)?,
        seeds: config.seeds.evaluation(),
        pool: None,
    });
    bits_on(config, &training, &judging)
}

/// The same on these tasks.
fn bits_on(config: &RunConfig, training: &Tasks<'_>, judging: &Tasks<'_>) -> Result<String> {
    let device = config.compute.device.parse()?;
    let network = metastable_models::build(&config.network, config.compute.backend, device)?;
    let learner = registry().checked(&config.learner)?;
    let train = |index| training.task(index);
    let judge = |index| judging.task(index);
    let parts = Parts {
        network: &*network,
        learner: learner.single(),
        train: &train,
        judge: &judge,
    };
    let mut hasher = Sha256::new();
    hasher.update(training.digest(EPISODES)?);
    hasher.update(judging.digest(EPISODES)?);
    hasher.update(parts.bits(config)?);
    Ok(hex(&hasher.finalize()))
}

/// What computes in a miniature.
struct Parts<'p> {
    network: &'p dyn Network<f32>,
    learner: &'p dyn Learner<f32>,
    train: &'p TaskSource<'p, f32>,
    judge: &'p TaskSource<'p, f32>,
}

impl Parts<'_> {
    /// Weights and buffers after each step, the lines of the log, a test, curves, and an inspection, as SHA-256.
    fn bits(&self, config: &RunConfig) -> Result<String> {
        let mut hasher = Sha256::new();
        let state = initial_state(config, self.network)?;
        let mut trainer = Trainer::new(
            self.network,
            self.learner,
            self.train,
            self.judge,
            config.training.validate()?,
            state,
        )?;
        let mut pending = Pending::default();
        let mut kept = Vec::new();
        loop {
            let report = trainer.step()?;
            if let Some(report) = &report {
                pending.add(report, STEPS);
                kept.push(trainer.state().measured().clone());
            }
            if let Some(line) = pending.line(report.as_ref()) {
                hasher.update(line.text()?);
            }
            let weights = &trainer.state().weights;
            for values in [weights.theta.values(), weights.buffers.values()] {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                hasher.update(bytes.collect::<Vec<u8>>());
            }
            if report.is_none() {
                break;
            }
        }
        let (network, learner) = (self.network, self.learner);
        let weights = trainer.state().measured();
        let kept: Vec<&Weights<f32>> = kept.iter().collect();
        let tested = match (config.test.averages_weights(), Weights::mean(&kept)) {
            (true, Some(mean)) => evaluate(network, learner, &mean, self.judge, 1)?,
            _ if config.test.checkpoints > 1 && !kept.is_empty() => {
                evaluate_together(network, learner, &kept, self.judge, 1)?
            }
            _ => evaluate(network, learner, weights, self.judge, 1)?,
        };
        let curves = curves(network, learner, weights, self.judge, 1)?;
        let inspected = Inspection::make(network, learner, weights, self.judge, 1)?;
        // Numbers are written with all of their digits.
        let outcome = trainer.outcome();
        hasher.update(format!("{outcome:?} {tested:?} {curves:?} {inspected:?}"));
        Ok(hex(&hasher.finalize()))
    }
}

/// As many as an episode within one alphabet needs, and one that it leaves out.
fn classes_of_alphabet(config: &RunConfig) -> usize {
    config.episode.n_way.max(config.test.way) + 1
}

/// Images of half paper, half grey levels, all of them different.
fn drawings(config: &RunConfig) -> Result<Dataset> {
    let image = config.network.image;
    let size = ImageSize {
        height: image.height,
        width: image.width,
    };
    let n_values = size.n_pixels() * image.channels;
    let of_class = |shape: EpisodeShape| shape.k_shot + shape.n_query;
    let n_images = of_class(config.episode).max(of_class(config.test.shape())) + 1;
    let n_classes = classes_of_alphabet(config);
    let classes = (0..ALPHABETS * n_classes).map(|class| ClassImages {
        name: class.to_string(),
        alphabet: (class / n_classes).to_string(),
        pixels: (class * n_images * n_values..(class + 1) * n_images * n_values)
            .map(level)
            .collect(),
    });
    Ok(Dataset::from_colour_classes(
        "miniature",
        size,
        image.channels,
        classes,
    )?)
}

/// Knuth's multiplicative hash of a place: its lowest bit that is used decides about paper.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is wanted"
)]
fn level(place: usize) -> u8 {
    let mixed = (place as u32).wrapping_mul(2_654_435_761);
    match mixed & (1 << 15) {
        0 => 0,
        _ => (mixed >> 24) as u8,
    }
}
