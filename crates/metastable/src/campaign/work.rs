//! The work of one process on a study: its workers take runs, claim them, execute them, and note what became of them.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use metastable_analysis::Outcome;
use serde::{Deserialize, Serialize};

use super::events::Events;
use super::folder::{Entry, Index, StudyFolder};
use super::queue::{Next, Place, Queue};
use super::room::{Room, Seat};
use crate::files::{make_folder, process_token, read_text, remove_if_there, write_whole};
use crate::plan::Planned;
use crate::progress::{Progress, clock};
use crate::run::{Ended, Record, Run, RunFolder, Workshop};
use crate::schedule::Shares;
use crate::sealed::{is_whole, seal};
use crate::signal::Stop;
use crate::store::{Store, Stored, claim};
use crate::study::RunSettings;
use crate::words::told;

/// Everything that the workers of a process share.
pub(crate) struct Campaign<'a> {
    pub(crate) folder: &'a StudyFolder,
    pub(crate) index: &'a Index,
    pub(crate) runs: &'a [Planned],
    pub(crate) store: &'a Store,
    pub(crate) settings: &'a RunSettings,
    pub(crate) stop: &'a Stop,
    pub(crate) progress: &'a Progress,
    /// Number of this process among the tasks of a launcher. Such a process begins where its neighbours do not, tries nothing
    /// again that failed, and ends when every run that is left is in the hands of one that lives.
    pub(crate) task: Option<usize>,
    /// For TensorBoard.
    pub(crate) events: Events,
}

/// What `failed.json` says of a run that could not be finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) label: String,
    pub(crate) why: String,
    /// The process whose attempt it was.
    pub(crate) process: String,
}

impl Failure {
    /// What an earlier attempt at the run noted; absent if it noted nothing. A note that is not what was written says so.
    pub(crate) fn read(path: &std::path::Path) -> Option<Self> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            read => read.unwrap_or_default(),
        };
        let text = String::from_utf8(bytes).ok().filter(|text| is_whole(text));
        let note = text.and_then(|text| serde_json::from_str(&text).ok());
        Some(note.unwrap_or_else(|| Self {
            label: String::new(),
            why: format!(
                "its note {} is damaged; the command that runs the study tries the run again",
                path.display()
            ),
            process: String::new(),
        }))
    }
}

impl Campaign<'_> {
    /// Works until nothing is left, the user stops, or the system fails; says what became of each run.
    pub(crate) fn work(&self, shares: Shares) -> Result<Vec<Place>> {
        let pause = Duration::from_secs_f64(self.settings.lease_seconds as f64 / 6.0);
        let queue = Queue::new(self.runs.len(), pause.min(Duration::from_secs(1)));
        let earlier: Vec<Option<Failure>> = self
            .runs
            .iter()
            .map(|run| match self.task {
                None => Failure::read(&self.store.failure(&run.identity)),
                Some(_) => None,
            })
            .collect();
        self.progress.expect(
            self.runs
                .iter()
                .map(|run| run.config.training.outer_steps)
                .sum(),
        );
        match self.task {
            None => self.look_around(&queue)?,
            Some(task) => self.find_a_place(&queue, task * shares.jobs),
        }
        thread::scope(|scope| {
            // Dropped when the work ends, however it ends.
            let (_at_work, ended) = channel::<()>();
            let queue = &queue;
            scope.spawn(move || self.follow_logs(queue, &ended));
            self.work_off(queue, &earlier, shares)
        })?;
        Ok(queue.places())
    }

    /// The workers take turns at the list until nothing is left for them.
    fn work_off(&self, queue: &Queue, earlier: &[Option<Failure>], shares: Shares) -> Result<()> {
        let is_told = AtomicBool::new(false);
        let room = Room::default();
        shares.work(|| {
            while let Some(seat) = room.enter(|| self.stop.asked()) {
                match queue.next() {
                    Next::Nothing => return Ok(()),
                    Next::Wait if self.task.is_some() && self.others_live(queue) => return Ok(()),
                    Next::Wait => {
                        if !is_told.swap(true, Ordering::Relaxed) {
                            self.tell_who_has_the_rest(queue);
                        }
                        drop(seat);
                        queue.wait();
                    }
                    Next::Try(index) => {
                        let taken = self.take(index, earlier[index].as_ref(), &seat);
                        let place = taken.inspect_err(|_| {
                            // Nothing that this process could write would be safe: its other workers stop too.
                            self.stop.ask();
                        })?;
                        match place {
                            None => queue.put_elsewhere(index),
                            Some(place) => queue.put(index, place),
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// Notes what is in the store already, so that the display starts with it.
    fn look_around(&self, queue: &Queue) -> Result<()> {
        for (index, run) in self.runs.iter().enumerate() {
            match self.store.stored(&run.identity) {
                Stored::Absent => {}
                Stored::Damaged(error) => self
                    .progress
                    .say(&format!("{}: {error:#}; it is run again", run.label)),
                Stored::Whole => {
                    // What a crash left between the end of the run and the end of its working folder.
                    if self.store.work(&run.identity).exists()
                        && let Some(attempt) = self.store.claim(&run.identity)?
                    {
                        attempt.clear();
                    }
                    self.folder.put_link(self.index, self.entry(index))?;
                    self.finish_events(&run.label, self.store.folder(&run.identity));
                    self.progress.run_ended(run.config.training.outer_steps);
                    queue.put(index, Place::Finished);
                }
            }
        }
        let n_finished = queue.count(|place| *place == Place::Finished);
        if n_finished > 0 {
            self.progress.note(&format!(
                "{n_finished} of {} runs are in the store {}",
                self.runs.len(),
                self.store.root().display()
            ));
        }
        Ok(())
    }

    /// Notes what is in the store, without reading it again, and begins among the rest at the `first`.
    fn find_a_place(&self, queue: &Queue, first: usize) {
        for (index, run) in self.runs.iter().enumerate() {
            if self.store.is_finished(&run.identity) {
                self.progress.run_ended(run.config.training.outer_steps);
                queue.put(index, Place::Finished);
            }
        }
        queue.begin_at(first);
    }

    /// Whether every run that others have is in the hands of a process that was seen to live.
    fn others_live(&self, queue: &Queue) -> bool {
        self.runs.iter().zip(queue.places()).all(|(run, place)| {
            !matches!(place, Place::Elsewhere(_)) || self.store.sees_life(&run.identity)
        })
    }

    fn tell_who_has_the_rest(&self, queue: &Queue) {
        for (run, place) in self.runs.iter().zip(queue.places()) {
            if let Place::Elsewhere(_) = place
                && let Some(claim) = claim::holder(&self.store.work(&run.identity))
            {
                self.progress.say(&format!(
                    "{}: process {} on {} has it; taken over {} s after its last sign of life",
                    run.label, claim.owner.pid, claim.owner.host, claim.lease_seconds
                ));
            }
        }
    }

    fn entry(&self, index: usize) -> &Entry {
        &self.index.runs[index]
    }

    /// Does one run, if it is to be had; nothing if another process has it. An error is one of the system.
    fn take(
        &self,
        index: usize,
        earlier: Option<&Failure>,
        seat: &Seat<'_>,
    ) -> Result<Option<Place>> {
        let run = &self.runs[index];
        let Some(attempt) = self.store.claim(&run.identity)? else {
            return Ok(None);
        };
        // Only now nobody else writes: another process may have finished it, or failed, since it was last looked at.
        if matches!(self.store.stored(&run.identity), Stored::Whole) {
            attempt.clear();
            let record = Record::read(&self.record(run))?;
            self.progress.pass(run.config.training.outer_steps);
            return self.finished(index, &record).map(Some);
        }
        let note = self.store.failure(&run.identity);
        let noted = Failure::read(&note);
        if let Some(failure) = noted
            && Some(&failure) != earlier
        {
            return Ok(Some(Place::Failed(failure.why)));
        }
        remove_if_there(&note)?;
        let shop = Workshop {
            material: &run.material,
            settings: self.settings,
            stop: self.stop,
            progress: self.progress,
            seat,
        };
        let work = || Run::new(&run.label, &run.config)?.execute(&shop, attempt);
        let ended = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(anyhow!("a bug of this program: {}", words(&*panic))));
        match ended {
            Ok(Ended::Finished(record)) => self.finished(index, &record).map(Some),
            Ok(Ended::Interrupted) => Ok(Some(Place::Open)),
            Ok(Ended::TakenOver) => Ok(None),
            Err(error) if is_of_the_system(&error) => {
                Err(error).with_context(|| format!("in run {}", run.label))
            }
            Err(error) => self.failed(run, &told(&error)).map(Some),
        }
    }

    fn record(&self, run: &Planned) -> std::path::PathBuf {
        RunFolder::new(self.store.folder(&run.identity)).record()
    }

    fn finished(&self, index: usize, record: &Record) -> Result<Place> {
        let run = &self.runs[index];
        self.folder.put_link(self.index, self.entry(index))?;
        self.finish_events(&run.label, self.store.folder(&run.identity));
        self.progress.note(&summary(&run.label, record));
        self.progress.run_ended(0);
        Ok(Place::Finished)
    }

    fn failed(&self, run: &Planned, why: &str) -> Result<Place> {
        let failure = Failure {
            label: run.label.clone(),
            why: why.to_owned(),
            process: process_token().to_owned(),
        };
        let path = self.store.failure(&run.identity);
        make_folder(&self.store.work(&run.identity))?;
        write_whole(&path, seal(&serde_json::to_string(&failure)?)?.as_bytes())?;
        self.progress.say(&format!("{}: failed: {why}", run.label));
        self.progress.run_failed();
        Ok(Place::Failed(why.to_owned()))
    }

    /// Whether the study's file is still the one that this process works for.
    pub(crate) fn is_current(&self, text: &str) -> bool {
        read_text(&self.folder.study()).is_ok_and(|there| there == text)
    }
}

/// A full disk or a lost file system concerns every run; anything else is the run's own.
pub(crate) fn is_of_the_system(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<std::io::Error>())
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

/// One line on a finished run.
fn summary(label: &str, record: &Record) -> String {
    let Some(result) = &record.result else {
        return format!("{label}: no result");
    };
    let time = clock(result.train_seconds);
    match (&result.outcome, &result.test) {
        (Outcome::Diverged { step, cause }, _) => {
            format!("{label}: diverged at step {step} ({cause}) after {time}")
        }
        (Outcome::Completed, Some(test)) if test.mean_squared_error.is_some() => format!(
            "{label}: mean squared error of the test {:.4}, trained in {time}",
            test.mean_squared_error.unwrap_or(f64::NAN)
        ),
        (Outcome::Completed, Some(test)) if !test.returns_after.is_empty() => {
            let returns = test.returns_after.iter().map(|it| format!("{it:.2}"));
            let returns: Vec<String> = returns.collect();
            format!(
                "{label}: mean return of the test after 0, 1, ... inner steps {}, trained in {time}",
                returns.join(", ")
            )
        }
        (Outcome::Completed, Some(test)) if test.accuracy.is_nan() => {
            format!("{label}: the test blew up, trained in {time}")
        }
        (Outcome::Completed, Some(test)) => format!(
            "{label}: test accuracy {:.2} %, trained in {time}",
            100.0 * test.accuracy
        ),
        (Outcome::Completed, None) => format!("{label}: trained in {time}"),
    }
}
