//! Which finished runs made a training: where two runs differ only in what is measured, the second takes the weights of the
//! first.
//!
//! ```text
//! .store/trained/5a1b.../    a training, by its identity
//!   3f0c...                  an empty file named by the identity of a run that made it
//! ```
//!
//! An entry is a hint: the run that it names may be gone or damaged ([`super::trained_by`] looks).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files::make_folder;

/// Folder of the entries, in the store.
const TRAINED: &str = "trained";

/// Notes that a run made a training.
pub(crate) fn note(root: &Path, training: &str, identity: &str) -> Result<()> {
    let place = place(root, training);
    make_folder(&place)?;
    let path = place.join(identity);
    File::create(&path).with_context(|| format!("while writing {}", path.display()))?;
    Ok(())
}

/// Identities of the runs that made a training, in order.
pub(crate) fn runs(root: &Path, training: &str) -> Vec<String> {
    let mut names: Vec<String> = entries(&place(root, training))
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// Removes the entries of runs that are gone; `is_there` says which are not.
pub(crate) fn forget(root: &Path, is_there: impl Fn(&str) -> bool) {
    for place in entries(&root.join(TRAINED)) {
        for path in entries(&place) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !is_there(&name) {
                let _ = fs::remove_file(&path);
            }
        }
        // Stays while an entry is in it.
        let _ = fs::remove_dir(&place);
    }
}

fn place(root: &Path, training: &str) -> PathBuf {
    root.join(TRAINED).join(training)
}

/// What is in a folder; nothing where there is none, or none that can be read: entries are hints.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
