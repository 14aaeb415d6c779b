//! The right to submit tasks of a study: of the commands that follow it, one has it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::record::Folder;
use crate::store::claim::{self, Lease};
use crate::store::claimer::Claimer;

/// A follower that is silent for so long has lost the right.
const LEASE: Duration = Duration::from_secs(60);

/// What a follower needs to ask for the right.
pub(super) struct Seat {
    folder: PathBuf,
    claimer: Claimer,
    lease: Option<Arc<Lease>>,
}

impl Seat {
    pub(super) fn of(folder: &Folder) -> Self {
        Self {
            folder: folder.followers(),
            claimer: Claimer::start(LEASE),
            lease: None,
        }
    }

    /// Whether this process has the right, if need be from now on.
    pub(super) fn take(&mut self) -> Result<bool> {
        if self.lease.as_ref().is_some_and(|lease| lease.is_held()) {
            return Ok(true);
        }
        self.lease = self.claimer.claim(&self.folder)?;
        Ok(self.lease.is_some())
    }

    /// Who has it, for people.
    pub(super) fn said(&self) -> String {
        claim::holder(&self.folder).map_or_else(
            || String::from("another command follows it"),
            |claim| {
                format!(
                    "process {} on {} follows it",
                    claim.owner.pid, claim.owner.host
                )
            },
        )
    }
}
