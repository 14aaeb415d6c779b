//! `NAME.part` beside the target, the note on where its bytes came from, the lock, and the move into place.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Event, FetchError, Progress};

/// `dir/name.zip` to `dir/name.zip.part`.
pub(crate) fn path(target: &Path) -> PathBuf {
    with_suffix(target, ".part")
}

fn note_path(part: &Path) -> PathBuf {
    with_suffix(part, ".json")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Bytes in the part; 0 if there is none.
pub(crate) fn len(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |metadata| metadata.len())
}

/// The note beside a part, if there is a readable one.
pub(crate) fn read_note<T: DeserializeOwned>(part: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(note_path(part)).ok()?).ok()
}

/// Writes the note beside a part.
pub(crate) fn write_note(part: &Path, note: &impl Serialize) -> Result<(), FetchError> {
    let path = note_path(part);
    let text = serde_json::to_vec(note).map_err(|error| FetchError::Io {
        action: "describe",
        path: path.clone(),
        source: error.into(),
    })?;
    fs::write(&path, text).map_err(FetchError::io("write", &path))
}

/// Removes a part and its note.
pub(crate) fn discard(part: &Path) -> Result<(), FetchError> {
    for path in [part, &note_path(part)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(FetchError::io("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Moves a proven part into place: bytes on disk first, then the name, then the folder's entry.
pub(crate) fn promote(part: &Path, target: &Path) -> Result<(), FetchError> {
    let file = File::options()
        .write(true)
        .open(part)
        .map_err(FetchError::io("open", part))?;
    file.sync_all().map_err(FetchError::io("write", part))?;
    drop(file);
    fs::rename(part, target).map_err(FetchError::io("rename to", target))?;
    discard(part)?;
    #[cfg(unix)]
    if let Some(folder) = target.parent() {
        let folder_file = File::open(folder).map_err(FetchError::io("open", folder))?;
        folder_file
            .sync_all()
            .map_err(FetchError::io("write", folder))?;
    }
    Ok(())
}

/// Creates the folder of `path`.
pub(crate) fn create_folder_of(path: &Path) -> Result<(), FetchError> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(FetchError::io("create", folder)),
        None => Ok(()),
    }
}

/// Held while files of one folder are written; released when dropped, or by the system when the process dies.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until no other process (or thread) fetches into `folder`.
    pub(crate) fn acquire(
        folder: &Path,
        name: &str,
        progress: &dyn Progress,
    ) -> Result<Self, FetchError> {
        fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
        let path = folder.join(".fetch.lock");
        let file = File::create(&path).map_err(FetchError::io("create", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.event(&Event::Waiting { name });
                file.lock().map_err(FetchError::io("lock", &path))?;
            }
            Err(TryLockError::Error(error)) => return Err(FetchError::io("lock", &path)(error)),
        }
        Ok(Self { _file: file })
    }
}
