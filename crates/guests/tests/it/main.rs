//! Conversations with real processes: `examples/guest.rs`, and Python where it is.

mod failures;
mod honest;
mod python;
mod support;
