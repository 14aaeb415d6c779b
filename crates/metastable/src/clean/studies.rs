//! The studies that use a store: those beside it, and those that left a note in it. Whatever cannot be read is an error,
//! since its runs would pass for those of nobody.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::campaign::StudyFolder;
use crate::campaign::folder::Index;
use crate::store::studies::noted;

/// A study that uses the store.
pub(super) struct User {
    pub(super) folder: StudyFolder,
    pub(super) index: Index,
}

/// Every study that uses a store.
pub(super) fn of(store: &Path) -> Result<Vec<User>> {
    let canonical = |path: &Path| {
        path.canonicalize()
            .with_context(|| format!("while looking for {}", path.display()))
    };
    let place = canonical(store)?;
    let mut folders = beside(store)?;
    for (path, note) in noted(store)? {
        if !is_study(&note.study) {
            bail!(
                "the study {} uses the store {} and is not there: if it is gone for good, remove the note {}; if it was moved, run it from its new place first, then remove the note",
                note.study.display(),
                store.display(),
                path.display()
            );
        }
        let study = StudyFolder::new(&note.study);
        let named = study.store_of(&study.read()?);
        if !named.exists() {
            bail!(
                "the study {} says that its store is {}, which is not there, and the note {} says that it is this one: run it again with --store {}",
                note.study.display(),
                named.display(),
                path.display(),
                store.display()
            );
        }
        folders.push(note.study);
    }
    let mut users: Vec<User> = Vec::new();
    for path in folders {
        let folder = StudyFolder::new(&path);
        let index = folder.read()?;
        let uses = folder.store_of(&index);
        let known = |user: &User| canonical(user.folder.path()).ok() == canonical(&path).ok();
        // One that has moved on to another store left its note behind.
        if uses.canonicalize().is_ok_and(|uses| uses == place) && !users.iter().any(known) {
            users.push(User { folder, index });
        }
    }
    Ok(users)
}

/// Folders of studies beside the store.
fn beside(store: &Path) -> Result<Vec<PathBuf>> {
    // As studies see it, whatever the store itself is a link to.
    let parent = store.with_file_name(".");
    let entries =
        fs::read_dir(&parent).with_context(|| format!("while reading {}", parent.display()))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = store.with_file_name(entry?.file_name());
        if is_study(&path) {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn is_study(path: &Path) -> bool {
    path.join("runs.json").exists()
}
