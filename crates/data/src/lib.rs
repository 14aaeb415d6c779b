//! Few-shot image data.

pub mod registry;

pub mod dataset;
pub mod key;
pub mod split;

pub mod episode;
pub mod rotation;
pub mod sampler;

pub mod folder;
pub mod idx;
pub mod lake_runs;
pub mod omniglot;

pub mod archive;
pub mod cache;
pub mod picture;
pub mod resize;

#[cfg(feature = "fetch")]
pub mod fetch;

mod digest;
mod draw;
mod error;
#[cfg(test)]
mod test_data;

pub use dataset::{Class, ClassImages, Dataset};
pub use episode::{ClassRef, Episode, EpisodeShape, list_digest};
pub use error::DataError;
pub use key::{Seeds, Stream};
pub use lake_runs::lake_runs;
pub use picture::Ink;
pub use registry::{OpenOptions, SOURCES, Source, open};
pub use rotation::{Intensity, Rotations};
pub use sampler::Sampler;
pub use split::{Amounts, MetaSplit, Split, SplitRule, Unit};
