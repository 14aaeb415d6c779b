//! A file that only grows. A state on the disk counts on its bytes up to a mark; what a crash left behind the mark is cut
//! off, and what does not have the mark's checksum is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::hex;

/// The first so many bytes of a file, and their checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    n_bytes: usize,
    sha256: String,
}

impl Mark {
    /// The bytes of the file that the mark is about.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("while reading {}", path.display()));
            }
        };
        ensure!(
            bytes.len() >= self.n_bytes,
            "{} is damaged: it has {} bytes where the state beside it counts on {}",
            path.display(),
            bytes.len(),
            self.n_bytes
        );
        bytes.truncate(self.n_bytes);
        ensure!(
            self.n_bytes == 0 || hex(&Sha256::digest(&bytes)) == self.sha256,
            "{} is damaged: it does not have the checksum that the state beside it counts on",
            path.display()
        );
        Ok(bytes)
    }
}

/// The file being written.
pub(crate) struct Growing {
    path: PathBuf,
    file: File,
    n_bytes: usize,
    hasher: Sha256,
}

impl Growing {
    /// Opens the file at a mark.
    pub(crate) fn open(path: &Path, mark: &Mark) -> Result<Self> {
        let bytes = mark.read(path)?;
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            file.set_len(bytes.len() as u64)?;
            Ok(file)
        };
        Ok(Self {
            file: open().with_context(|| format!("while opening {}", path.display()))?,
            path: path.to_owned(),
            n_bytes: bytes.len(),
            hasher: Sha256::new_with_prefix(&bytes),
        })
    }

    /// Appends.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .with_context(|| format!("while writing {}; is the disk full?", self.path.display()))?;
        self.hasher.update(bytes);
        self.n_bytes += bytes.len();
        Ok(())
    }

    /// Makes what is written safe, before a state counts on it.
    pub(crate) fn mark(&self) -> Result<Mark> {
        self.file
            .sync_data()
            .with_context(|| format!("while writing {}; is the disk full?", self.path.display()))?;
        Ok(Mark {
            n_bytes: self.n_bytes,
            sha256: hex(&self.hasher.clone().finalize()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_mark_is_cut_and_what_is_before_it_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = Growing::open(&path, &Mark::default()).unwrap();
        file.append(b"one").unwrap();
        let mark = file.mark().unwrap();
        file.append(b"two").unwrap();
        drop(file);
        let mut file = Growing::open(&path, &mark).unwrap();
        file.append(b"three").unwrap();
        let mark = file.mark().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onethree");
        for i in 0..8 {
            let mut flipped = b"onethree".to_vec();
            flipped[i] ^= 4;
            fs::write(&path, flipped).unwrap();
            assert!(Growing::open(&path, &mark).is_err());
            fs::write(&path, &b"onethree"[..i]).unwrap();
            assert!(Growing::open(&path, &mark).is_err());
        }
    }
}
