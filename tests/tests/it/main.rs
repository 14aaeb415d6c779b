//! What the four crates promise together.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

mod learning;
mod omniglot;
