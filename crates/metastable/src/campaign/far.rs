//! How far each run is, from its files alone.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::folder::{Entry, Index, StudyFolder, read_record};
use super::work::Failure;
use crate::progress::clock;
use crate::run::{RunFolder, log};
use crate::store::host::Owner;
use crate::store::{self, Stored, claim};
use crate::words::told;

/// How far one run is.
pub(crate) enum Far {
    Finished {
        diverged: bool,
        seconds: f64,
    },
    Failed(String),
    Damaged(String),
    /// It was finished, as its link says, and is no longer in the store.
    Vanished,
    /// Somebody has it.
    Running {
        who: String,
        step: Option<usize>,
        /// Seconds since the last sign of life.
        silent: f64,
    },
    /// Nobody has it; it may have made steps.
    Waiting {
        step: Option<usize>,
    },
}

impl Far {
    /// Whether nothing is left to do.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::Failed(_))
    }

    /// Whether somebody should hear of it.
    pub(crate) fn is_wrong(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Damaged(_) | Self::Vanished => true,
            Self::Finished { .. } | Self::Running { .. } | Self::Waiting { .. } => false,
        }
    }

    /// Outer steps that an unfinished run has made, by its log.
    pub(crate) fn step(&self) -> Option<usize> {
        match self {
            Self::Running { step, .. } | Self::Waiting { step } => *step,
            _ => None,
        }
    }
}

/// How far the run of that entry is; reads all of its files if it is finished.
pub(crate) fn far(folder: &StudyFolder, index: &Index, store: &Path, entry: &Entry) -> Far {
    let (path, stored) = folder.run(index, entry);
    match stored {
        Stored::Damaged(error) => return Far::Damaged(format!("{error:#}")),
        Stored::Whole => {
            let record = match read_record(&RunFolder::new(path)) {
                Ok(record) => record,
                Err(error) => return Far::Damaged(told(&error)),
            };
            let diverged = record.has_diverged();
            return match record.result {
                Some(result) => Far::Finished {
                    diverged,
                    seconds: result.train_seconds + result.test.map_or(0.0, |test| test.seconds),
                },
                None => Far::Damaged(String::from("its record has no result")),
            };
        }
        Stored::Absent => {}
    }
    let work = store::work(store, &entry.identity);
    let step = step(&work);
    if let Some(claim) = claim::living(&work, &Owner::here()) {
        let age = |time: SystemTime| SystemTime::now().duration_since(time).ok();
        let silent = claim::last_beat(&work).and_then(age);
        return Far::Running {
            who: format!("process {} on {}", claim.owner.pid, claim.owner.host),
            step,
            silent: silent.map_or(f64::NAN, |age| age.as_secs_f64()),
        };
    }
    match Failure::read(&store::failure(store, &entry.identity)) {
        Some(failure) => Far::Failed(failure.why),
        None if folder.is_linked(index, entry) => Far::Vanished,
        None => Far::Waiting { step },
    }
}

/// Outer steps of the attempt that got furthest, by its log.
fn step(work: &Path) -> Option<usize> {
    let attempts = fs::read_dir(work).ok()?.flatten();
    attempts
        .filter_map(|attempt| {
            let text = fs::read_to_string(RunFolder::new(attempt.path()).log()).ok()?;
            // The last line may be half-written.
            let lines = text.lines().rev();
            lines
                .filter_map(|line| serde_json::from_str::<log::LogLine>(line).ok())
                .map(|line| line.step)
                .next()
        })
        .max()
}

/// What is said of one run; finished and waiting ones are said of only if all are asked for.
pub(crate) fn line(far: &Far, all: bool) -> Option<String> {
    let at = |step: &Option<usize>| step.map_or(String::new(), |step| format!(" at step {step}"));
    match far {
        Far::Finished { diverged: true, .. } => Some(String::from("diverged")),
        Far::Finished { seconds, .. } => all.then(|| format!("finished in {}", clock(*seconds))),
        Far::Failed(why) => Some(format!("failed: {why}")),
        Far::Damaged(why) => Some(format!("damaged, will be run again: {why}")),
        Far::Vanished => Some(String::from(
            "was finished and is no longer in the store, will be run again",
        )),
        Far::Running { who, step, silent } => Some(format!(
            "{who} has it{}, last sign of life {} ago",
            at(step),
            clock(*silent)
        )),
        Far::Waiting { step: Some(step) } => Some(format!("waits at step {step}")),
        Far::Waiting { step: None } => all.then(|| String::from("waits")),
    }
}
