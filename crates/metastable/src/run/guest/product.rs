//! What the training of a guest leaves.

use metastable_analysis::Outcome;

use super::saved::Saved;
use crate::run::Ended;

/// How a training ended.
pub(super) enum Trained {
    /// By itself.
    Ended(Box<Product>),
    /// By something outside.
    Cut(Ended),
}

/// What a training leaves.
pub(super) struct Product {
    pub(super) outcome: Outcome,
    pub(super) last: Saved,
    pub(super) best: Option<Saved>,
    pub(super) seconds: f64,
}
