//! The store of runs: a folder in which every run has a place named by its identity, whichever study asked for it.
//!
//! ```text
//! .store/
//!   3f0c.../               a finished run, with its manifest.json; nothing in it changes any more
//!   work/3f0c.../          an unfinished one
//!     1.claim, 2.claim     who works on it, and who did before
//!     attempt-.../         its files so far
//!     failed.json          why it could not be finished
//! ```
//!
//! Two processes need nothing but this folder in common. Start reading at [`Store::claim`].

pub(crate) mod attempt;
pub(crate) mod claim;
pub(crate) mod claimer;
pub(crate) mod heart;
pub(crate) mod host;
pub(crate) mod manifest;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::files::make_folder;
use attempt::Attempt;
use claimer::Claimer;
use manifest::Manifest;

/// Folder of unfinished runs.
const WORK: &str = "work";

/// The note on why a run could not be finished.
pub(crate) const FAILURE: &str = "failed.json";

/// Digits of an identity that name a folder: 128 bits.
const DIGITS: usize = 32;

/// A store, and this process's place in it.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    claimer: Claimer,
}

/// What there is of a run.
#[derive(Debug)]
pub(crate) enum Stored {
    /// It is not finished.
    Absent,
    /// Finished, and every file has its checksum.
    Whole,
    /// Finished, but a file is not what was written; says which.
    Damaged(anyhow::Error),
}

impl Store {
    /// Opens a store, and makes its folder.
    pub(crate) fn open(root: &Path, lease: Duration) -> Result<Self> {
        make_folder(&root.join(WORK))?;
        Ok(Self {
            root: root.to_owned(),
            claimer: Claimer::start(lease),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of a finished run.
    pub(crate) fn folder(&self, identity: &str) -> PathBuf {
        folder(&self.root, identity)
    }

    /// Folder of an unfinished run.
    pub(crate) fn work(&self, identity: &str) -> PathBuf {
        work(&self.root, identity)
    }

    /// The note on why a run could not be finished.
    pub(crate) fn failure(&self, identity: &str) -> PathBuf {
        self.work(identity).join(FAILURE)
    }

    /// What there is of a run; reads all of its files.
    pub(crate) fn stored(&self, identity: &str) -> Stored {
        stored(&self.folder(identity), identity)
    }

    /// Claims a run for this process; nothing if another has it.
    pub(crate) fn claim(&self, identity: &str) -> Result<Option<Attempt<'_>>> {
        let lease = self.claimer.claim(&self.work(identity))?;
        Ok(lease.map(|lease| Attempt::begin(self, identity, lease)))
    }
}

/// Folder of a finished run.
pub(crate) fn folder(root: &Path, identity: &str) -> PathBuf {
    root.join(short(identity))
}

/// Folder of an unfinished run.
pub(crate) fn work(root: &Path, identity: &str) -> PathBuf {
    root.join(WORK).join(short(identity))
}

fn short(identity: &str) -> &str {
    identity.get(..DIGITS).unwrap_or(identity)
}

/// What there is of a run in its folder; reads all of its files.
pub(crate) fn stored(folder: &Path, identity: &str) -> Stored {
    let check = || -> Result<bool> {
        let Some(manifest) = Manifest::read(folder)? else {
            anyhow::ensure!(
                !folder.exists(),
                "{} has no manifest.json",
                folder.display()
            );
            return Ok(false);
        };
        anyhow::ensure!(
            manifest.identity == identity,
            "{} holds another run than its name says",
            folder.display()
        );
        manifest.verify(folder)?;
        Ok(true)
    };
    match check() {
        Ok(false) => Stored::Absent,
        Ok(true) => Stored::Whole,
        Err(error) => Stored::Damaged(error),
    }
}
