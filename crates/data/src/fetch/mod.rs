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
mod fetched;
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

pub use dataset::dataset_of;
pub use error::FetchError;
pub use fetched::{Fetched, FetchedFile, How, Proof};
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
