//! What a score is: a share of right answers, unless said otherwise.

use serde::{Deserialize, Serialize};

/// A score that is no share: a return, a loss, seconds.
///
/// Larger values have to be better. Where smaller ones are, hand in the scores with their sign turned, and say so here: the report
/// turns it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreScale {
    /// What a score is called, e.g. `return`.
    pub name: String,
    /// Whether the sign of the scores was turned.
    #[serde(default)]
    pub lower_is_better: bool,
}
