//! The settings of a study, section by section, with their defaults and bounds.
//!
//! Every field is a key of the study file; the doc comments are what `docs/running.md` says about it.

use anyhow::{Result, anyhow, bail};
use metastable_algorithms::{OptimizerConfig, ScheduleConfig, TaskWeighting, TrainConfig};
use metastable_data::{
    Channels, EpisodeShape, GlyphsConfig, ImageSize, Ink, Paper, PartNames, Rotations, Sizes,
    SplitRule, TaskPool,
};
use metastable_guests::EnvironmentConfig;
use serde::{Deserialize, Serialize};

use super::bounds;
use super::choice::{
    self, Chosen, Combine, InitKind, NormKind, OptimizerKind, ScheduleKind, WeightingKind,
};
use super::section::require;
use crate::dataset::check_set;
use crate::probe::Family;

/// Keys before the first table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Head {
    /// Short name, which is also the folder below `runs/`.
    pub(crate) name: String,
    /// One line for lists.
    pub(crate) about: String,
    /// Number of seeds of each learner.
    pub(crate) seeds: usize,
    /// The first of them; the others follow one by one.
    pub(crate) first_seed: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            name: String::from("study"),
            about: String::new(),
            seeds: 3,
            first_seed: 0,
        }
    }
}

impl Head {
    /// The seeds, in order.
    pub(crate) fn all_seeds(&self) -> impl Iterator<Item = u64> {
        (self.first_seed..).take(self.seeds)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        require(
            !self.name.is_empty() && self.name.chars().all(plain) && !self.name.starts_with('.'),
            "name",
            &self.name,
            "it becomes a folder: use letters, digits, -, _ and .",
        )?;
        bounds::SEED.check("first_seed", self.first_seed)?;
        bounds::SEEDS.check("seeds", self.seeds)
    }
}

/// `[data]`: what is learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DataSettings {
    /// `glyphs`, `omniglot`, `folder:PATH` or `idx:PATH`.
    pub(crate) set: String,
    /// Data sets as of `set`, in place of it: domains, each split by itself, of which an episode draws one uniformly.
    pub(crate) mix: Vec<String>,
    /// A domain of the mix that is tested and not trained on.
    pub(crate) held_out: String,
    /// Name of files, without the ending: such images are left out of training and validation, and are the only queries of the test.
    pub(crate) held_out_file: String,
    /// Which classes are for training, validation and test.
    pub(crate) split: String,
    /// Seed of the split where it is drawn; the same for all seeds of the study.
    pub(crate) split_seed: u64,
    /// Folders of the classes for training, validation and test, with commas between, where they have names of their own, for the
    /// split `folders`; else `usual`.
    #[serde(serialize_with = "choice::write", deserialize_with = "choice::read")]
    pub(crate) parts: PartNames,
    /// Height and width of the images in pixels: one number, or `"HEIGHTxWIDTH"` for images that are not square.
    pub(crate) size: ImageSize,
    /// Channels of the images: 1 (grey), 3 (red, green, blue), or `auto`: 3 if any image of the set has a colour.
    pub(crate) channels: Channels,
    /// Which end of the grey scale is ink in a folder or IDX files: `dark`, `bright`, or `auto` (told by the border).
    #[serde(serialize_with = "choice::write", deserialize_with = "choice::read")]
    pub(crate) ink: Ink,
    /// What transparent pixels of a folder lie on: `white`, `black`, or `auto` (white, unless more drawings vanish on it).
    #[serde(serialize_with = "choice::write", deserialize_with = "choice::read")]
    pub(crate) paper: Paper,
    /// Quarter turns in training: `as-classes`, `augment` or `off`.
    #[serde(serialize_with = "choice::write", deserialize_with = "choice::read")]
    pub(crate) rotations: Rotations,
    /// Quarter turns in validation and test.
    #[serde(serialize_with = "choice::write", deserialize_with = "choice::read")]
    pub(crate) test_rotations: Rotations,
    /// Whether all classes of an episode are of one alphabet.
    pub(crate) within_alphabet: bool,
    /// Whether the same picture may be in two parts of the split (classes for training, validation, test).
    pub(crate) allow_duplicates: bool,
    /// Classes with fewer images are left out before the split; 0 for none. Shot + query is what an episode needs.
    pub(crate) min_images: usize,
    /// The table `[environment]`, where `set` is `environment`; no key of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<EnvironmentConfig>,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            set: String::from("glyphs"),
            mix: Vec::new(),
            held_out: String::new(),
            held_out_file: String::new(),
            split: String::from("random-alphabets"),
            split_seed: 0,
            parts: PartNames::default(),
            size: ImageSize::square(28),
            channels: Channels::Auto,
            ink: Ink::Auto,
            paper: Paper::Auto,
            rotations: Rotations::Off,
            test_rotations: Rotations::Off,
            within_alphabet: false,
            allow_duplicates: false,
            min_images: 0,
            environment: None,
        }
    }
}

impl DataSettings {
    /// The set, or those of the mix.
    pub(crate) fn sets(&self) -> &[String] {
        if self.mix.is_empty() {
            std::slice::from_ref(&self.set)
        } else {
            &self.mix
        }
    }

    /// Whether a set is made by this program, so that `[glyphs]` counts.
    pub(crate) fn has_glyphs(&self) -> bool {
        self.sets()
            .iter()
            .any(|set| set == crate::dataset::GLYPHS.0)
    }

    /// Height and width of glyphs, which are drawn square; the usual ones where there are none.
    pub(crate) fn side_of_glyphs(&self) -> Result<usize> {
        match self.size.side() {
            Some(side) => Ok(side),
            None if self.has_glyphs() => bail!(
                "data.size = \"{}\": glyphs are drawn square; give one number, e.g. data.size = 28, or other images with data.set",
                self.size
            ),
            None => Ok(GlyphsConfig::default().side),
        }
    }

    /// The same settings for one data set.
    pub(crate) fn of(&self, set: &str) -> Self {
        Self {
            set: set.to_owned(),
            mix: Vec::new(),
            held_out: String::new(),
            held_out_file: String::new(),
            ..self.clone()
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let size = self.size;
        for length in [size.height, size.width] {
            bounds::SIZE.check("size", length)?;
        }
        for (key, rotations) in [
            ("rotations", self.rotations),
            ("test_rotations", self.test_rotations),
        ] {
            require(
                rotations.check(size).is_ok(),
                key,
                rotations,
                &format!(
                    "a quarter turn exchanges height and width, and images of data.size = \"{size}\" are not square; set data.{key} = \"off\", or give data.size as one number"
                ),
            )?;
        }
        bounds::SEED.check("split_seed", self.split_seed)?;
        bounds::MIN_IMAGES.check("min_images", self.min_images)?;
        match self.split.parse::<SplitRule>() {
            Ok(_) => Ok(()),
            Err(problem) => bail!("split = {:?}: {problem}", self.split),
        }
    }
}

/// `[episode]`: episodes of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EpisodeSettings {
    /// Classes, N.
    pub(crate) way: usize,
    /// Supports of each class, K.
    pub(crate) shot: usize,
    /// Queries of each class, Q.
    pub(crate) query: usize,
    /// What of way, shot and query is drawn for each episode: `even` (nothing), `linear LOW-HIGH`, `step LOW-HIGH`, `random LOW-HIGH`
    /// (supports of each class), or `meta-dataset` (all three).
    pub(crate) sizes: Sizes,
    /// Tasks that training goes through again and again; 0 for new ones without end.
    pub(crate) pool: usize,
    /// Member of the pool, from 0, that is exchanged for a task that is in no pool.
    pub(crate) replaced: Option<usize>,
}

impl Default for EpisodeSettings {
    fn default() -> Self {
        Self {
            way: 5,
            shot: 1,
            query: 15,
            sizes: Sizes::Even,
            pool: 0,
            replaced: None,
        }
    }
}

impl EpisodeSettings {
    pub(crate) fn check(&self) -> Result<()> {
        check_shape(self.way, self.shot, self.query)?;
        bounds::POOL.check("pool", self.pool)?;
        bounds::POOL.check("replaced", self.replaced.unwrap_or(0))
    }

    /// The pool of training tasks; none for endless ones.
    pub(crate) fn pool(&self) -> Result<Option<TaskPool>> {
        match (self.pool, self.replaced) {
            (0, None) => Ok(None),
            (0, Some(member)) => bail!(
                "episode.replaced = {member}: endless tasks have no member to exchange; say how many there are with episode.pool"
            ),
            (size, replaced) => Ok(Some(TaskPool::new(size, replaced)?)),
        }
    }
}

fn check_shape(way: usize, shot: usize, query: usize) -> Result<()> {
    bounds::WAY.check("way", way)?;
    bounds::SHOT.check("shot", shot)?;
    bounds::QUERY.check("query", query)
}

/// `[test]`: the meta-test, on one list of episodes for all runs; validation episodes have the same size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TestSettings {
    /// Classes, N.
    pub(crate) way: usize,
    /// Supports of each class, K.
    pub(crate) shot: usize,
    /// Queries of each class, Q.
    pub(crate) query: usize,
    /// What of way, shot and query is drawn for each episode, as of `[episode]`.
    #[serde(default)]
    pub(crate) sizes: Sizes,
    /// Test episodes.
    pub(crate) episodes: usize,
    /// Seed of the lists of test and validation episodes; the same for all seeds of the study.
    pub(crate) seed: u64,
    /// Test episodes whose inner-loop curves are recorded.
    pub(crate) curves: usize,
    /// Which weights are tested: `best` on validation, or `last`.
    pub(crate) weights: Chosen,
    /// Validated checkpoints that are tested together: the best, or the last, as `weights` says. 1 for one alone.
    #[serde(default = "one")]
    pub(crate) checkpoints: usize,
    /// What of several checkpoints is averaged: `probabilities` (an ensemble) or `weights`.
    #[serde(default = "probabilities")]
    pub(crate) combine: Combine,
}

fn one() -> usize {
    1
}

fn probabilities() -> Combine {
    Combine::Probabilities
}

impl Default for TestSettings {
    fn default() -> Self {
        Self {
            way: 5,
            shot: 1,
            query: 15,
            sizes: Sizes::Even,
            episodes: 600,
            seed: 0,
            curves: 50,
            weights: Chosen::Best,
            checkpoints: 1,
            combine: Combine::Probabilities,
        }
    }
}

impl TestSettings {
    /// Whether the weights of several checkpoints are averaged.
    pub(crate) fn averages_weights(&self) -> bool {
        self.checkpoints > 1 && self.combine == Combine::Weights
    }

    /// What is not drawn of the size of an episode.
    pub(crate) fn shape(&self) -> EpisodeShape {
        EpisodeShape {
            n_way: self.way,
            k_shot: self.shot,
            n_query: self.query,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_shape(self.way, self.shot, self.query)?;
        bounds::EPISODES.check("episodes", self.episodes)?;
        bounds::SEED.check("seed", self.seed)?;
        bounds::CHECKPOINTS.check("checkpoints", self.checkpoints)?;
        bounds::CURVES.check("curves", self.curves)
    }
}

/// `[validation]`: how often, on how many episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ValidationSettings {
    /// Episodes of each validation, always the same.
    pub(crate) episodes: usize,
    /// Validations of a training, spread evenly; the last one is after the last step.
    pub(crate) times: usize,
    /// Episodes of a validation that are looked at from within: inner-loop curves, hidden units, batch statistics; at as many of
    /// the validations as the budget for it allows.
    pub(crate) inspected: usize,
}

impl Default for ValidationSettings {
    fn default() -> Self {
        Self {
            episodes: 100,
            times: 10,
            inspected: 20,
        }
    }
}

impl ValidationSettings {
    pub(crate) fn check(&self) -> Result<()> {
        bounds::EPISODES.check("episodes", self.episodes)?;
        bounds::TIMES.check("times", self.times)?;
        bounds::CURVES.check("inspected", self.inspected)
    }
}

/// `[network]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkSettings {
    /// `conv4`, `conv4-strided`, `mlp` or `mlp-tanh`.
    pub(crate) name: String,
    /// Filters of each convolution, or units of each hidden layer.
    pub(crate) width: usize,
    /// Convolutional blocks, or hidden layers.
    pub(crate) blocks: usize,
    /// `batch`, `running`, `per-step` or `none`.
    pub(crate) norm: NormKind,
    /// Inner steps that have a scale and shift of their own (`per-step` only).
    pub(crate) norm_steps: usize,
    /// What initial weights are drawn from: `he-uniform`, `he-normal`, `torch` or `xavier`.
    pub(crate) init: InitKind,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            name: String::from("conv4"),
            width: 64,
            blocks: 4,
            norm: NormKind::Batch,
            norm_steps: 6,
            init: InitKind::HeUniform,
        }
    }
}

impl NetworkSettings {
    pub(crate) fn check(&self) -> Result<()> {
        bounds::WIDTH.check("width", self.width)?;
        bounds::BLOCKS.check("blocks", self.blocks)?;
        bounds::NORM_STEPS.check("norm_steps", self.norm_steps)
    }
}

/// The keys of `[learner]` and `[learners.*]` that every learner has: its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrainingSettings {
    /// Outer steps.
    pub(crate) outer_steps: usize,
    /// Tasks of an outer step, B.
    pub(crate) meta_batch: usize,
    /// Step size of the outer loop, beta.
    pub(crate) outer_lr: f64,
    /// `adam` or `sgd`.
    pub(crate) optimizer: OptimizerKind,
    /// `constant`, `cosine` (to `final_lr` at the last step) or `step` (times `step_factor` every `step_every`).
    pub(crate) schedule: ScheduleKind,
    /// Step size at the end (`cosine` only).
    pub(crate) final_lr: f64,
    /// Outer steps between two changes (`step` only).
    pub(crate) step_every: usize,
    /// What multiplies the step size at a change (`step` only).
    pub(crate) step_factor: f64,
    /// Which tasks of a meta-batch count in the outer step: all (`mean`), the worst (`max`), the worst share (`cvar`).
    pub(crate) task_weighting: WeightingKind,
    /// Share of the tasks that count (`cvar` only).
    pub(crate) cvar_share: f64,
    /// Largest Euclidean norm of the meta-gradient; absent for no clipping.
    pub(crate) clip_norm: Option<f64>,
    /// Share of a moving average of the weights that stays at an outer step, e.g. 0.999; validation and test are of the average. Absent
    /// for none.
    pub(crate) ema: Option<f64>,
    /// Outer steps between two close looks at the gradients of the tasks; 0 for none. Absent for ten looks at any length of training.
    pub(crate) observe_every: Option<usize>,
    /// Weight of a new batch in running statistics (norm `running` only).
    pub(crate) running_momentum: f64,
    /// Classes of a training episode, if other than `[episode]` says.
    pub(crate) way: Option<usize>,
    /// Supports of each class, if other than `[episode]` says.
    pub(crate) shot: Option<usize>,
    /// Queries of each class, if other than `[episode]` says.
    pub(crate) query: Option<usize>,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self {
            outer_steps: 1000,
            meta_batch: 4,
            outer_lr: 1e-3,
            optimizer: OptimizerKind::Adam,
            schedule: ScheduleKind::Constant,
            final_lr: 0.0,
            step_every: 2000,
            step_factor: 0.5,
            task_weighting: WeightingKind::Mean,
            cvar_share: 0.5,
            clip_norm: None,
            ema: None,
            observe_every: None,
            running_momentum: 0.1,
            way: None,
            shot: None,
            query: None,
        }
    }
}

impl TrainingSettings {
    /// Bounds that the trainer does not know; it checks its own in [`Self::train`].
    pub(crate) fn check(&self) -> Result<()> {
        bounds::OUTER_STEPS.check("outer_steps", self.outer_steps)?;
        bounds::META_BATCH.check("meta_batch", self.meta_batch)?;
        bounds::EVERY.check("step_every", self.step_every)?;
        if let Some(every) = self.observe_every {
            bounds::EVERY_OR_NEVER.check("observe_every", every)?;
        }
        check_shape(
            self.way.unwrap_or(5),
            self.shot.unwrap_or(1),
            self.query.unwrap_or(1),
        )?;
        self.train(&ValidationSettings::default()).validate()?;
        Ok(())
    }

    /// The trainer's settings.
    pub(crate) fn train(&self, validation: &ValidationSettings) -> TrainConfig {
        let optimizer = match self.optimizer {
            OptimizerKind::Adam => OptimizerConfig::default(),
            OptimizerKind::Sgd => OptimizerConfig::Sgd { momentum: 0.0 },
        };
        let schedule = match self.schedule {
            ScheduleKind::Constant => ScheduleConfig::Constant,
            ScheduleKind::Cosine => ScheduleConfig::Cosine {
                final_lr: self.final_lr,
            },
            ScheduleKind::Step => ScheduleConfig::Step {
                every: self.step_every,
                factor: self.step_factor,
            },
        };
        let task_weighting = match self.task_weighting {
            WeightingKind::Mean => TaskWeighting::Mean,
            WeightingKind::Max => TaskWeighting::Max,
            WeightingKind::Cvar => TaskWeighting::Cvar {
                share: self.cvar_share,
            },
        };
        TrainConfig {
            outer_steps: self.outer_steps,
            meta_batch: self.meta_batch,
            outer_lr: self.outer_lr,
            optimizer,
            schedule,
            task_weighting,
            clip_norm: self.clip_norm,
            ema: self.ema,
            validate_every: self.outer_steps.div_ceil(validation.times),
            validation_tasks: validation.episodes,
            inspected_tasks: validation.inspected,
            observe_every: self
                .observe_every
                .unwrap_or(self.outer_steps.div_ceil(OBSERVATIONS)),
            running_momentum: self.running_momentum,
        }
    }
}

/// Close looks at the gradients of the tasks in a training, beside the one at its first step: a course needs several, whatever the training's length.
const OBSERVATIONS: usize = 10;

/// `[probe]`: what the trained learners of a study are asked after its runs; nothing, if it has no such table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProbeSettings {
    /// Families of questions: all of them if left out, none if the list is empty.
    pub(crate) families: Vec<Family>,
    /// Test tasks of each question.
    pub(crate) tasks: usize,
    /// Other data sets that the learners are tested on.
    pub(crate) other: Vec<String>,
    /// Classes of each stream of family `l`; 10, 50, 100, 200 and 600 as far as the test part has them if left out.
    pub(crate) stream_classes: Vec<usize>,
    /// Images of each class in a stream; 15, or what classes hold beside the new ones, if left out.
    pub(crate) stream_images: Option<usize>,
    /// Orders of the classes of a stream.
    pub(crate) stream_orders: usize,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            families: Family::ALL.to_vec(),
            tasks: 40,
            other: vec![String::from("glyphs")],
            stream_classes: Vec::new(),
            stream_images: None,
            stream_orders: 5,
        }
    }
}

impl ProbeSettings {
    pub(crate) fn check(&self) -> Result<()> {
        bounds::PROBE_TASKS.check("tasks", self.tasks)?;
        for set in &self.other {
            check_set(set).map_err(|problem| anyhow!("other = {set:?}: {problem}"))?;
        }
        let ascends = self.stream_classes.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascends || self.stream_classes.first().is_some_and(|n| *n < 2) {
            bail!(
                "{:?} is not an ascending list of numbers from 2 on; write e.g. [10, 50]",
                self.stream_classes
            );
        }
        if let Some(images) = self.stream_images {
            bounds::STREAM_IMAGES.check("stream_images", images)?;
        }
        bounds::STREAM_ORDERS.check("stream_orders", self.stream_orders)
    }
}
