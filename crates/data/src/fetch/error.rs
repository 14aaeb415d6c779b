//! What can go wrong with a fetch. No error leaves a wrong file under its final name.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::ArchiveError;

/// Errors of this module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the message of each variant names its fields")]
pub enum FetchError {
    /// No such data set or weights.
    #[error("there is no {kind} named {name:?}; known: {known}")]
    UnknownName {
        kind: &'static str,
        name: String,
        known: String,
    },
    /// A manifest that cannot be used.
    #[error("manifest {name}: {problem}")]
    Manifest { name: String, problem: String },
    /// The server refused.
    #[error("{url} answered {status}{}", advice(*status))]
    Status { url: String, status: u16 },
    /// The server asks for more patience than [`super::Timing::max_wait`].
    #[error("{url} asks to wait {} s before the next try; try again later", wait.as_secs())]
    RateLimited { url: String, wait: Duration },
    /// A loop, or a very long chain.
    #[error("{url} redirects too often")]
    TooManyRedirects { url: String },
    /// The network, the server's host or the connection failed.
    #[error("{url}: {problem}; what has arrived is kept, so the same command goes on from there")]
    Network { url: String, problem: String },
    /// Nothing, or next to nothing, arrived for too long.
    #[error(
        "{url} stalled: {problem}; what has arrived is kept, so the same command goes on from there"
    )]
    Stalled { url: String, problem: String },
    /// An answer that breaks the rules of HTTP or of the hub.
    #[error("{url}: {problem}")]
    Protocol { url: String, problem: String },
    /// Another number of bytes than the manifest (or the server) says.
    #[error(
        "{file} has {got} bytes, but {expected} were expected: it is another version, or not the file at all"
    )]
    Length {
        file: String,
        expected: u64,
        got: u64,
    },
    /// Another hash than the manifest (or the hub) says.
    #[error(
        "{file} has {algorithm} {got}, but {expected} was expected: it is not the file of the manifest"
    )]
    Hash {
        file: String,
        algorithm: &'static str,
        expected: String,
        got: String,
    },
    /// Neither hash nor content are those of the manifest.
    #[error("{file} is not what the manifest describes: {problem}")]
    Content { file: String, problem: String },
    /// A folder or mirror without the file.
    #[error("{file} is not in {source_name}")]
    NotThere { file: String, source_name: String },
    /// No space left.
    #[error(
        "the disk of {} is full; {missing} more are needed; what has arrived is kept, so the same command goes on from there",
        path.display()
    )]
    DiskFull { path: PathBuf, missing: String },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// An archive that breaks the rules.
    #[error("{file}: {source}")]
    Archive { file: String, source: ArchiveError },
    /// A parquet file that cannot be read.
    #[error("{file} is not a readable parquet file: {problem}")]
    Parquet { file: String, problem: String },
    /// Weights in another format, or damaged.
    #[error("{file} is not a valid safetensors file: {problem}")]
    NotSafetensors { file: String, problem: String },
    /// Every source failed.
    #[error("no source gave {name}:\n  {}\non a machine without a network, put the files in a folder and fetch from that folder", causes.join("\n  "))]
    AllSources { name: String, causes: Vec<String> },
}

impl FetchError {
    /// For `map_err` on a call to the operating system; a full disk becomes [`FetchError::DiskFull`].
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull {
                path,
                missing: "bytes".to_owned(),
            },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => " (access refused: is a token needed?)",
        404 | 410 => " (not there)",
        429 => " (too many requests)",
        500..=599 => " (trouble at the server)",
        _ => "",
    }
}
