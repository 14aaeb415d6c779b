//! Networks as functions of (parameters, images), with exact first and second derivatives.

pub mod architecture;
pub mod check;
pub mod checkpoint;
pub mod device;
pub mod error;
pub mod fused;
pub mod graph;
pub mod network;
pub mod objective;
pub mod params;
pub mod real;
pub mod registry;

pub use architecture::Architecture;
pub use checkpoint::Checkpoint;
pub use device::{Backend, DeviceSpec};
pub use error::ModelError;
pub use network::{ImageShape, Network, NetworkConfig, Norm, Pass, Statistics, Tape};
pub use objective::{Loss, Metric, Objective};
pub use params::{Entry, Layout, Params};
pub use real::Real;
pub use registry::{NETWORKS, NetworkEntry, build};
