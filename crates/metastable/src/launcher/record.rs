//! `slurm/launch.json` in the folder of a study: how its tasks are submitted, so that another login node can go on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::files::{sha256, write_whole};
use crate::run::numerics::Numerics;
use crate::sealed::{Sealed, fault};

/// The part of a study's folder that belongs to Slurm.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// In the folder of the study.
    pub(super) fn of(out: &Path) -> Self {
        Self(out.join("slurm"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn script(&self) -> PathBuf {
        self.0.join("workers.sbatch")
    }

    /// The program as it was when the study was launched: tasks may wait for days, and a build in the meantime would make
    /// other runs.
    pub(super) fn program(&self) -> PathBuf {
        self.0.join("metastable")
    }

    /// Claims on the right to submit.
    pub(super) fn followers(&self) -> PathBuf {
        self.0.join("followers")
    }

    fn record(&self) -> PathBuf {
        self.0.join("launch.json")
    }
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Launch {
    /// By which Slurm's queue knows the tasks.
    pub(super) job_name: String,
    /// Most tasks at the same time.
    pub(super) array_limit: Option<usize>,
    /// Runs side by side in a task.
    pub(super) jobs: usize,
    /// Folder of the data sets.
    pub(super) data_dir: PathBuf,
    /// What the identities of the study's runs stand on.
    pub(super) numerics: Numerics,
}

impl Launch {
    pub(super) fn write(&self, folder: &Folder) -> Result<()> {
        write_whole(&folder.record(), &Sealed::new(self.clone())?.to_bytes()?)
    }

    /// Reads it; absent if the study was not launched.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>> {
        let path = folder.record();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).with_context(|| format!("while reading {}", path.display()))?;
        Sealed::open(&bytes).map(Some).with_context(|| {
            format!(
                "{} {}; the command with --launcher slurm, in place of --resume, writes it again",
                path.display(),
                fault(&bytes)
            )
        })
    }
}

/// A name for the tasks of the study in this folder, and of no other.
pub(super) fn job_name(study: &str, out: &Path) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let study: String = study.chars().map(plain).collect();
    let place = sha256(out.as_os_str().as_encoded_bytes());
    format!("metastable-{study}-{}", &place[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_is_read_back_and_damage_is_named() {
        let out = tempfile::tempdir().unwrap();
        let folder = Folder::of(out.path());
        assert_eq!(Launch::read(&folder).unwrap(), None);
        fs::create_dir(folder.path()).unwrap();
        let launch = Launch {
            job_name: job_name("my study", out.path()),
            array_limit: Some(4),
            jobs: 2,
            data_dir: PathBuf::from("/data"),
            numerics: Numerics::here(),
        };
        launch.write(&folder).unwrap();
        assert_eq!(Launch::read(&folder).unwrap(), Some(launch));
        let path = folder.record();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"jobs\": 2", "\"jobs\": 3")).unwrap();
        let message = format!("{:#}", Launch::read(&folder).unwrap_err());
        assert!(message.contains("launch.json is damaged"), "{message}");
    }

    #[test]
    fn every_folder_has_a_name_of_its_own_that_squeue_takes() {
        let name = |study: &str, out: &str| job_name(study, Path::new(out));
        assert_ne!(name("quick", "/a"), name("quick", "/b"));
        assert_eq!(name("quick", "/a"), name("quick", "/a"));
        let strange = name("a,b c%", "/a");
        assert!(strange.starts_with("metastable-a_b_c_-"), "{strange}");
    }
}
