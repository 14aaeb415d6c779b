//! How much is said on stderr: `-q` and `-v`, which go with every command.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use clap::Args;

/// Set once, before the command runs: words are said in many places, and how many is nobody's argument.
static LOUDNESS: AtomicU8 = AtomicU8::new(USUAL);
const QUIET: u8 = 0;
const USUAL: u8 = 1;
const VERBOSE: u8 = 2;

/// The two flags, for programs that forward their commands.
#[derive(Clone, Copy, Debug, Args)]
pub struct Loudness {
    /// Say nothing on stderr of what goes as it should: no bars, no lines on progress. Warnings and errors stay
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        display_order = 900
    )]
    quiet: bool,
    /// Say on stderr how far every run is each second, not each ten
    #[arg(short, long, global = true, display_order = 901)]
    verbose: bool,
}

impl Loudness {
    /// Makes it what this process says.
    pub fn install(self) {
        let loudness = match (self.quiet, self.verbose) {
            (true, _) => QUIET,
            (false, true) => VERBOSE,
            (false, false) => USUAL,
        };
        LOUDNESS.store(loudness, Ordering::Relaxed);
    }
}

/// Whether what goes as it should is passed over.
pub(crate) fn is_quiet() -> bool {
    LOUDNESS.load(Ordering::Relaxed) == QUIET
}

/// Lines on the progress of one run are at least this far apart.
pub(crate) fn line_every() -> Duration {
    let is_verbose = LOUDNESS.load(Ordering::Relaxed) == VERBOSE;
    Duration::from_secs(if is_verbose { 1 } else { 10 })
}
