//! `validated.f32`: the weights of a training at each of its validations, so that another run can be validated on other
//! episodes without training again.
//!
//! A row a validation, in order: parameters, then running statistics, as little-endian single precision.

use std::path::Path;

use anyhow::{Result, ensure};
use metastable_algorithms::{TrainConfig, Weights};
use metastable_models::{Network, Params};

use super::growing::{Growing, Mark};
use crate::files::read_bytes;

/// Weights, each with the outer steps that made them.
pub(crate) type WeightsAfter = Vec<(usize, Weights<f32>)>;

/// Largest file. A longer training, or a larger network, keeps the best and the last weights alone.
const MOST_BYTES: usize = 64 << 20;

/// The file being written; none where it would be too large.
pub(crate) struct Validated(Option<Growing>);

impl Validated {
    /// Opens the file of a training at a mark.
    pub(crate) fn open(
        path: &Path,
        training: &TrainConfig,
        network: &dyn Network<f32>,
        mark: &Mark,
    ) -> Result<Self> {
        let file = is_kept(training, n_values(network)).then(|| Growing::open(path, mark));
        file.transpose().map(Self)
    }

    /// Appends the weights of a validation.
    pub(crate) fn append(&mut self, weights: &Weights<f32>) -> Result<()> {
        let Some(file) = &mut self.0 else {
            return Ok(());
        };
        let values = [&weights.theta, &weights.buffers].map(Params::values);
        let values = values.into_iter().flatten();
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        file.append(&bytes)
    }

    /// Makes what is written safe, before a state counts on it.
    pub(crate) fn mark(&self) -> Result<Mark> {
        self.0
            .as_ref()
            .map_or_else(|| Ok(Mark::default()), Growing::mark)
    }
}

/// The weights at each validation of a training that made so many steps; none where they were not kept.
pub(crate) fn read(
    path: &Path,
    training: &TrainConfig,
    network: &dyn Network<f32>,
    n_steps: usize,
) -> Result<Option<WeightsAfter>> {
    let n_theta = network.layout().n_values();
    let n_values = n_values(network);
    if !is_kept(training, n_values) || !path.exists() {
        return Ok(None);
    }
    let bytes = read_bytes(path)?;
    let plan = training.validate()?;
    let steps: Vec<usize> = (1..=n_steps)
        .filter(|step| plan.validates_after(*step))
        .collect();
    ensure!(
        bytes.len() == steps.len() * 4 * n_values,
        "{} has {} bytes where the weights of {} validations have {}",
        path.display(),
        bytes.len(),
        steps.len(),
        steps.len() * 4 * n_values
    );
    let values: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    let rows = values.chunks_exact(n_values.max(1)).map(|row| {
        let (theta, buffers) = row.split_at(n_theta);
        Weights {
            theta: Params::from_values(network.layout(), theta.to_vec()),
            buffers: Params::from_values(network.buffers(), buffers.to_vec()),
        }
    });
    Ok(Some(steps.into_iter().zip(rows).collect()))
}

/// Bytes of the file of a whole training of a network of so many values.
pub(crate) fn n_bytes(training: &TrainConfig, n_values: usize) -> usize {
    let n_validations = training
        .outer_steps
        .div_ceil(training.validate_every.max(1));
    match n_validations.saturating_mul(n_values.saturating_mul(4)) {
        n_bytes if n_bytes <= MOST_BYTES => n_bytes,
        _ => 0,
    }
}

fn is_kept(training: &TrainConfig, n_values: usize) -> bool {
    n_bytes(training, n_values) > 0
}

fn n_values(network: &dyn Network<f32>) -> usize {
    network.layout().n_values() + network.buffers().n_values()
}
