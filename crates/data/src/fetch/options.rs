//! What a caller may decide about a fetch.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of a fetch; [`Options::new`] gives the usual ones.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of all data sets; the files of `omniglot` go to `data_dir/omniglot`.
    pub data_dir: PathBuf,
    /// Where from.
    pub source: Source,
    /// Failed attempts in a row, without progress, before a transfer is given up.
    pub retries: u32,
    /// Patience.
    pub timing: Timing,
    /// The hub of models and data sets.
    pub hub: HubSettings,
}

impl Options {
    /// The usual settings: origin first, then the manifest's other sources; five retries.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            source: Source::Auto,
            retries: 5,
            timing: Timing::default(),
            hub: HubSettings::default(),
        }
    }
}

/// Where files come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The origin, then the manifest's mirrors, then its hub repositories; the first that gives a proven file wins.
    #[default]
    Auto,
    /// A folder that holds the files, as on a machine without a network.
    Folder(PathBuf),
    /// A URL under which the files lie by their names.
    Mirror(String),
    /// A data set repository of the hub, `owner/repo`.
    Hub(String),
}

impl Source {
    /// What `--from` says: `hf:owner/repo`, a URL, or else a folder.
    #[must_use]
    pub fn parse(from: &str) -> Self {
        if let Some(repo) = from.strip_prefix("hf:") {
            Self::Hub(repo.trim_matches('/').to_owned())
        } else if from.starts_with("http://") || from.starts_with("https://") {
            Self::Mirror(from.trim_end_matches('/').to_owned())
        } else {
            Self::Folder(PathBuf::from(from))
        }
    }
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of an answer.
    pub response: Duration,
    /// For the next bytes of a body; also the window over which `min_rate` is judged.
    pub stall: Duration,
    /// Bytes a second below which a transfer counts as stalled.
    pub min_rate: u64,
    /// Wait before the first retry; doubled at each further one.
    pub backoff: Duration,
    /// The longest wait before a retry. A server that asks for more (`Retry-After`) ends the fetch.
    pub max_wait: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            response: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            min_rate: 1024,
            backoff: Duration::from_secs(1),
            max_wait: Duration::from_secs(120),
        }
    }
}

/// How to reach the hub. What is `None` comes from the variables that the hub's own tools read.
#[derive(Clone, Debug, Default)]
pub struct HubSettings {
    /// Address; else `HF_ENDPOINT`, else the public hub.
    pub endpoint: Option<String>,
    /// Access token; else `HF_TOKEN`, else the file `token` in `HF_HOME` (by default `~/.cache/huggingface`).
    /// It is sent to the endpoint only, never to a host that the endpoint redirects to.
    pub token: Option<String>,
}
