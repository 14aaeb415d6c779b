//! What a trained learner answered when it was asked after its run: plain tables, and what they say.
//!
//! A run is tested once; a *probe* asks its weights further questions (other support sets, other label orders, other
//! step sizes, curvature, other data). The answers of one run are one [`Probe`], every table optional. A file each:
//! table, estimate over runs, sentence.

pub mod alphabets;
pub mod certificate;
pub mod confidence;
pub mod corruption;
pub mod coupling;
pub mod curvature;
pub mod example_influence;
pub mod gaps;
pub mod kinship;
pub mod label_noise;
pub mod label_order;
pub mod left_out;
pub mod lifelong;
pub mod mismatch;
pub mod noise_floor;
pub(crate) mod pool;
pub mod representation;
pub mod shots;
pub mod step_sizes;
pub mod support_order;
pub mod support_sets;
pub mod surface;
pub mod switches;
pub mod task_map;
pub mod trajectory;

pub use crate::record::probe::Probe;
