//! Questions to a trained few-shot learner.
//!
//! A [`Subject`] is a network, a learner, its weights and the tasks that it meets. Each family of questions has a function
//! `ask`, which returns a [`metastable_analysis::Probe`]: the plain tables that the estimators of `metastable-analysis` read.
//! A family draws its tasks from the seeds of the subject, so that the same subject gives the same answers, to the bit, at
//! any number of threads.
//!
//! - [`sensitivity`]: other support sets, label orders, step sizes, batches;
//! - [`generalization`]: seen tasks, new tasks, new classes; one task of one training step exchanged;
//! - [`geometry`]: curvature, loss surfaces, features, task embeddings;
//! - [`shift`]: other shapes, other data, damaged images, wrong labels, calibration;
//! - [`lifelong`]: classes one after the other, an image at a time;
//! - [`switches`]: tasks whose distribution switches, and a learner that goes on learning;
//! - [`kinship`]: features and paths between two trainings;
//! - [`derivatives`]: the certificate of the meta-gradient;
//! - [`conformance`]: the certificate of a learner that shows no gradients, by asking alone.
//!
//! The crate reads no files and prints nothing. `examples/own_network.rs` asks a network of the reader's own.

pub mod conformance;
pub mod derivatives;
mod error;
mod examples;
mod features;
pub mod generalization;
pub mod geometry;
pub mod kinship;
pub mod lifelong;
pub mod sensitivity;
pub mod shift;
mod still;
mod stream;
mod subject;
pub mod switches;
mod task_map;
mod values;

pub use error::{ProbeError, Result};
pub use subject::{Protocol, Subject};

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
