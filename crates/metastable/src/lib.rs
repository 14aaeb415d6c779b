//! The laboratory as a program and as a library: studies, runs and their store, campaigns, clusters, reports.
//!
//! It wires data, models, algorithms and analysis, and knows flags, files and the terminal; it knows no mathematics.
//! A newcomer reads `flags`, then `experiment`, then `run`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks: results on stdout, everything else on stderr"
)]

mod analyze;
mod campaign;
mod clean;
mod command;
mod completions;
mod dataset;
mod evaluate;
mod experiment;
mod export;
mod fetch;
mod figures;
mod files;
mod flags;
mod launcher;
mod list;
mod plan;
mod preview;
mod probe;
mod progress;
mod report;
mod run;
mod schedule;
mod sealed;
mod shell;
mod signal;
mod signals;
mod store;
mod study;
mod tensorboard;
mod train;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use metastable_models::Backend;

pub use self::command::Command;
pub use self::shell::set_program;

/// How a command ended, if not by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Exit code 0. Runs that diverged are results, not failures.
    Done,
    /// Exit code 1: a check, or a run, failed.
    Failed,
    /// Exit code 130: the user stopped it, and it can go on.
    Interrupted,
}

/// The program: parses the command line of this process, and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    exit(|| run(&Command(flags::Flags::parse().command)))
}

/// Runs `program`, and turns what it returns into an exit code; an error is written to stderr.
pub fn exit(program: impl FnOnce() -> Result<Ending>) -> ExitCode {
    // Rust ignores the signal, and `println!` would panic when `head` has seen enough.
    sigpipe::reset();
    match program() {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::from(1),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs one command.
///
/// # Errors
/// What the user asked for cannot be done; the message says what can.
pub fn run(command: &Command) -> Result<Ending> {
    match &command.0 {
        flags::Command::Experiment(flags) => experiment::experiment(flags),
        flags::Command::Work(flags) => launcher::task::work(flags),
        flags::Command::Train(flags) => train::train(flags),
        flags::Command::Evaluate(flags) => evaluate::evaluate(flags),
        flags::Command::Probe(flags) => probe::command(flags),
        flags::Command::Certify(flags) => probe::certify(flags),
        flags::Command::Status(flags) => campaign::status::command(flags),
        flags::Command::Report(flags) => report::command(flags),
        flags::Command::Export(flags) => export::command(flags),
        flags::Command::Analyze(flags) => analyze::command(flags),
        flags::Command::Clean(flags) => clean::command(flags),
        flags::Command::List(flags) => list::list(flags),
        flags::Command::Fetch(flags) => fetch::fetch(flags),
        flags::Command::Completions(flags) => completions::completions(flags),
        flags::Command::Man => completions::man(),
    }
}

/// candle reads this once per thread, at its first backward pass.
const KEEP_GRAPH: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// Starts this very command again with candle's variable set, if the backend needs it and it is not.
///
/// `cargo xtask` sets it by `.cargo/config.toml`; this is for a program that is started directly. Setting it in this
/// process would be too late for threads that exist, and is not safe to do.
///
/// # Errors
/// This program cannot be started again.
pub fn reexec_for(backend: Backend) -> Result<()> {
    if backend != Backend::Graph || std::env::var_os(KEEP_GRAPH).is_some_and(|value| value == "1") {
        return Ok(());
    }
    let program = std::env::current_exe().context("while looking for this program")?;
    let mut again = std::process::Command::new(program);
    again.args(std::env::args_os().skip(1)).env(KEEP_GRAPH, "1");
    replace(&mut again)
}

#[cfg(unix)]
fn replace(command: &mut std::process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    // Returns only if it fails; signals go to the new program, which is the same process.
    let error = command.exec();
    bail!("while starting again with {KEEP_GRAPH}=1: {error}")
}

#[cfg(not(unix))]
fn replace(command: &mut std::process::Command) -> Result<()> {
    let status = command.status();
    match status {
        Ok(status) => std::process::exit(status.code().unwrap_or(2)),
        Err(error) => bail!("while starting again with {KEEP_GRAPH}=1: {error}"),
    }
}
