//! What can go wrong with data. Every message names the offending value and the next step.

use std::io;
use std::path::{Path, PathBuf};

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; {next_step}", path.display())]
    Io {
        /// What was tried, e.g. `read`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
        /// What to do about it.
        next_step: String,
    },
    /// A file that does not hold what its name promises.
    #[error("{}: {problem}; {next_step}", path.display())]
    Malformed {
        /// The file (or folder).
        path: PathBuf,
        /// What is wrong, with the offending value.
        problem: String,
        /// What to do about it.
        next_step: String,
    },
    /// A name that is in no registry.
    #[error("unknown {kind} `{name}`; did you mean `{nearest}`? known: {known}")]
    UnknownName {
        /// What was named, e.g. `data source`.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The valid name closest to it.
        nearest: String,
        /// All valid names, separated by commas.
        known: String,
    },
    /// A setting whose value makes no sense.
    #[error("{setting} = {value}: {problem}; {next_step}")]
    Invalid {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be used.
        problem: String,
        /// What to do about it.
        next_step: String,
    },
    /// More was asked for than the data hold.
    #[error("{what}: {needed} needed, {available} there; {next_step}")]
    TooFew {
        /// Of what.
        what: String,
        /// How many the request needs.
        needed: usize,
        /// How many there are.
        available: usize,
        /// What to do about it.
        next_step: String,
    },
    /// A split that does not fit the data set, overlaps or leaves classes out.
    #[error("split `{rule}` of `{dataset}`: {problem}; {next_step}")]
    Split {
        /// The rule, as it is written.
        rule: String,
        /// Name of the data set.
        dataset: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        next_step: String,
    },
}

impl DataError {
    /// For `map_err` on a call to the operating system.
    pub(crate) fn io(
        action: &'static str,
        path: &Path,
        next_step: impl Into<String>,
    ) -> impl FnOnce(io::Error) -> Self {
        let (path, next_step) = (path.to_owned(), next_step.into());
        move |source| Self::Io {
            action,
            path,
            source,
            next_step,
        }
    }

    /// A file that does not hold what it should.
    pub(crate) fn malformed(
        path: &Path,
        problem: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            problem: problem.into(),
            next_step: next_step.into(),
        }
    }

    /// A name that is not among `known`.
    pub(crate) fn unknown_name(kind: &'static str, name: &str, known: &[&str]) -> Self {
        let nearest = known
            .iter()
            .min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
            .map_or_else(String::new, ToString::to_string);
        Self::UnknownName {
            kind,
            name: name.to_owned(),
            nearest,
            known: known.join(", "),
        }
    }
}
