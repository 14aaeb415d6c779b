//! What serves this repository: checks and benchmarks. Every other command is the laboratory's, run in this process.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks: results on stdout, everything else on stderr"
)]

mod bench;
mod check;
mod flags;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    metastable::set_program("cargo xtask");
    metastable::exit(|| {
        let flags = flags::Flags::parse();
        flags.loudness.install();
        match flags.command {
            flags::Command::Laboratory(command) => metastable::run(&command),
            flags::Command::Bench(flags) => bench::bench(&flags),
            flags::Command::Check => check::check(),
        }
    })
}
