//! The laboratory as a program and as a library: studies, runs and their store, campaigns, clusters, reports.
//!
//! It wires data, models, algorithms and analysis, and knows flags, files and the terminal; it knows no mathematics.
//! A newcomer reads `flags`, then `experiment`, then `run`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks: results on stdout, everything else on stderr"
)]

// First: its macros take the place of the standard ones below.
#[macro_use]
mod words;

mod advise;
mod analyze;
mod bearable;
mod bring;
mod budget;
mod campaign;
mod card;
mod clean;
mod command;
mod completions;
mod consent;
mod dataset;
mod emoji;
mod ending;
mod evaluate;
mod experiment;
mod export;
mod fetch;
mod figures;
mod files;
mod flags;
mod guest;
#[doc(hidden)]
pub mod inputs;
mod launcher;
mod list;
mod loudness;
mod mark;
mod measured;
mod opened;
#[cfg(test)]
mod pages;
mod places;
mod plan;
mod policy;
mod preview;
mod probe;
mod progress;
mod receipts;
mod registry;
mod repeat;
mod report;
mod reproduce;
mod restart;
mod run;
mod schedule;
mod sealed;
mod shell;
mod signal;
mod signals;
mod store;
mod study;
mod tensorboard;
mod titles;
mod train;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

pub use self::command::Command;
pub use self::ending::{Ending, exit};
pub use self::loudness::Loudness;
pub use self::registry::Registry;
pub use self::restart::reexec_for;
pub use self::shell::set_program;

/// The program: parses the command line of this process, and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    exit(parsed)
}

/// The same program with the learners, networks and data sources of `registry`: the `main` of another crate.
///
/// It refuses to start if two entries have one name.
#[must_use]
pub fn main_with(registry: Registry) -> ExitCode {
    exit(|| {
        registry::install(registry)?;
        parsed()
    })
}

/// Runs the command of this process's command line.
fn parsed() -> Result<Ending> {
    let flags = flags::Flags::parse();
    flags.loudness.install();
    run(&Command(flags.command))
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
        flags::Command::Reproduce(flags) => reproduce::command(flags),
        flags::Command::Card(flags) => card::command(flags),
        flags::Command::Advise(flags) => advise::command(flags),
        flags::Command::Export(flags) => export::command(flags),
        flags::Command::Analyze(flags) => analyze::command(flags),
        flags::Command::Clean(flags) => clean::command(flags),
        flags::Command::Guest(flags) => guest::guest(flags),
        flags::Command::List(flags) => list::list(flags),
        flags::Command::Fetch(flags) => fetch::fetch(flags),
        flags::Command::Completions(flags) => completions::completions(flags),
        flags::Command::Man => completions::man(),
    }
}

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
