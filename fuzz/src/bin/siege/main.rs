//! `siege PROGRAM CAMPAIGN [N] [SEED]`: what a machine, a disk and a user do to the built program, many times, with counts.
//!
//! - `kills N`: SIGKILL at random moments of every command, until N have hit; the end is compared bit for bit.
//! - `damage`: every stored file of a finished study is flipped, cut, emptied, exchanged, removed.
//! - `interrupts N`: Ctrl-C at random moments of every command; the answer is timed.
//! - `disks`: every command on full and on read-only disks (Linux, where a user may mount in a namespace of their own).
//!
//! Counts so far, and what has not been run to its end: docs/siege.md. A fault leaves its folder, and ends the program with exit code 1.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks")]

mod bench;
mod damage;
mod disks;
mod interrupts;
mod kills;
mod server;
mod tally;

use std::path::Path;
use std::process::ExitCode;

use bench::{Bench, Result};

const USAGE: &str = "siege PROGRAM kills|damage|interrupts|disks [N] [SEED]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match siege(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(n_faults) => {
            println!("{n_faults} faults");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a campaign; returns the number of faults.
fn siege(arguments: &[String]) -> Result<usize> {
    let [program, campaign, rest @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let number = |at: usize, default: u64| match rest.get(at) {
        Some(text) => text.parse().map_err(|_| format!("{text}: {USAGE}")),
        None => Ok(default),
    };
    let (n, seed) = (number(0, 500)?, number(1, 0)?);
    let bench = Bench::new(Path::new(program))?;
    let tally = match campaign.as_str() {
        "kills" => kills::run(&bench, n, seed)?,
        "damage" => damage::run(&bench)?,
        "interrupts" => interrupts::run(&bench, n, seed)?,
        "disks" => disks::run(&bench)?,
        other => return Err(format!("no campaign {other:?}; {USAGE}").into()),
    };
    print!("{tally}");
    if tally.n_faults() == 0 {
        bench.remove()?;
    } else {
        println!("kept: {}", bench.folder().display());
    }
    Ok(tally.n_faults())
}
