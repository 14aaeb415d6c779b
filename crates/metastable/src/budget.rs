//! What a study asks for, by arithmetic alone: before a network is built, a step is made, or an episode is drawn.
//!
//! `--plan` measures; this bounds. It is meant to be off by a factor of a few, and to find the factor of a million that
//! a slipped digit makes.

use std::fs;

use anyhow::{Result, bail};
use metastable_models::NetworkConfig;
use serde_json::Value;

use crate::run::RunConfig;

/// Most images that all runs of a study pass through their networks: years of a large machine.
const MOST_IMAGES: u128 = 1_000_000_000_000;

/// Copies of a network's values that a run holds: weights, gradient, two of the optimizer, best, last, one adapted.
const COPIES: u128 = 7;

/// Bytes of a query of a test: its prediction and its log-odds, on the way to the file too; each class has a log-probability besides.
const BYTES_OF_QUERY: u128 = 1 + 8 + 4;

/// What the runs of a study ask for, added up run by run before each is built.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Whether anything is allowed.
    is_free: bool,
    /// Bytes of this machine, if it tells.
    memory: Option<u128>,
    /// Images of the runs so far.
    images: u128,
}

/// What one run asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Need {
    /// Images that pass through its network.
    images: u128,
    /// Bytes in memory at the same time, at the least.
    bytes: u128,
}

impl Budget {
    /// Of a study on this machine; with `is_free`, nothing is refused.
    pub(crate) fn new(is_free: bool) -> Self {
        Self {
            is_free,
            memory: memory(),
            images: 0,
        }
    }

    /// Adds a run, and refuses it if it does not fit the memory, or the study if no machine ends it.
    pub(crate) fn add(&mut self, learner: &str, config: &RunConfig) -> Result<()> {
        let need = Need::of(config)?;
        self.images = self.images.saturating_add(need.images);
        if self.is_free {
            return Ok(());
        }
        if let Some(memory) = self.memory.filter(|memory| need.bytes > *memory) {
            bail!(
                "a run of {learner} needs at least {} of memory, and this machine has {}: take smaller episodes, images or networks, or fewer test episodes, or allow it with --over-budget",
                bytes(need.bytes),
                bytes(memory)
            );
        }
        if self.images > MOST_IMAGES {
            bail!(
                "the study passes more than {:.0e} images through its networks, which is years of computing: take fewer runs, outer_steps, meta_batch or episodes, or allow it with --over-budget",
                approximately(MOST_IMAGES)
            );
        }
        Ok(())
    }
}

impl Need {
    fn of(config: &RunConfig) -> Result<Self> {
        let training = &config.training;
        let episode = config.episode_sizes.usual(config.episode);
        let wide = |count: usize| count as u128;
        let of_training = wide(episode.n_way) * wide(episode.k_shot + episode.n_query);
        let test = &config.test;
        let usual = test.sizes.usual(test.shape());
        let n_queries = wide(usual.n_way) * wide(usual.n_query);
        let of_test = wide(usual.n_way) * wide(usual.k_shot) + n_queries;
        let validations = wide(
            training
                .outer_steps
                .div_ceil(training.validate_every.max(1)),
        );
        let steps = 1 + inner_steps(&config.learner.settings);
        let n_tests = validations * wide(training.validation_tasks) + 2 * wide(test.episodes);
        let images = steps
            * (wide(training.outer_steps) * wide(training.meta_batch) * of_training
                + n_tests * of_test);
        // The weights of a guest are in its own memory.
        let stored = if config.is_guest() {
            0
        } else {
            wide(config.network.n_stored()?)
        };
        let of_image = image_bytes(&config.network);
        let bytes = 4 * COPIES * stored
            + of_training.max(of_test) * of_image
            + wide(test.episodes)
                * (n_queries * (BYTES_OF_QUERY + 4 * wide(usual.n_way))
                    + 8
                    + 4 * wide(usual.n_way));
        Ok(Self { images, bytes })
    }
}

/// The largest number among a learner's own settings that counts inner steps.
fn inner_steps(settings: &serde_json::Map<String, Value>) -> u128 {
    let steps = settings
        .iter()
        .filter(|(key, _)| key.ends_with("inner_steps"))
        .filter_map(|(_, value)| value.as_u64());
    steps.max().unwrap_or(0).into()
}

/// Bytes of an image and of its first map inside the network, single precision.
fn image_bytes(network: &NetworkConfig) -> u128 {
    let image = network.image;
    let pixels = image.height as u128 * image.width as u128;
    let map = match network.name.as_str() {
        "mlp" | "mlp-tanh" => network.width as u128,
        "conv4-strided" => pixels / 4 * network.width as u128,
        _ => pixels * network.width as u128,
    };
    4 * (pixels * image.channels as u128 + map)
}

fn bytes(count: u128) -> String {
    format!("{:.1} GB", approximately(count) / 1e9)
}

#[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
fn approximately(count: u128) -> f64 {
    count as f64
}

/// Bytes of memory of this machine; absent where the system does not tell.
fn memory() -> Option<u128> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u128 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(1024 * kilobytes)
}
