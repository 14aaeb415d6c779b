//! Family B, the key factors: which source of chance, and which hyper-parameter, moves the result?
//!
//! - [`table`]: runs by factors and streams, the input.
//! - [`sources`]: what each stream of chance does, alone and together with the others.
//! - [`variance`]: components of variance of a design in which sources (split, initialization, task order, ...) vary
//!   together; [`design`] is its input.
//! - [`key`]: the lists of factors for the mean, the spread and the failures ([`responses`]), with basins ([`basin`]) and
//!   the levels that cannot be told from the best ([`best`]).
//! - [`fanova`]: shares of hyper-parameters and of their pairs in the variance of a response, by a random [`forest`]
//!   of regression trees ([`tree`]).
//! - [`tested`]: lists of factors with an error rate, and effects with intervals.
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
pub mod best;
pub mod fanova;
pub mod forest;
pub mod investigated;
pub mod latin;
pub mod noise;
pub mod responses;
pub mod sobol;
pub mod tested;
pub mod tree;

mod averages;
mod balanced;
mod clustered;
mod columns;
mod dispersion;
mod failing;
mod firth;
mod location;
mod max_t;
mod reml;
mod simplex;
mod spread;
pub(crate) mod words;

/// Values of other software, see `tests/golden/make_dispersion.py`.
#[cfg(test)]
mod golden {
    pub(super) fn numbers(table: &str, name: &str) -> Vec<f64> {
        let text = include_str!("../../tests/golden/dispersion.toml");
        let all: toml::Table = text.parse().unwrap();
        let values = all[table][name].as_array().unwrap();
        values.iter().map(|v| v.as_float().unwrap()).collect()
    }
}
