//! The store of runs: a folder in which every run has a place named by its identity, whichever study asked for it.
//!
//! ```text
//! .store/
//!   3f0c.../               a finished run, with its manifest.json; nothing in it changes any more
//!   work/3f0c.../          an unfinished one
//!     1.claim, 2.claim     who works on it, and who did before
//!     attempt-.../         its files so far
//!     damaged-.../         what it was before, if that was damaged
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

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::files::{make_folder, process_token};
use attempt::Attempt;
use claimer::Claimer;
use manifest::Manifest;

/// Folder of unfinished runs.
const WORK: &str = "work";

/// The note on why a run could not be finished.
const FAILURE: &str = "failed.json";

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
        make(root)?;
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
        failure(&self.root, identity)
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

    /// Whether the process that has a run was seen to live, by this one, of late.
    pub(crate) fn sees_life(&self, identity: &str) -> bool {
        self.claimer.sees_life(&self.work(identity))
    }

    /// Whether a run is finished, by its manifest alone: its files are not read.
    pub(crate) fn is_finished(&self, identity: &str) -> bool {
        let manifest = Manifest::read(&self.folder(identity));
        manifest.is_ok_and(|manifest| manifest.is_some_and(|it| it.identity == identity))
    }
}

/// Makes the folder of a store.
pub(crate) fn make(root: &Path) -> Result<()> {
    make_folder(&root.join(WORK))
}

/// Folder of a finished run.
pub(crate) fn folder(root: &Path, identity: &str) -> PathBuf {
    root.join(short(identity))
}

/// Folder of an unfinished run.
pub(crate) fn work(root: &Path, identity: &str) -> PathBuf {
    root.join(WORK).join(short(identity))
}

/// The note on why a run could not be finished.
pub(crate) fn failure(root: &Path, identity: &str) -> PathBuf {
    work(root, identity).join(FAILURE)
}

/// Makes place for a run whose stored files are damaged; they go when it is finished again.
pub(crate) fn set_aside(root: &Path, identity: &str) -> Result<()> {
    let work = work(root, identity);
    make_folder(&work)?;
    let folder = folder(root, identity);
    match fs::rename(&folder, work.join(format!("damaged-{}", process_token()))) {
        // Another process was faster.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        moved => moved.with_context(|| format!("while moving {} away", folder.display())),
    }
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
