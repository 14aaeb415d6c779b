//! What the four crates promise together.

mod learning;
mod omniglot;
