//! How a command ends, and the exit code that says so.

use std::panic;
use std::process::ExitCode;

use anyhow::Result;
use metastable_data::contained;

use crate::words;

/// How a command ended, if not by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Exit code 0. Runs that diverged are results, not failures.
    Done,
    /// Exit code 1: a check, or a run, failed.
    Failed,
    /// Exit code 3: the runs do not settle what was asked.
    Open,
    /// Exit code 130: the user stopped it, and it can go on.
    Interrupted,
}

impl Ending {
    /// This one if it is not [`Ending::Done`], else the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

/// Runs `program`, and turns what it returns into an exit code; an error is written to stderr.
pub fn exit(program: impl FnOnce() -> Result<Ending>) -> ExitCode {
    // Rust ignores the signal, and the program would go on when `head` has seen enough.
    sigpipe::reset();
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // One that becomes an error is told by that.
        if !contained::is_under_way() {
            usual(panic);
        }
    }));
    match program() {
        Ok(_) if words::are_lost() => {
            eprintln!("error: not everything could be written to stdout; is the disk full?");
            ExitCode::from(1)
        }
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::from(1),
        Ok(Ending::Open) => ExitCode::from(3),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {}", words::told(&error));
            ExitCode::from(2)
        }
    }
}
