//! `[run]`: how a study is kept, which changes no result.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::bounds;
use super::section::require;

/// `[run]`: bookkeeping; none of it can change a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunSettings {
    /// Outer steps between two lines of the training log.
    pub(crate) log_every: usize,
    /// Seconds between two states on the disk, from which a run goes on after a crash.
    pub(crate) save_seconds: f64,
    /// Seconds of silence after which another process takes a run over.
    pub(crate) lease_seconds: u32,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            log_every: 10,
            save_seconds: 10.0,
            lease_seconds: 60,
        }
    }
}

impl RunSettings {
    pub(crate) fn check(&self) -> Result<()> {
        bounds::EVERY.check("log_every", self.log_every)?;
        require(
            (0.0..=bounds::MOST_SAVE_SECONDS).contains(&self.save_seconds),
            "save_seconds",
            self.save_seconds,
            "has to be 0 (after every step) to 31,536,000 (a year); 10 is usual",
        )?;
        bounds::LEASE_SECONDS.check("lease_seconds", self.lease_seconds)
    }
}
