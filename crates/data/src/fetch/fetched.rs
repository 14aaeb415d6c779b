//! Files that are here and proven: how they came, and what shows that they are right.

use std::fmt;
use std::path::PathBuf;

/// A data set that is here.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its files, in the manifest's order.
    pub files: Vec<FetchedFile>,
    /// Optional files that could not be had, and why.
    pub skipped: Vec<(String, String)>,
    /// Sentences about what could not be verified.
    pub notes: Vec<String>,
}

/// A file that is here and proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    /// Name in the manifest, or the request for weights.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// How it came here.
    pub how: How,
    /// What shows that it is the right one.
    pub proof: Proof,
}

/// How a file came here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// It was here before.
    Present,
    /// Over the network.
    Downloaded {
        /// From there.
        url: String,
        /// Bytes that an earlier attempt had left.
        resumed_from: u64,
    },
    /// It came with the program.
    Shipped,
    /// From a folder.
    Copied {
        /// The file there.
        from: PathBuf,
    },
    /// Rebuilt from a repository of loose images.
    Restored {
        /// `owner/repo`.
        repo: String,
        /// The commit.
        commit: String,
    },
}

/// What shows that a file is the right one; lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// The published MD5 and the size.
    Md5(String),
    /// The listed SHA-256.
    Sha256(String),
    /// The pixels of its images; the archive's own bytes are not the original ones.
    Pixels(String),
    /// Nothing: it is in no manifest.
    Unlisted,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(hash) => write!(f, "published MD5 {hash}"),
            Self::Sha256(hash) => write!(f, "listed SHA-256 {hash}"),
            Self::Pixels(hash) => write!(f, "pixel digest {hash} (an archive packed anew)"),
            Self::Unlisted => write!(f, "not in the manifest"),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => write!(f, "was here"),
            Self::Downloaded {
                url,
                resumed_from: 0,
            } => write!(f, "downloaded from {url}"),
            Self::Downloaded { url, resumed_from } => {
                write!(f, "downloaded from {url}, resumed at byte {resumed_from}")
            }
            Self::Shipped => write!(f, "came with the program"),
            Self::Copied { from } => write!(f, "copied from {}", from.display()),
            Self::Restored { repo, commit } => write!(f, "rebuilt from hf:{repo} at {commit}"),
        }
    }
}
