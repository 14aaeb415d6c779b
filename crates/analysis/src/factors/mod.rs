//! Family B, the key factors: which source of chance, and which hyper-parameter, moves the result?
//!
//! - [`variance`]: components of variance of a design in which sources (split, initialization, task order, ...) vary
//!   together; [`design`] is its input.
//!
//! Not here: how runs are made. A table of runs by (factors, streams, response) from any laboratory serves.

pub mod design;
pub mod variance;

mod balanced;
mod reml;
mod simplex;
