//! Bringing data sets and weights to this machine, proven before they get their name (feature `fetch`).
//!
//! Bytes go to `NAME.part`, survive cuts and restarts, are hashed, and only then renamed; a file that is there and
//! right is not fetched again, one that is wrong is replaced once the right one has come. Nothing is printed: a
//! [`Progress`] listens.
//!
//! ```no_run
//! use metastable_data::fetch::{self, Options, Source};
//!
//! let mut options = Options::new("data");
//! let fetched = fetch::dataset("omniglot", &options, &())?;
//! println!("{} in {}", fetched.name, fetched.dir.display());
//!
//! // On a machine without a network, from a folder that holds the archives:
//! options.source = Source::parse("/media/stick/omniglot");
//! fetch::dataset("omniglot", &options, &())?;
//! # Ok::<(), fetch::FetchError>(())
//! ```
//!
//! Start reading at [`dataset_of`]; the rules of HTTP are in `transfer`, the hub in `hub`, pixels in [`content`].

mod answer;
pub mod content;
mod dataset;
mod error;
mod hash;
mod hub;
mod manifest;
mod options;
mod parquet_images;
mod parquet_pages;
mod part;
mod progress;
mod rebuild;
mod restore;
mod shipped;
mod transfer;
mod weights;

use std::fmt;
use std::path::PathBuf;

pub use dataset::dataset_of;
pub use error::FetchError;
pub use manifest::{FileEntry, Manifest, WeightsEntry, WeightsManifest, manifest, names};
pub use options::{HubSettings, Options, Source, Timing};
pub use parquet_pages::check_dictionaries;
pub use progress::{Event, Progress};
pub use shipped::{SHIPPED, Shipped};
pub use weights::{check_safetensors, weights_of};

/// Hands every image of a parquet file to `each`, with its label where it has one; returns the number of rows.
///
/// # Errors
/// [`FetchError::Parquet`] for a damaged file, or one without images.
pub fn images_of_parquet(
    path: &std::path::Path,
    mut each: impl FnMut(&[u8], Option<i64>),
) -> Result<usize, FetchError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parquet_images::for_each(path, &name, |example| each(example.image, example.label))
}

/// Reads the images of a parquet file, and keeps none: for the fuzz targets.
///
/// # Errors
/// Those of the parser.
#[doc(hidden)]
pub fn read_parquet(path: &std::path::Path) -> Result<usize, FetchError> {
    parquet_images::for_each(path, "file", |example| {
        let _ = content::Packed::from_png(example.image);
    })
}

/// Brings the data set `name` of the registry ([`names`]) to `options.data_dir/name`.
///
/// A second call finds the files in place and fetches nothing.
///
/// # Errors
/// [`FetchError`]; whatever it is, no wrong file has got its final name.
pub fn dataset(
    name: &str,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Fetched, FetchError> {
    dataset_of(&manifest(name)?, options, progress)
}

/// Brings trained weights to `options.data_dir/weights/owner/repo/file`; those that come with the program ([`SHIPPED`]) to
/// `options.data_dir/weights/NAME.safetensors`, with their card beside, and without a network.
///
/// `spec` is a name of [`WeightsManifest::built_in`], or `hf:owner/repo/path/to/file.safetensors`. Listed weights have to
/// have the listed SHA-256; others are taken as [`Proof::Unlisted`], their SHA-256 reported.
///
/// # Errors
/// [`FetchError`], among them [`FetchError::NotSafetensors`].
pub fn weights(
    spec: &str,
    options: &Options,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    weights_of(&WeightsManifest::built_in()?, spec, options, progress)
}

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
