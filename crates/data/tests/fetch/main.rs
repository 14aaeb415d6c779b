//! Fetching against a server of our own that lies, archives that lie, and a stand-in for the hub.
//!
//! Every test ends in the right error or in the right bytes, and looks at what lies under the final name.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up should stop"
)]

mod archives;
mod hub;
mod kinds;
mod lies;
mod real;
mod server;
mod tools;
mod weights;
