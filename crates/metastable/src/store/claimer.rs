//! One process among those that share files: it claims what it works on, and its claims beat.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use super::claim::{self, Lease, Watch};
use super::heart::Heart;
use super::host::Owner;

/// This process, with the claims that it holds.
#[derive(Debug)]
pub(crate) struct Claimer {
    owner: Owner,
    /// Without a beat for this long, a claim may be taken over.
    lease: Duration,
    watch: Mutex<Watch>,
    heart: Heart,
}

impl Claimer {
    /// Starts to beat for whatever will be claimed.
    pub(crate) fn start(lease: Duration) -> Self {
        Self {
            owner: Owner::here(),
            lease,
            watch: Mutex::default(),
            heart: Heart::start(lease / 6),
        }
    }

    /// Claims what this folder stands for; nothing if another process has it.
    pub(crate) fn claim(&self, folder: &Path) -> Result<Option<Arc<Lease>>> {
        let Some(lease) = claim::claim(folder, &self.owner, self.lease, &self.watch)? else {
            return Ok(None);
        };
        let lease = Arc::new(lease);
        self.heart.add(&lease);
        Ok(Some(lease))
    }

    /// Whether the process that has it was seen to live, by this one, of late.
    pub(crate) fn sees_life(&self, folder: &Path) -> bool {
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.sees_life(folder, self.lease)
    }
}
