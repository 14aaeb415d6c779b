//! Stability statistics for meta-learning.

pub mod record;

pub use record::{Adaptation, Outcome, Progress, Run, Study, Test};
