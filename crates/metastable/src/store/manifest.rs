//! `manifest.json`: the checksum of every file of a finished run. Where it is, the run is finished; where a file does not
//! agree with it, the run is damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::files::{sha256, write_whole};

/// Its name in the folder of a run.
pub(crate) const MANIFEST: &str = "manifest.json";

/// What is known of each file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    bytes: u64,
    sha256: String,
}

/// The files of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Identity of the run.
    pub(crate) identity: String,
    files: BTreeMap<String, Stored>,
    /// Over the fields above, as compact JSON.
    sha256: String,
}

impl Manifest {
    /// Of these files of a folder, as they are now.
    pub(crate) fn of(folder: &Path, identity: &str, names: &[String]) -> Result<Self> {
        let mut files = BTreeMap::new();
        for name in names {
            let path = folder.join(name);
            let bytes =
                fs::read(&path).with_context(|| format!("while reading {}", path.display()))?;
            let stored = Stored {
                bytes: bytes.len() as u64,
                sha256: sha256(&bytes),
            };
            files.insert(name.clone(), stored);
        }
        let mut manifest = Self {
            identity: identity.to_owned(),
            files,
            sha256: String::new(),
        };
        manifest.sha256 = manifest.checksum()?;
        Ok(manifest)
    }

    fn checksum(&self) -> Result<String> {
        Ok(sha256(&serde_json::to_vec(&(&self.identity, &self.files))?))
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// Writes it into the folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write_whole(&folder.join(MANIFEST), &self.to_bytes()?)
    }

    /// Reads it; absent if the folder has none. Any changed byte of it is an error.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("while reading {}", path.display()));
            }
        };
        let read = || -> Result<Self> {
            let manifest: Self = serde_json::from_slice(&bytes)?;
            ensure!(
                manifest.sha256 == manifest.checksum()? && manifest.to_bytes()? == bytes,
                "it does not have its own checksum"
            );
            Ok(manifest)
        };
        read()
            .map(Some)
            .with_context(|| format!("{} is damaged", path.display()))
    }

    /// Compares every file with its checksum; the error names the first that differs.
    pub(crate) fn verify(&self, folder: &Path) -> Result<()> {
        for name in self.files.keys() {
            self.verify_file(folder, name)?;
        }
        Ok(())
    }

    /// Compares one file with its checksum.
    pub(crate) fn verify_file(&self, folder: &Path, name: &str) -> Result<()> {
        let path = folder.join(name);
        let Some(stored) = self.files.get(name) else {
            bail!("{} is not in {MANIFEST}", path.display());
        };
        let bytes = fs::read(&path)
            .with_context(|| format!("{} is damaged: it cannot be read", path.display()))?;
        ensure!(
            bytes.len() as u64 == stored.bytes,
            "{} is damaged: it has {} bytes where {} were written",
            path.display(),
            bytes.len(),
            stored.bytes
        );
        ensure!(
            sha256(&bytes) == stored.sha256,
            "{} is damaged: it does not have the checksum that was written",
            path.display()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.bin"), [0, 1, 2, 3]).unwrap();
        fs::write(folder.path().join("b.txt"), "text").unwrap();
        let names = ["a.bin".to_owned(), "b.txt".to_owned()];
        let manifest = Manifest::of(folder.path(), "id", &names).unwrap();
        manifest.write(folder.path()).unwrap();
        folder
    }

    fn check(folder: &Path) -> Result<()> {
        Manifest::read(folder)?.unwrap().verify(folder)
    }

    #[test]
    fn every_flipped_bit_and_truncation_of_every_file_is_named() {
        let folder = folder();
        check(folder.path()).unwrap();
        for name in ["a.bin", "b.txt", MANIFEST] {
            let path = folder.path().join(name);
            let whole = fs::read(&path).unwrap();
            for i in 0..whole.len() {
                for bit in 0..8 {
                    let mut flipped = whole.clone();
                    flipped[i] ^= 1 << bit;
                    fs::write(&path, flipped).unwrap();
                    let message = format!("{:#}", check(folder.path()).unwrap_err());
                    assert!(message.contains(name), "{message}");
                }
                fs::write(&path, &whole[..i]).unwrap();
                assert!(check(folder.path()).is_err(), "{i} bytes of {name}");
            }
            fs::write(&path, whole).unwrap();
        }
        check(folder.path()).unwrap();
        fs::remove_file(folder.path().join("b.txt")).unwrap();
        assert!(check(folder.path()).is_err());
        fs::remove_file(folder.path().join(MANIFEST)).unwrap();
        assert!(Manifest::read(folder.path()).unwrap().is_none());
    }
}
