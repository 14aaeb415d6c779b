//! Files that are whole or absent: written beside, flushed to the disk, renamed.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// How the names end of files that are being written; a crash can leave some behind.
pub(crate) const BESIDE: &str = ".tmp";

/// Writes the file such that a crash at any moment leaves the old content or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes).with_context(|| while_writing(path))?;
    file.place()
}

/// A file that is written piece by piece, and takes its name when it is whole: until then, and after a crash, there is what
/// was there before.
pub(crate) struct WholeFile {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
    is_placed: bool,
}

impl WholeFile {
    /// Starts a file; nothing of that name changes yet.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let beside = beside(path);
        let file = File::create(&beside).with_context(|| while_writing(path))?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            file: BufWriter::new(file),
            is_placed: false,
        })
    }

    /// Flushes it to the disk, and gives it its name.
    pub(crate) fn place(mut self) -> Result<()> {
        let mut place = || -> std::io::Result<()> {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            fs::rename(&self.beside, &self.path)
        };
        place().with_context(|| while_writing(&self.path))?;
        self.is_placed = true;
        sync_folder(&self.path);
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_placed {
            // On a full disk it takes the place that something smaller could still use.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

fn while_writing(path: &Path) -> String {
    format!(
        "while writing {}; is the disk full or the folder read-only? Free it, or choose another with --out",
        path.display()
    )
}

/// Where a file is written before it takes its name: nowhere that another process or thread writes.
fn beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{count}{BESIDE}", process_token()));
    path.with_file_name(name)
}

/// A name for this process that no other has, on whatever machine.
pub(crate) fn process_token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    // The standard library's hash tables take their keys from the system's source of randomness.
    TOKEN.get_or_init(|| format!("{:016x}", RandomState::new().build_hasher().finish()))
}

/// Makes the rename itself durable. Not every system lets a folder be opened, and the content is safe either way.
pub(crate) fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

/// Makes a folder and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| {
        format!(
            "while making the folder {}; choose another with --out",
            path.display()
        )
    })
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("while reading {}", path.display()))
}

/// The bytes of a file, text or not.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("while reading {}", path.display()))
}

/// Removes a file; one that is not there is as good.
pub(crate) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("while removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a folder and everything in it; one that is not there is as good.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("while removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn sha256_of_abc_is_the_published_one() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
