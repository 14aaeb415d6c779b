//! The folder of a study that has runs, for what is said of them.

use std::path::Path;

use anyhow::{Result, bail};

use crate::Ending;
use crate::campaign::folder::Index;
use crate::campaign::left_out::LeftOut;
use crate::campaign::{Finished, StudyFolder};

/// The folder of a study in which a run has ended.
pub(crate) struct Opened {
    pub(crate) folder: StudyFolder,
    pub(crate) index: Index,
    pub(crate) finished: Vec<Finished>,
    /// Failed, if runs had to be left out; they have been named.
    pub(crate) left_out: Ending,
}

impl Opened {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let folder = StudyFolder::new(dir);
        let index = folder.read()?;
        let mut left_out = LeftOut::default();
        let finished = folder.finished(&index, |entry, stored| left_out.note(&entry.label, stored));
        if finished.is_empty() {
            bail!("no run of {} has ended; run its study first", dir.display());
        }
        Ok(Self {
            folder,
            index,
            finished,
            left_out: left_out.ending(),
        })
    }
}
