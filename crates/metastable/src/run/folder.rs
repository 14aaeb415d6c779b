//! The files of a run.

use std::path::PathBuf;

use crate::study::{Chosen, TestSettings};

pub(super) const LOG: &str = "log.jsonl";
pub(super) const STATE: &str = "state.safetensors";
pub(super) const VALIDATED: &str = "validated.f32";

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
    pub(super) fn lasting(&self) -> Vec<String> {
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
