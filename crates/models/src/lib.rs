//! Networks as functions of (parameters, images), with exact first and second derivatives.
//!
//! A [`Network`] *records* a pass of a batch through itself and a loss; the [`Tape`] then gives the gradient and products
//! with the Hessian. Two backends stand behind that seam: [`fused`], hand-derived CPU kernels, and `graph`, plain candle
//! on any device (feature `candle`, on by default). Nothing above the seam can tell them apart but by speed.
//!
//! Deliberately not here: data, learners, optimisers, thread pools. Start reading at [`network`] (the seam), then
//! [`architecture`] (what a configuration unrolls to); [`check`] says how the derivatives are tested.
//!
//! # Example
//! Two inner steps of MAML on one task, and its exact meta-gradient `v - inner_lr * H v`, backwards through the steps:
//!
//! ```
//! use metastable_models::{
//!     Architecture, Backend, DeviceSpec, ImageShape, Loss, Network, NetworkConfig, Norm, Objective, Pass, build,
//! };
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! # fn main() -> Result<(), metastable_models::ModelError> {
//! let config = NetworkConfig {
//!     name: "conv4".to_owned(),
//!     form: None,
//!     image: ImageShape { height: 8, width: 8, channels: 1 },
//!     n_blocks: 2,
//!     width: 8,
//!     norm: Norm::Batch,
//!     n_way: Some(2),
//! };
//! let network: Box<dyn Network<f64>> = build(&config, Backend::Fused, DeviceSpec::Cpu)?;
//! let theta = Architecture::new(&config)?.initial_params(&mut ChaCha8Rng::seed_from_u64(0));
//!
//! // Two classes: bright left half, bright right half.
//! let image = |label: usize, ink: f64| (0..64).map(move |p| if (p % 8 < 4) == (label == 0) { ink } else { 0.0 });
//! let support: Vec<f64> = image(0, 1.0).chain(image(1, 1.0)).collect();
//! let query: Vec<f64> = image(0, 0.7).chain(image(1, 0.8)).collect();
//! let objective = Objective { loss: Loss::CrossEntropy, n_way: 2, supports: &[], labels: &[0, 1], values: &[] };
//!
//! let inner_lr = 0.1;
//! let mut phi = theta.clone();
//! let mut tapes = Vec::new();
//! for step in 0..2 {
//!     let mut tape = network.record(&phi, &support, Pass::batch(step), objective)?;
//!     phi = phi.plus(-inner_lr, &tape.gradient()?);
//!     tapes.push(tape);
//! }
//! let mut judged = network.record(&phi, &query, Pass::batch(2), objective)?;
//! let mut meta_gradient = judged.gradient()?;
//! for tape in tapes.iter_mut().rev() {
//!     let product = tape.hessian_product(&meta_gradient)?;
//!     meta_gradient.add(-inner_lr, &product);
//! }
//! // It points uphill: a small step against it lowers the loss after adaptation.
//! let adapted_loss = |theta: &metastable_models::Params<f64>| -> Result<f64, metastable_models::ModelError> {
//!     let mut phi = theta.clone();
//!     for step in 0..2 {
//!         let gradient = network.record(&phi, &support, Pass::batch(step), objective)?.gradient()?;
//!         phi.add(-inner_lr, &gradient);
//!     }
//!     Ok(network.record(&phi, &query, Pass::batch(2), objective)?.loss())
//! };
//! assert!(adapted_loss(&theta.plus(-1e-3, &meta_gradient))? < judged.loss());
//! # Ok(())
//! # }
//! ```

pub mod architecture;
mod arguments;
pub mod build;
pub mod check;
pub mod checkpoint;
pub mod cost;
pub mod device;
pub mod elementary;
pub mod error;
pub mod fused;
#[cfg(feature = "candle")]
pub mod graph;
mod heads;
pub mod init;
pub mod network;
pub mod objective;
pub mod params;
pub mod real;
pub mod registry;
mod seal;
pub mod size;
pub mod vector;

pub use architecture::Architecture;
pub use build::build;
pub use checkpoint::Checkpoint;
pub use cost::Cost;
pub use device::{Backend, DeviceSpec};
pub use elementary::elementary_digest;
pub use error::ModelError;
pub use init::Init;
pub use network::{ImageShape, Network, NetworkConfig, Norm, Pass, Statistics, Tape, Units};
pub use objective::{Loss, Metric, Objective};
pub use params::{Entry, Layout, Params};
pub use real::Real;
pub use registry::{Beside, BlockKind, Form, HeadForm, NETWORKS, NetworkEntry, Readout};
pub use vector::Vector;

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
