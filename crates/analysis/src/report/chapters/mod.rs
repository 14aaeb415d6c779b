//! The chapters, one file each: what they draw, and what they say about it.

pub(crate) mod outcome;

mod fan;
mod seeds;
mod waterfall;

pub(crate) mod factors;

mod factor_lists;
mod marginals;
mod sources;

pub(crate) mod tail;

pub(crate) mod difficulty;
mod hardness;

pub(crate) mod churn;

pub(crate) mod comparison;

mod aggregates;

pub(crate) mod adaptation;

pub(crate) mod failures;

pub(crate) mod fingerprint;
