//! Networks as functions of (parameters, images), with exact first and second derivatives.

pub mod error;
pub mod network;
pub mod objective;
pub mod params;
pub mod real;

pub use error::ModelError;
pub use network::{ImageShape, Network, NetworkConfig, Norm, Pass, Statistics, Tape};
pub use objective::{Loss, Metric, Objective};
pub use params::{Entry, Layout, Params};
pub use real::Real;
