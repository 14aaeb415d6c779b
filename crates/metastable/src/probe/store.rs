//! Files of answers: `probes/LABEL/FAMILY.json` in the folder of a study.
//!
//! They are beside the runs and not among their files: a stored run is whole and closed, and its answers may be asked for
//! again, by a later version, with other sizes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use metastable_analysis::Probe;
use serde::{Deserialize, Serialize};

use super::family::Family;
use crate::files::{make_folder, read_text, sha256, write_whole};
use crate::sealed::{is_whole, seal};

/// Raised when the meaning of the file changes.
const FORMAT: u32 = 4;

/// What tells whether the rest of a file can be read.
#[derive(Deserialize)]
struct Stamp {
    format: u32,
}

/// What was asked of whom: equal ones have equal answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) family: Family,
    /// SHA-256 of the checkpoint that was asked.
    pub(super) checkpoint: String,
    /// Outer steps of its weights.
    pub(super) step: usize,
    /// Tasks of each question.
    pub(super) n_tasks: usize,
    /// What else the answers rest on: the digest of each other data set, the checkpoint of each run that this one is held
    /// against.
    pub(super) with: BTreeMap<String, String>,
}

/// The answers of one run to one family of questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answers {
    pub(super) format: u32,
    #[serde(flatten)]
    pub(super) about: About,
    pub(super) version: String,
    pub(super) probe: Probe,
}

impl Answers {
    pub(super) fn new(about: About, probe: Probe) -> Self {
        Self {
            format: FORMAT,
            about,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            probe,
        }
    }

    pub(super) fn write(&self, out: &Path, label: &str) -> Result<()> {
        let path = path(out, label, self.about.family);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let mut json = serde_json::to_string(self)?;
        json.push('\n');
        write_whole(&path, seal(&json)?.as_bytes())
    }

    /// Reads answers; absent if there are none. A whole file under the name of another family is named.
    pub(super) fn read(out: &Path, label: &str, family: Family) -> Result<Option<Self>> {
        let path = path(out, label, family);
        if !path.exists() {
            return Ok(None);
        }
        let answers = Self::parse(&read_text(&path)?, &path)?;
        ensure!(
            answers.about.family == family,
            "{} has the {} answers in place of the {} ones; `probe` writes it again",
            path.display(),
            answers.about.family.name(),
            family.name()
        );
        Ok(Some(answers))
    }

    /// Reads the text of a file of answers.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let damaged = || format!("{} is damaged; `probe` writes it again", path.display());
        let stamp: Stamp = serde_json::from_str(text).with_context(damaged)?;
        if stamp.format != FORMAT {
            bail!(
                "{} has format {}, and this program reads format {FORMAT}; `probe` writes it again",
                path.display(),
                stamp.format
            );
        }
        ensure!(is_whole(text), damaged());
        serde_json::from_str(text).with_context(damaged)
    }
}

/// Seals a text, and reads it as answers.
pub(crate) fn parse_unsealed(object: &str) -> Result<()> {
    Answers::parse(&seal(object)?, Path::new("answers.json")).map(drop)
}

pub(super) fn path(out: &Path, label: &str, family: Family) -> PathBuf {
    let name = format!("{}.json", family.name());
    folder(out).join(label).join(name)
}

/// Folder of all answers of a study.
pub(crate) fn folder(out: &Path) -> PathBuf {
    out.join("probes")
}

/// Folder of the claims on a question; there only while somebody is at it.
pub(super) fn claims(out: &Path, label: &str, family: Family) -> PathBuf {
    folder(out).join(label).join(family.name())
}

/// Files with answers of other weights than those of this checkpoint; what cannot be read, or is being asked again, is
/// none of them.
pub(crate) fn outdated(out: &Path, label: &str, checkpoint: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for family in Family::ALL {
        if let Ok(Some(answers)) = Answers::read(out, label, family)
            && answers.about.checkpoint != digest(checkpoint)?
            && !claims(out, label, family).exists()
        {
            paths.push(path(out, label, family));
        }
    }
    Ok(paths)
}

/// SHA-256 of a checkpoint file.
pub(super) fn digest(checkpoint: &Path) -> Result<String> {
    let bytes = std::fs::read(checkpoint)
        .with_context(|| format!("while reading {}", checkpoint.display()))?;
    Ok(sha256(&bytes))
}
