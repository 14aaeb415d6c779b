//! Integration tests of the environments, in one binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

mod derivatives;
mod training;
