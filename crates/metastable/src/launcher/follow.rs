//! Follows a study that tasks work on elsewhere: looks at the queue and at the store, submits what is missing, and ends when
//! nothing is left. It may be ended at any time and begun again anywhere, since all that it knows is in files and in the queue.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::need::{Need, Next};
use super::queue::{Task, is_cancelled, n_alive, summary};
use super::record::{Folder, Launch};
use super::seat::Seat;
use super::slurm;
use super::view::View;
use crate::progress::Progress;
use crate::signal::Stop;

/// Between two looks: short at first, when mistakes show, then easy on the controller.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What a follower has around it.
pub(super) struct Follower<'a> {
    pub(super) folder: &'a Folder,
    pub(super) launch: &'a Launch,
    pub(super) stop: &'a Stop,
    pub(super) progress: &'a Progress,
}

/// Why the following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing is left to do.
    Done,
    /// The user went away; so many tasks go on.
    Left(usize),
    /// Somebody cancelled all tasks.
    Cancelled,
}

impl Follower<'_> {
    /// Follows until there is nothing to wait for.
    pub(super) fn follow(&self, view: &mut dyn View, seat: &mut Seat) -> Result<Ended> {
        let begun = Instant::now();
        let name = &self.launch.job_name;
        let mut need = Need::default();
        let mut pause = FIRST_PAUSE;
        let mut before: Option<Vec<Task>> = None;
        let mut said = String::new();
        loop {
            // The queue first: what has left it by now is in the store when that is looked at.
            let tasks = slurm::tasks(name);
            view.look(self.progress)?;
            if view.n_open() == 0 {
                return Ok(Ended::Done);
            }
            if self.stop.asked() {
                let alive = tasks.map(|tasks| n_alive(&tasks));
                return Ok(Ended::Left(alive.unwrap_or_default()));
            }
            let tasks = match tasks {
                Ok(tasks) => tasks,
                Err(error) if before.is_none() => return Err(error),
                Err(error) => {
                    self.say_new(&mut said, format!("{error:#}; looking again"));
                    self.wait(pause);
                    continue;
                }
            };
            let last = before.replace(tasks).unwrap_or_default();
            let tasks = before.as_deref().unwrap_or_default();
            self.say_new(&mut said, summary(tasks));
            if is_cancelled(&last, tasks) {
                return Ok(Ended::Cancelled);
            }
            let has_seat = seat.take()?;
            let (mark, now) = (view.mark(), begun.elapsed());
            let at_a_time = view.at_a_time(self.launch.jobs);
            match need.next(view.n_open(), at_a_time, n_alive(tasks), mark, now) {
                Next::Submit(n_tasks) if has_seat => match self.submit(n_tasks) {
                    Ok(job) => {
                        self.progress
                            .note(&format!("submitted {n_tasks} tasks as job {job}"));
                        need.submitted(mark, now);
                        pause = FIRST_PAUSE;
                    }
                    // A controller that took the first array is only busy.
                    Err(error) if need.has_begun() => {
                        self.say_new(&mut said, format!("{error:#}; trying again"));
                    }
                    Err(error) => return Err(error),
                },
                Next::GiveUp if has_seat => bail!(
                    "the last arrays ended without a step{}; their logs are in {}",
                    last_words(self.folder.path()),
                    self.folder.path().display()
                ),
                _ => {}
            }
            self.wait(pause);
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    fn submit(&self, n_tasks: usize) -> Result<u64> {
        slurm::submit(&self.folder.script(), n_tasks, self.launch.array_limit)
            .with_context(|| format!("while submitting {}", self.folder.script().display()))
    }

    /// Says it unless it was the last that was said.
    fn say_new(&self, said: &mut String, text: String) {
        if *said != text {
            self.progress.say(&text);
            *said = text;
        }
    }

    fn wait(&self, pause: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < pause && !self.stop.asked() {
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// How the newest log ends.
fn last_words(folder: &Path) -> String {
    let words = || -> Option<String> {
        let entries = fs::read_dir(folder).ok()?.flatten();
        let logs = entries.filter(|it| it.path().extension().is_some_and(|end| end == "log"));
        let newest = logs.max_by_key(|it| it.metadata().and_then(|data| data.modified()).ok())?;
        let text = fs::read_to_string(newest.path()).ok()?;
        text.lines()
            .rfind(|line| !line.trim().is_empty())
            .map(str::to_owned)
    };
    words().map_or(String::new(), |words| {
        format!(" (the newest log ends: {words})")
    })
}
