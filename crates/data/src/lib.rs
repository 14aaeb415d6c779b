//! Few-shot image data: data sets as plain bytes, splits of their classes, episodes as pure functions of a key.
//!
//! ```
//! use metastable_data::{
//!     ClassImages, Dataset, EpisodeShape, MetaSplit, Rotations, Sampler, Seeds, Split, Stream,
//! };
//!
//! // Ten classes of four images of 2x2; `metastable_data::open("omniglot", ...)` brings real ones.
//! let classes = (0..10_u8).map(|class| ClassImages {
//!     name: format!("class{class}"),
//!     alphabet: "made up".into(),
//!     pixels: (0..16).map(|pixel| 16 * class + pixel).collect(),
//! });
//! let dataset = Dataset::from_classes("example", 2, classes)?;
//!
//! let seeds = Seeds::all(7);
//! let split = Split::new(&dataset, &"random:5,2,3".parse()?, &seeds)?;
//! let shape = EpisodeShape { n_way: 3, k_shot: 1, n_query: 2 };
//! let test = split.classes(MetaSplit::Test);
//! let sampler = Sampler::new(&dataset, test, shape, Rotations::Off, false)?;
//!
//! let episode = sampler.episode(&seeds.evaluation(), 0);
//! let mut pixels: Vec<f32> = Vec::new();
//! episode.gather(&dataset, &mut pixels);
//! assert_eq!(pixels.len(), (3 + 6) * 2 * 2); // supports, then queries
//!
//! // Another seed for one stream changes that part alone: other supports, same classes and queries.
//! let other = sampler.episode(&seeds.evaluation().with(Stream::Support, 8), 0);
//! assert_eq!((&other.classes, &other.query), (&episode.classes, &episode.query));
//! # Ok::<(), metastable_data::DataError>(())
//! ```
//!
//! Start at [`open`], then [`Split`], [`Sampler`] and [`Episode::gather`]. Nothing here knows of tensors, networks or
//! learners.

pub mod registry;

pub mod dataset;
pub mod key;
pub mod split;

pub mod corruption;
pub mod episode;
pub mod functions;
pub mod held_out;
pub mod mix;
pub mod pool;
pub mod rotation;
pub mod sampler;
pub mod sizes;

pub mod arrays;
pub mod folder;
pub mod glyphs;
pub mod idx;
pub mod lake_runs;
pub mod omniglot;

pub mod archive;
pub mod cache;
pub mod channels;
pub mod contained;
pub mod image_size;
pub mod picture;
pub mod receipt;
pub mod resize;
pub mod sheet;

#[cfg(feature = "fetch")]
pub mod fetch;

mod choice;
mod digest;
mod draw;
mod error;
mod gather;
mod guard;
#[cfg(test)]
mod test_data;

pub use cache::Cache;
pub use channels::Channels;
pub use corruption::Corruption;
pub use dataset::{Class, ClassImages, Dataset, Domain};

pub use episode::{ClassRef, Episode, EpisodeShape, list_digest};
pub use error::DataError;
pub use functions::{FUNCTIONS, FunctionFamily, FunctionTask, Functions};
pub use glyphs::GlyphsConfig;
pub use image_size::ImageSize;
pub use key::{Seeds, Stream};
pub use lake_runs::lake_runs;
pub use mix::mix;
pub use picture::{Ink, Paper, Reading};
pub use pool::TaskPool;
pub use receipt::Receipt;
pub use registry::{OpenOptions, SOURCES, Source, open, open_among};
pub use rotation::{Intensity, Rotations};
pub use sampler::Sampler;
pub use sheet::Sheet;
pub use sizes::{Imbalance, Sizes};
pub use split::{Amounts, MetaSplit, PartNames, Split, SplitRule, Unit};

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
