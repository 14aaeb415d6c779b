//! Few-shot image data.

pub mod dataset;
pub mod key;
pub mod split;

pub mod episode;
pub mod rotation;
pub mod sampler;

pub mod archive;
pub mod resize;

#[cfg(feature = "fetch")]
pub mod fetch;

mod digest;
mod draw;
mod error;

pub use dataset::{Class, ClassImages, Dataset};
pub use episode::{ClassRef, Episode, EpisodeShape, list_digest};
pub use error::DataError;
pub use key::{Seeds, Stream};
pub use rotation::{Intensity, Rotations};
pub use sampler::Sampler;
pub use split::{Amounts, MetaSplit, Split, SplitRule, Unit};
