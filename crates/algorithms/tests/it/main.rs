//! Behaviour of learners and of the outer loop, against closed forms, finite differences and PyTorch.

#![allow(
    clippy::unwrap_used,
    reason = "a failed helper is a failed test; clippy.toml allows it in test functions only"
)]

mod anil;
mod asking;
mod averaging;
mod boil;
mod check;
mod claims;
mod closed_form;
mod config;
mod counting;
mod exchange;
mod heads;
mod imaml;
mod learnt_rates;
mod maml_pp;
mod meta_sgd;
mod nearest_mean;
mod networks;
mod observing;
mod optimizer;
mod pretrained;
mod quadratic;
mod r2d2;
mod regression;
mod reptile;
mod revalidating;
mod second_order;
mod support_maml;
mod training;
mod weighting;
