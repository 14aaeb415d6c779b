//! Which studies use a store. Those beside it are found there; one that names its store with `--store` can be anywhere, and
//! leaves a note in it: without, `clean` would take its runs for those of nobody.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::files::{make_folder, read_text, sha256, write_whole};

/// Folder of the notes, in the store.
const NOTES: &str = "studies";

/// One study.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Its folder, whole path.
    pub(crate) study: PathBuf,
}

/// Notes that the study in that folder uses the store.
pub(crate) fn note(root: &Path, study: &Path) -> Result<()> {
    let study = study
        .canonicalize()
        .with_context(|| format!("while looking for {}", study.display()))?;
    let note = serde_json::to_vec(&Note { study })?;
    let path = root
        .join(NOTES)
        .join(format!("{}.json", &sha256(&note)[..16]));
    if path.exists() {
        return Ok(());
    }
    make_folder(&root.join(NOTES))?;
    write_whole(&path, &note)
}

/// Every note of a store, and where it is.
pub(crate) fn noted(root: &Path) -> Result<Vec<(PathBuf, Note)>> {
    let folder = root.join(NOTES);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("while reading {}", folder.display()))?,
    };
    let mut notes = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            let read = || -> Result<Note> {
                let text = read_text(&path)?;
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                ensure!(
                    *stem == sha256(text.as_bytes())[..16],
                    "its name is not the checksum of what it says"
                );
                Ok(serde_json::from_str(&text)?)
            };
            let note = read()
                .with_context(|| format!("{} is damaged, so the study that it names is not known, and any run may belong to it: run each study that uses this store again, then remove the file", path.display()))?;
            notes.push((path, note));
        }
    }
    notes.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(notes)
}
