//! Few-shot image data.

pub mod archive;
pub mod dataset;
pub mod episode;
pub mod key;

pub use dataset::{Class, Dataset};
pub use episode::{ClassRef, Episode, EpisodeShape};
pub use key::{Seeds, Stream};
