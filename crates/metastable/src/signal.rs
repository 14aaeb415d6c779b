//! Ctrl-C: the first asks every run to stop after its present step, the second ends the process at once. A batch system says
//! the same with SIGTERM, perhaps several times, before it kills.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Set when the user, or an error of the system, asked to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether to stop after the present step.
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks to stop as the user would.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Listens to Ctrl-C (and SIGTERM, SIGHUP where they exist).
    pub(crate) fn listen() -> Result<Self> {
        Self::handle(|is_first| {
            if !is_first {
                // The state on disk is whole at any time, so nothing has to be waited for.
                std::process::exit(130);
            }
            eprintln!("stopping after the present step; Ctrl-C again ends at once");
        })
    }

    /// Listens to the same in a task of a batch system, which may send a signal to a process, to its group and to its job:
    /// that is no impatience, and a task that has to end at once is killed.
    pub(crate) fn listen_as_a_task() -> Result<Self> {
        Self::handle(|is_first| {
            if is_first {
                eprintln!("told to end: stopping after the present step");
            }
        })
    }

    fn handle(react: impl Fn(bool) + Send + 'static) -> Result<Self> {
        let stop = Self::default();
        let flag = Arc::clone(&stop.0);
        ctrlc::set_handler(move || react(!flag.swap(true, Ordering::Relaxed)))
            .context("while installing the Ctrl-C handler")?;
        Ok(stop)
    }
}
