//! What tasks have to do, and how far they are: the runs of a study, then the questions to its trained learners.

use std::path::PathBuf;

use anyhow::Result;

use super::need::Mark;
use crate::campaign::StudyFolder;
use crate::campaign::far::{Far, far, line};
use crate::campaign::folder::Index;
use crate::progress::Progress;
use crate::store;

/// Something that tasks work off.
pub(super) trait View {
    /// Looks again, and tells of what has changed.
    fn look(&mut self, progress: &Progress) -> Result<()>;

    /// How much of it is left.
    fn n_open(&self) -> usize;

    /// How far all of it is.
    fn mark(&self) -> Mark;

    /// How much of it a task does at a time that makes so many runs side by side.
    fn at_a_time(&self, jobs: usize) -> usize;
}

/// The runs of a study, as the store shows them; one that has ended is looked at once.
pub(super) struct Runs<'a> {
    folder: &'a StudyFolder,
    index: &'a Index,
    store: PathBuf,
    /// Of each run, as it was when last looked at.
    runs: Vec<Option<Far>>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(folder: &'a StudyFolder, index: &'a Index) -> Self {
        Self {
            folder,
            index,
            store: folder.store_of(index),
            runs: index.runs.iter().map(|_| None).collect(),
        }
    }

    /// Labels of the runs that failed, and why.
    pub(super) fn failed(&self) -> Vec<(String, String)> {
        let runs = self.index.runs.iter().zip(&self.runs);
        runs.filter_map(|(entry, run)| match run {
            Some(Far::Failed(why)) => Some((entry.label.clone(), why.clone())),
            _ => None,
        })
        .collect()
    }
}

impl View for Runs<'_> {
    fn look(&mut self, progress: &Progress) -> Result<()> {
        let is_first = self.runs.iter().all(Option::is_none);
        for (entry, known) in self.index.runs.iter().zip(&mut self.runs) {
            if known.as_ref().is_some_and(Far::has_ended) {
                continue;
            }
            let now = far(self.folder, self.index, &self.store, entry);
            if let Far::Damaged(why) = &now {
                progress.say(&format!("{}: {why}; it is run again", entry.label));
                store::set_aside(&self.store, &entry.identity)?;
            }
            if now.has_ended() {
                if matches!(now, Far::Finished { .. }) {
                    self.folder.put_link(self.index, entry)?;
                }
                if !is_first && let Some(text) = line(&now, true) {
                    progress.say(&format!("{}: {text}", entry.label));
                }
                match now {
                    Far::Failed(_) => progress.run_failed(),
                    _ => progress.run_ended(0),
                }
            }
            *known = Some(now);
        }
        Ok(())
    }

    fn n_open(&self) -> usize {
        let has_ended = |run: &&Option<Far>| !run.as_ref().is_some_and(Far::has_ended);
        self.runs.iter().filter(has_ended).count()
    }

    fn mark(&self) -> Mark {
        Mark {
            ended: self.runs.len() - self.n_open(),
            steps: self.runs.iter().flatten().filter_map(Far::step).sum(),
        }
    }

    fn at_a_time(&self, jobs: usize) -> usize {
        jobs
    }
}

/// Questions without an answer. A task asks one at a time, with all of its threads.
pub(super) struct Questions<'a> {
    count: &'a dyn Fn() -> usize,
    n_open: usize,
    /// How many there were at first.
    n_all: Option<usize>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(count: &'a dyn Fn() -> usize) -> Self {
        Self {
            count,
            n_open: 0,
            n_all: None,
        }
    }
}

impl View for Questions<'_> {
    fn look(&mut self, progress: &Progress) -> Result<()> {
        let before = self.n_all.map(|_| self.n_open);
        self.n_open = (self.count)();
        self.n_all.get_or_insert(self.n_open);
        if before != Some(self.n_open) {
            progress.say(&format!("{} questions are left", self.n_open));
        }
        Ok(())
    }

    fn n_open(&self) -> usize {
        self.n_open
    }

    fn mark(&self) -> Mark {
        Mark {
            ended: self.n_all.unwrap_or_default().saturating_sub(self.n_open),
            steps: 0,
        }
    }

    fn at_a_time(&self, _: usize) -> usize {
        1
    }
}
