//! The mark of a folder that this program fills: nothing is replaced in a folder that has none.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::files::write_whole;

/// Name of the mark, and what it says.
const MARK: &str = ".metastable";
const TEXT: &str =
    "This folder holds results of metastable, which replaces files of its own in it.\n";

/// Whether the folder has a mark, whole or not.
pub(crate) fn is_in(folder: &Path) -> bool {
    folder.join(MARK).exists()
}

/// Marks a folder that is there.
pub(crate) fn put(folder: &Path) -> Result<()> {
    write_whole(&folder.join(MARK), TEXT.as_bytes())
}

/// Whether the mark, if there is one, says what was written.
pub(crate) fn check(folder: &Path) -> Result<()> {
    let path = folder.join(MARK);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes.with_context(|| format!("while reading {}", path.display()))?,
    };
    ensure!(
        bytes == TEXT.as_bytes(),
        "{} is damaged; the command that made the folder writes it again",
        path.display()
    );
    Ok(())
}

/// That nothing of these names would be replaced which this program did not write: the folder has the mark, or none of them.
pub(crate) fn refuse_strangers(folder: &Path, outputs: &[&str]) -> Result<()> {
    if is_in(folder) {
        return Ok(());
    }
    for name in outputs {
        let path = folder.join(name);
        // A link that leads nowhere is somebody's, too.
        if fs::symlink_metadata(&path).is_ok() {
            bail!(
                "{} would be replaced, and {} has no mark of this program ({MARK}); choose another folder with --out",
                path.display(),
                folder.display()
            );
        }
    }
    Ok(())
}
