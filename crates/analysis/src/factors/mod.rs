//! Family B, the key factors: which source of chance, and which hyper-parameter, moves the result?
//!
//! - [`table`]: runs by factors and streams, the input.
//! - [`sources`]: what each stream of chance does, alone and together with the others.
//! - [`variance`]: components of variance of a design in which sources (split, initialization, task order, ...) vary
//!   together; [`design`] is its input.
//! - [`key`]: the ordered lists of factors for the mean, the spread and the failures ([`responses`]), with basins ([`basin`]).
//! - [`fanova`]: shares of hyper-parameters and of their pairs in the variance of a response, by a random [`forest`]
//!   of regression trees ([`tree`]).
//! - [`screen`]: what remains where the forest explains too little.
//! - [`latin`]: Latin hypercubes, points at which to run.
//! - [`sobol`]: first-order and total indices of any response, on quasi-random points.
//!
//! Not here: how runs are made. A table of runs by (factors, streams, response) from any laboratory serves.

pub mod table;

pub mod sources;

pub mod design;
pub mod variance;

pub mod key;

pub mod basin;
pub mod fanova;
pub mod forest;
pub mod latin;
pub mod responses;
pub mod screen;
pub mod sobol;
pub mod tree;

mod balanced;
mod reml;
mod simplex;
mod words;
