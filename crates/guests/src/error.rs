//! What can go wrong between this program and a guest. A number that is not finite is none of it: that is a result.

use thiserror::Error;

/// The result of a question to a guest.
pub type Result<T, E = GuestError> = std::result::Result<T, E>;

/// A guest that did not answer as it should have. None of it carries an error of the system: a guest that fails concerns its
/// own run, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GuestError {
    /// A setting that cannot be.
    #[error("{setting}: {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The command does not start.
    #[error(
        "the guest `{command}` does not start: {problem}; try the command in this folder by hand"
    )]
    Start {
        /// The command.
        command: String,
        /// What the system says.
        problem: String,
    },
    /// The folder of this program through which files go to and from the guest.
    #[error(
        "at {request}: the scratch folder {folder} of this program failed: {problem}; make room there, or set TMPDIR to another folder"
    )]
    Scratch {
        /// The folder, or the one that it was to be made in.
        folder: String,
        /// What it was needed for.
        request: String,
        /// What the system says.
        problem: String,
    },
    /// The process ended before it answered.
    #[error("the guest ended ({status}) before it answered {request}{last_words}")]
    Ended {
        /// Exit code or signal.
        status: String,
        /// What was asked.
        request: String,
        /// The end of its stderr.
        last_words: LastWords,
    },
    /// No answer within the time.
    #[error(
        "the guest did not answer {request} within {seconds} s and was killed; timeout_seconds allows more{last_words}"
    )]
    Silent {
        /// What was asked.
        request: String,
        /// Patience.
        seconds: u64,
        /// The end of its stderr.
        last_words: LastWords,
    },
    /// An answer that is none.
    #[error("the guest's answer to {request} cannot be used: {problem}{last_words}")]
    Protocol {
        /// What was asked.
        request: String,
        /// What came, and what was to come.
        problem: String,
        /// The end of its stderr.
        last_words: LastWords,
    },
    /// The guest says itself that it failed.
    #[error("the guest failed on {request}: {message}{last_words}")]
    Failed {
        /// What was asked.
        request: String,
        /// What it says.
        message: String,
        /// The end of its stderr.
        last_words: LastWords,
    },
    /// Another version of the protocol.
    #[error(
        "the guest {name} speaks protocol {theirs}, and this program speaks protocol {ours}; take the metastable_guest.py that `metastable guest --python` prints"
    )]
    Version {
        /// What the guest calls itself.
        name: String,
        /// Of this program.
        ours: u64,
        /// Of the guest.
        theirs: u64,
    },
    /// The user asked to stop, and the guest did not come to an end of its step in time.
    #[error("the user asked to stop while the guest was at {request}, and it was killed")]
    Cancelled {
        /// What was asked.
        request: String,
    },
}

/// The last lines that a guest wrote to its stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWords(pub Vec<String>);

impl std::fmt::Display for LastWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return write!(f, "; its stderr is empty");
        }
        write!(f, "; the end of its stderr:")?;
        for line in &self.0 {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}
