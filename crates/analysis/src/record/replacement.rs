//! A training that differs from a run in one task of its pool: the input of D1.

use serde::{Deserialize, Serialize};

/// A training beside the run from which it differs in one task of the pool, or in nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replacement {
    /// Identifier of the run on the whole pool.
    pub run: String,
    /// Its setting but for the pool: pools of one setting lie on one line.
    pub setting: String,
    /// Tasks of the pool, n.
    pub pool: usize,
    /// The member that was exchanged; none if nothing was, and the same training was made again.
    pub member: Option<usize>,
    /// Query loss of each test task in nats, in the order of the run's own test; absent if this training blew up.
    pub task_nll: Option<Vec<f64>>,
    /// `|theta' - theta| / |theta|` after the last step; absent if a training blew up.
    pub distance: Option<f64>,
}
