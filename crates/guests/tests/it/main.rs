//! Conversations with real processes: `examples/guest.rs`, and Python where it is.

#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests panic as tests do, and say what they skip"
)]

mod environment;
mod failures;
mod honest;
mod python;
mod support;
