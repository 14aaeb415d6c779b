//! Integration tests of the models, in one binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

mod checkpoint;
mod combinations;
mod derivatives;
mod form;
mod golden;
mod planted;
mod second_order;
