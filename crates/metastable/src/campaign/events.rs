//! Event files beside a study, kept up to the logs of its runs while they train: what TensorBoard shows.
//!
//! They follow the logs from outside: no run knows of them, and where they cannot be written no run suffers.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use super::queue::{Place, Queue};
use super::work::Campaign;
use crate::run::RunFolder;
use crate::store::attempt;
use crate::tensorboard;

/// Pause between two looks at the logs of the runs at work: TensorBoard's own is longer.
const PACE: Duration = Duration::from_secs(2);

/// The event files of one study, for the threads of one process.
#[derive(Debug)]
pub(crate) struct Events {
    folder: PathBuf,
    /// Why they cannot be written, once that was said. One thread at a time looks at a log and appends what is new.
    complaint: Mutex<Option<String>>,
}

impl Events {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            complaint: Mutex::default(),
        }
    }

    /// Writes the events of a run by `write`; hands back a complaint that is new.
    fn write(
        &self,
        label: &str,
        log: &Path,
        write: fn(&Path, &Path) -> Result<()>,
    ) -> Option<String> {
        let mut complaint = self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let error = write(&tensorboard::path(&self.folder, label), log).err()?;
        let is_new = complaint.is_none();
        let text = complaint.insert(format!("{error:#}"));
        is_new.then(|| text.clone())
    }
}

impl Campaign<'_> {
    /// Follows the logs of this process's runs until it is told to stop.
    pub(super) fn follow_logs(&self, queue: &Queue, stop: &Receiver<()>) {
        while stop.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
            for (run, place) in self.runs.iter().zip(queue.places()) {
                if place == Place::InHand {
                    let folder = attempt::own_folder(self.store, &run.identity);
                    let log = RunFolder::new(folder).log();
                    self.write_events(&run.label, &log, tensorboard::follow);
                }
            }
        }
    }

    /// The events of a finished run are whole.
    pub(super) fn finish_events(&self, label: &str, folder: PathBuf) {
        let log = RunFolder::new(folder).log();
        self.write_events(label, &log, tensorboard::finish);
    }

    fn write_events(&self, label: &str, log: &Path, write: fn(&Path, &Path) -> Result<()>) {
        if let Some(complaint) = self.events.write(label, log, write) {
            self.progress.say(&format!(
                "the event files for TensorBoard are not whole: {complaint}; the study goes on, and `export --format tensorboard` makes them again"
            ));
        }
    }
}
