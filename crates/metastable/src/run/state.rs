//! `state.safetensors`: where an unfinished run goes on.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use metastable_algorithms::{OptimizerConfig, TrainState};
use metastable_models::{Layout, Network, Params};

use super::growing::Mark;
use super::log::Pending;
use super::tensors::TensorFile;

/// Everything that the next step depends on.
pub(crate) struct State {
    pub(crate) train: TrainState<f32>,
    /// The part of the log that belongs to it.
    pub(crate) log: Mark,
    /// The part of the weights of validations that belongs to it.
    pub(crate) validated: Mark,
    pub(crate) pending: Pending,
    /// Seconds of training over all sessions.
    pub(crate) train_seconds: f64,
}

impl State {
    /// Writes the state of the run with that identity.
    pub(crate) fn write(&self, path: &Path, identity: &str) -> Result<()> {
        let (params, metadata) = self.train.export();
        let mut file = TensorFile {
            metadata,
            ..TensorFile::default()
        };
        let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
        note("identity", identity.to_owned());
        note("log", serde_json::to_string(&self.log)?);
        note("validated", serde_json::to_string(&self.validated)?);
        note("pending", serde_json::to_string(&self.pending)?);
        note("train_seconds", self.train_seconds.to_string());
        push_params(&mut file, &params);
        file.write(path)
    }

    /// Reads the state of a run; absent if there is none.
    pub(crate) fn read(
        path: &Path,
        identity: &str,
        network: &dyn Network<f32>,
        optimizer: &OptimizerConfig,
    ) -> Result<Option<Self>> {
        read_as(path, identity, |file| {
            let params = all_params(file)?;
            Ok(Self {
                train: TrainState::import(network, optimizer, &params, &file.metadata)?,
                log: serde_json::from_str(file.text("log")?)?,
                validated: serde_json::from_str(file.text("validated")?)?,
                pending: serde_json::from_str(file.text("pending")?)?,
                train_seconds: file.text("train_seconds")?.parse()?,
            })
        })
    }
}

/// What `take` finds in the state of the run with that identity; absent if there is no file.
pub(super) fn read_as<S>(
    path: &Path,
    identity: &str,
    take: impl FnOnce(&TensorFile) -> Result<S>,
) -> Result<Option<S>> {
    if !path.exists() {
        return Ok(None);
    }
    let read = || -> Result<S> {
        let file = TensorFile::read(path)?;
        ensure!(
            file.text("identity")? == identity,
            "it belongs to another run"
        );
        take(&file)
    };
    read()
        .map(Some)
        .with_context(|| format!("the state {} cannot be used", path.display()))
}

/// Appends every tensor of a layout.
pub(crate) fn push_params(file: &mut TensorFile, params: &Params<f32>) {
    for entry in params.layout().entries() {
        let values = &params.values()[entry.offset..][..entry.len()];
        file.push(&entry.name, &entry.shape, values);
    }
}

/// All tensors of a file, in its order.
fn all_params(file: &TensorFile) -> Result<Params<f32>> {
    let mut layout = Layout::default();
    let mut values = Vec::new();
    for tensor in &file.tensors {
        layout.push(&tensor.name, &tensor.shape);
        values.extend(file.need::<f32>(&tensor.name)?.1);
    }
    Ok(Params::from_values(&layout.into(), values))
}
