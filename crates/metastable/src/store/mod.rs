//! The store of runs: a folder in which every run has a place named by its identity, whichever study asked for it.
//!
//! ```text
//! .store/
//!   3f0c.../               a finished run, with its manifest.json; nothing in it changes any more
//!   in-use                 locked by whoever works here
//!   studies/               which studies that are elsewhere use it
//!   trained/               which runs made which training
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
pub(crate) mod studies;
pub(crate) mod trained;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::files::{make_folder, process_token};
use attempt::Attempt;
use claim::Claim;
use claimer::Claimer;
use host::Owner;
use manifest::{MANIFEST, Manifest};

/// Folder of unfinished runs.
const WORK: &str = "work";

/// The note on why a run could not be finished.
const FAILURE: &str = "failed.json";

/// Whoever works in a store shares a lock on this file; whoever cleans it has the lock alone.
const IN_USE: &str = "in-use";

/// Digits of an identity that name a folder: 128 bits.
const DIGITS: usize = 32;

/// A store, and this process's place in it.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    claimer: Claimer,
    /// Keeps the lock.
    _in_use: File,
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
        let in_use = in_use(root)?;
        // Waits until a cleaner has ended. Where there are no locks, claims alone keep cleaners away.
        let _ = in_use.lock_shared();
        Ok(Self {
            root: root.to_owned(),
            claimer: Claimer::start(lease),
            _in_use: in_use,
        })
    }

    /// Keeps others from working in a store as long as the file lives; nothing if somebody works there.
    pub(crate) fn lock_alone(root: &Path) -> Result<Option<File>> {
        let file = in_use(root)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Some(file))
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("while locking {}", root.display()))
            }
        }
    }

    /// A run of a store that somebody may be working on, and who.
    pub(crate) fn living_claim(root: &Path) -> Result<Option<(PathBuf, Claim)>> {
        let owner = Owner::here();
        let mut unfinished = unfinished_in(root)?.into_iter();
        Ok(unfinished.find_map(|work| Some((work.clone(), claim::living(&work, &owner)?))))
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

/// The finished runs that made a training: identity and folder of each. Those whose files are damaged are left out.
pub(crate) fn trained_by(root: &Path, training: &str) -> impl Iterator<Item = (String, PathBuf)> {
    let runs = trained::runs(root, training).into_iter();
    runs.map(move |identity| (folder(root, &identity), identity))
        .filter(|(folder, identity)| matches!(stored(folder, identity), Stored::Whole))
        .map(|(folder, identity)| (identity, folder))
}

/// Forgets which trainings the runs made that are gone.
pub(crate) fn forget_gone(root: &Path) {
    trained::forget(root, |identity| folder(root, identity).exists());
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

/// Every finished run of a store, damaged ones too.
pub(crate) fn finished_in(root: &Path) -> Result<Vec<PathBuf>> {
    runs_in(root)
}

/// Every working folder of a store.
pub(crate) fn unfinished_in(root: &Path) -> Result<Vec<PathBuf>> {
    runs_in(&root.join(WORK))
}

/// Folders that are named like a run, in order.
fn runs_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("while reading {}", folder.display()))?;
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut runs = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.len() == DIGITS && name.iter().copied().all(is_digit) && entry.path().is_dir() {
            runs.push(entry.path());
        }
    }
    runs.sort();
    Ok(runs)
}

fn in_use(root: &Path) -> Result<File> {
    let path = root.join(IN_USE);
    // Network file systems lock for themselves only what is open for writing, and share only what is open for reading.
    let mut how = OpenOptions::new();
    let how = how.create(true).truncate(false).read(true).write(true);
    how.open(&path)
        .with_context(|| format!("while opening {}", path.display()))
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
            "{} is that of another run than the name of its folder says",
            folder.join(MANIFEST).display()
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
