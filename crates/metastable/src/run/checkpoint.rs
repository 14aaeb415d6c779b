//! Checkpoints of runs: weights in the format of [`metastable_models::checkpoint`], with the run's configuration and
//! fingerprint in the metadata, so that a file by itself can be used again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use metastable_algorithms::Weights;
use metastable_guests as guests;
use metastable_models::{Architecture, Checkpoint};

use super::tensors::TensorFile;
use super::{Record, RunConfig, guest};
use crate::store::manifest::Manifest;
use crate::study::bounds;

/// Writes weights, with what is needed to test them again.
pub(crate) fn write(
    path: &Path,
    record: &Record,
    weights: &Weights<f32>,
    step: usize,
) -> Result<()> {
    let metadata = BTreeMap::from([
        ("config".to_owned(), serde_json::to_string(&record.config)?),
        ("identity".to_owned(), record.identity.clone()),
        (
            "fingerprint".to_owned(),
            serde_json::to_string(&record.fingerprint()?)?,
        ),
        ("step".to_owned(), step.to_string()),
    ]);
    let architecture = Architecture::new(&record.config.network)?;
    Checkpoint::save(
        path,
        &architecture,
        &weights.theta,
        &weights.buffers,
        &metadata,
    )
    .with_context(|| format!("while writing {}", path.display()))
}

/// Number of weights and running statistics that are no finite numbers.
pub(super) fn n_non_finite(weights: &Weights<f32>) -> usize {
    let parts = [&weights.theta, &weights.buffers];
    let values = parts.iter().flat_map(|part| part.values());
    values.filter(|value| !value.is_finite()).count()
}

/// A checkpoint whose configuration is read.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) config: RunConfig,
    /// Outer steps made.
    pub(crate) step: usize,
    pub(crate) weights: Weights<f32>,
    /// What a guest saved; absent for the learners of this program.
    pub(crate) guest: Option<Vec<u8>>,
    /// Whether the file has its digest.
    pub(crate) is_sealed: bool,
}

impl Stored {
    /// Reads a checkpoint of ours; in the folder of its run, it has to have its checksum.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name())
            && let Some(manifest) = Manifest::read(folder)?
        {
            manifest.verify_file(folder, &name.to_string_lossy())?;
        }
        let checkpoint = Checkpoint::open(path)?;
        // What a guest saved has no network of ours.
        if checkpoint.config().is_none()
            && let Some(stored) = Self::of_guest(path)?
        {
            return Ok(stored);
        }
        let text = |key: &str| {
            let metadata = checkpoint.metadata().get(key);
            metadata.ok_or_else(|| anyhow!("its metadata has no {key}"))
        };
        let parse = || -> Result<(RunConfig, usize)> {
            let config = serde_json::from_str(text("config")?)?;
            Ok((config, text("step")?.parse()?))
        };
        let (config, step) = parse().with_context(|| {
            format!(
                "{} is not a checkpoint of a run; give its best.safetensors or last.safetensors, or say what it is with evaluate --import MAP.toml (docs/python.md)",
                path.display()
            )
        })?;
        bounds::check_learner(&config.learner.settings)
            .with_context(|| format!("{} is not a run that this program makes", path.display()))?;
        let (theta, buffers) = checkpoint.load(&Architecture::new(&config.network)?)?;
        Ok(Self {
            config,
            step,
            weights: Weights { theta, buffers },
            guest: None,
            is_sealed: checkpoint.is_sealed(),
        })
    }

    /// A saved state of a guest; none if the file is no such thing.
    fn of_guest(path: &Path) -> Result<Option<Self>> {
        // What is damaged is told by the reader of all other checkpoints.
        let Ok(file) = TensorFile::read(path) else {
            return Ok(None);
        };
        let Ok(config) = file.text("config") else {
            return Ok(None);
        };
        let Ok(config) = serde_json::from_str::<RunConfig>(config) else {
            return Ok(None);
        };
        if !config.is_guest() {
            return Ok(None);
        }
        let network = guests::Outside::new(config.network.image, None);
        Ok(Some(Self {
            step: file.text("step")?.parse()?,
            weights: guests::state(&network, 0),
            guest: Some(guest::saved::read(&file)?),
            config,
            is_sealed: true,
        }))
    }

    /// Number of weights and running statistics that are no finite numbers.
    pub(crate) fn n_non_finite(&self) -> usize {
        n_non_finite(&self.weights)
    }

    /// Says on stderr what a score of these weights has to be read with.
    pub(crate) fn say_doubts(&self) {
        let n_non_finite = self.n_non_finite();
        if n_non_finite > 0 {
            eprintln!(
                "warning: {n_non_finite} of its weights are not finite numbers; what it predicts is chance or the first class, and its score says nothing"
            );
        }
        if !self.is_sealed {
            eprintln!(
                "note: the checkpoint has no digest of its own, so damage would not be noticed"
            );
        }
    }
}
