//! Ctrl-C: the first asks every run to stop after its present step, the second ends the process at once. A batch system says
//! the same with SIGTERM, perhaps several times, before it kills.
//!
//! Nothing but a step, and the writing of the state after it, is worth waiting for: files are whole or absent at any time. So
//! a process that is in no step a second after the first Ctrl-C ends by itself, wherever it is: in a test of a million episodes,
//! in a question to a learner, in a report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::shell::command_line;

/// How long a process that was asked to stop may go on without a step.
const GRACE: Duration = Duration::from_millis(700);

/// Pause between two looks at whether it is in one.
const PAUSE: Duration = Duration::from_millis(20);

/// What Ctrl-C interrupts, for the words that it is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Runs, which go on from their last states.
    Runs,
    /// Questions to the runs of a study, each of which is answered on the disk or not at all.
    Questions,
    /// Questions to one checkpoint, whose answers are printed at the end.
    Checkpoint,
}

impl Work {
    /// Said when the user asks to stop.
    fn stopping(self) -> &'static str {
        match self {
            Self::Runs => "stopping after the present step; Ctrl-C again ends at once",
            Self::Questions | Self::Checkpoint => "stopping; Ctrl-C again ends at once",
        }
    }

    /// Said at the end.
    pub(crate) fn farewell(self) -> String {
        let stopped = match self {
            Self::Runs => "stopped; the same command goes on where it stopped:",
            Self::Questions => {
                "stopped; the answers that are written stay, and the same command asks what is left:"
            }
            Self::Checkpoint => {
                "stopped; no answer was kept, and the same command asks from the start:"
            }
        };
        format!("{stopped}\n  {}", command_line())
    }
}

/// Set when the user, or an error of the system, asked to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_asked: AtomicBool,
    /// What is under way that is worth waiting for.
    n_steps: AtomicUsize,
}

/// Something that is worth waiting for, until it is dropped.
#[derive(Debug)]
pub(crate) struct Step<'s>(&'s State);

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.n_steps.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Stop {
    /// Whether to stop after the present step.
    pub(crate) fn asked(&self) -> bool {
        self.0.is_asked.load(Ordering::SeqCst)
    }

    /// Asks to stop as the user would.
    pub(crate) fn ask(&self) {
        self.0.is_asked.store(true, Ordering::SeqCst);
    }

    /// Begins something that is worth waiting for.
    pub(crate) fn step(&self) -> Step<'_> {
        self.0.n_steps.fetch_add(1, Ordering::SeqCst);
        Step(&self.0)
    }

    /// Listens to Ctrl-C (and SIGTERM, SIGHUP where they exist) during runs.
    pub(crate) fn listen() -> Result<Self> {
        Self::listen_during(Work::Runs)
    }

    /// The same during other work.
    pub(crate) fn listen_during(work: Work) -> Result<Self> {
        Self::handle(work, move |is_first| {
            if !is_first {
                // The state on disk is whole at any time, so nothing has to be waited for.
                end();
            }
            eprintln!("{}", work.stopping());
        })
    }

    /// Listens to the same in a task of a batch system, which may send a signal to a process, to its group and to its job:
    /// that is no impatience, and a task that has to end at once is killed.
    pub(crate) fn listen_as_a_task() -> Result<Self> {
        Self::handle(Work::Runs, |is_first| {
            if is_first {
                eprintln!("told to end: stopping after the present step");
            }
        })
    }

    fn handle(work: Work, react: impl Fn(bool) + Send + 'static) -> Result<Self> {
        let stop = Self::default();
        let state = Arc::clone(&stop.0);
        ctrlc::set_handler(move || {
            let is_first = !state.is_asked.swap(true, Ordering::SeqCst);
            react(is_first);
            if is_first {
                let state = Arc::clone(&state);
                thread::spawn(move || end_between_steps(&state, work));
            }
        })
        .context("while installing the Ctrl-C handler")?;
        Ok(stop)
    }
}

/// Ends the process once it has been in no step for the grace; usually it ends by itself before.
fn end_between_steps(state: &State, work: Work) {
    let mut since = Instant::now();
    while since.elapsed() < GRACE {
        thread::sleep(PAUSE);
        if state.n_steps.load(Ordering::SeqCst) > 0 {
            since = Instant::now();
        }
    }
    eprintln!("{}", work.farewell());
    end();
}

/// Ends the process, as one that Ctrl-C ended.
fn end() -> ! {
    // Guests are processes of their own, with scratch folders that nobody else would remove.
    metastable_guests::kill_all();
    std::process::exit(130);
}
