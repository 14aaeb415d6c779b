//! One attempt at a run: a folder that only the holder of the run's claim writes, and that becomes the finished run by
//! being renamed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::claim::Lease;
use super::manifest::Manifest;
use super::{Store, Stored, trained};
use crate::files::{make_folder, process_token, remove_folder, remove_if_there, sync_folder};

/// First letters of an attempt's folder, inside the working folder of its run.
const PREFIX: &str = "attempt-";

/// Where this process writes an attempt at a run.
pub(crate) fn own_folder(store: &Store, identity: &str) -> PathBuf {
    let name = format!("{PREFIX}{}", process_token());
    store.work(identity).join(name)
}

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt<'s> {
    store: &'s Store,
    identity: String,
    lease: Arc<Lease>,
    folder: PathBuf,
}

impl<'s> Attempt<'s> {
    /// The attempt of this process; nothing is made yet.
    pub(super) fn begin(store: &'s Store, identity: &str, lease: Arc<Lease>) -> Self {
        Self {
            store,
            identity: identity.to_owned(),
            lease,
            folder: own_folder(store, identity),
        }
    }

    /// Where this attempt writes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether nobody has taken the run over.
    pub(crate) fn is_held(&self) -> bool {
        self.lease.is_held()
    }

    /// Folders of earlier attempts, this process's own included: what a crash or a stop left.
    pub(crate) fn earlier(&self) -> Result<Vec<PathBuf>> {
        let work = self.store.work(&self.identity);
        let mut folders = Vec::new();
        for entry in
            fs::read_dir(&work).with_context(|| format!("while reading {}", work.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(PREFIX) && path.is_dir() {
                folders.push(path);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Goes on with these files of an earlier attempt, or with nothing; no earlier attempt is left.
    pub(crate) fn adopt(&self, from: Option<&Path>, names: &[&str]) -> Result<()> {
        let own = self.folder.as_path();
        if from != Some(own) {
            remove_folder(own)?;
            make_folder(own)?;
            // Copied, not moved: a process that was taken over may still write there.
            for name in names {
                let Some(from) = from.map(|folder| folder.join(name)) else {
                    continue;
                };
                fs::copy(&from, own.join(name))
                    .with_context(|| format!("while copying {}", from.display()))?;
            }
        }
        for folder in self.earlier()? {
            if folder != own {
                remove_folder(&folder)?;
            }
        }
        Ok(())
    }

    /// Other finished runs of the store that made the same training.
    pub(crate) fn trained_by(&self, training: &str) -> impl Iterator<Item = (String, PathBuf)> {
        super::trained_by(self.store.root(), training)
    }

    /// Makes the attempt the finished run of a training: these files, and no others. What is there already has the same bits,
    /// and stays.
    pub(crate) fn publish(self, names: &[String], training: &str) -> Result<()> {
        if !self.is_held() {
            bail!("another process has taken the run over");
        }
        Manifest::of(&self.folder, &self.identity, names)?.write(&self.folder)?;
        let place = self.store.folder(&self.identity);
        if let Stored::Damaged(_) = self.store.stored(&self.identity) {
            remove_folder(&place)?;
        }
        match fs::rename(&self.folder, &place) {
            Ok(()) => {}
            Err(_) if matches!(self.store.stored(&self.identity), Stored::Whole) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("while making {}", place.display()));
            }
        }
        sync_folder(&place);
        // From here on the run is finished; what stays behind, or is not noted, does no harm.
        let _ = trained::note(self.store.root(), training, &self.identity);
        if let Ok(entries) = fs::read_dir(&place) {
            for path in entries.flatten().map(|entry| entry.path()) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name != super::manifest::MANIFEST && !names.iter().any(|own| **own == *name) {
                    let _ = remove_if_there(&path);
                }
            }
        }
        self.clear();
        Ok(())
    }

    /// Removes the working folder, claims included: the run is finished, here or elsewhere.
    pub(crate) fn clear(self) {
        let _ = remove_folder(&self.store.work(&self.identity));
    }
}
