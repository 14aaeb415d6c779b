//! What a fetch tells while it runs. This crate prints nothing; the caller draws.

use std::time::Duration;

/// A listener to the events of a fetch; `()` listens to none.
pub trait Progress: Sync {
    /// Called on the fetching thread, up to once for each 64 KiB received; it should return quickly.
    fn event(&self, event: &Event<'_>);
}

impl Progress for () {
    fn event(&self, _: &Event<'_>) {}
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process fetches into the same folder; waiting for it.
    Waiting {
        /// Data set (or `weights`).
        name: &'a str,
    },
    /// A transfer starts, or goes on after a cut.
    Start {
        /// File.
        file: &'a str,
        /// Bytes that are here already.
        resumed_from: u64,
        /// All its bytes, where known.
        total: Option<u64>,
        /// Where it comes from.
        from: &'a str,
    },
    /// Bytes arrived.
    Bytes {
        /// File.
        file: &'a str,
        /// Bytes that are here now.
        done: u64,
        /// All its bytes, where known.
        total: Option<u64>,
    },
    /// An attempt failed; the next follows after a wait.
    Retry {
        /// File.
        file: &'a str,
        /// 1 for the first retry.
        attempt: u32,
        /// Wait before it.
        wait: Duration,
        /// What went wrong.
        cause: &'a str,
    },
    /// All bytes are here; hashes are computed.
    Verify {
        /// File.
        file: &'a str,
    },
    /// A source failed for good; another is tried.
    NextSource {
        /// File or data set.
        file: &'a str,
        /// What went wrong with the one before.
        cause: &'a str,
    },
    /// The file is in place and proven.
    Done {
        /// File.
        file: &'a str,
    },
}
