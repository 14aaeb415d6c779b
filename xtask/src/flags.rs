//! The command line: what serves this repository, and every command of the laboratory.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The stability laboratory for meta-learning.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) loudness: metastable::Loudness,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value a process")]
pub(crate) enum Command {
    #[command(flatten)]
    Laboratory(metastable::Command),
    /// Time the workloads that other libraries are measured on
    Bench(Bench),
    /// Everything a change has to pass: format, lints, arrows, file rules, tests, docs
    Check,
}

/// Which implementation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Our CPU kernels
    Fused,
    /// Plain candle
    Graph,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Workloads [default: all]
    #[arg(value_name = "WORKLOAD")]
    pub(crate) workloads: Vec<String>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Seconds for each workload, at the least
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    pub(crate) seconds: f64,
    /// Which implementation computes [default: fused]
    #[arg(long)]
    pub(crate) backend: Option<Backend>,
    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Compare with the fastest of each workload in FILE: JSON lines of `bench --json` or of a peer
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// Measure one workload in this process
    #[arg(long, hide = true, value_name = "WORKLOAD")]
    pub(crate) alone: Option<String>,
    /// With --alone: take so many steps and measure nothing, for tools that count instructions
    #[arg(long, hide = true, requires = "alone", value_name = "N")]
    pub(crate) steps: Option<usize>,
}
