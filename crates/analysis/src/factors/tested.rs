//! A list of factors with an error rate: which of them move a side of the result, which way, and by how much.

use serde::{Deserialize, Serialize};

use super::max_t::{Answer, LEVEL};
use crate::estimate::Estimate;

/// One factor of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestedFactor {
    /// Its name.
    pub factor: String,
    /// The chance that any factor of the list reaches what this one does, if none of them moves this side of the result.
    pub p_value: f64,
    /// Its share of what varies between points, by itself; the noise of few seeds is in what varies.
    pub share: f64,
    /// What this factor cannot be told from in this design: the mean, or another factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_with: Option<String>,
    /// How much it moves this side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// What a factor does between two of its levels. For a spread the value is a ratio of standard deviations, for failures a ratio of
/// odds, for the mean a difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The level with less.
    pub from: String,
    /// The level with more.
    pub to: String,
    /// How much more, with its interval; for a category with more than two levels that interval holds for all pairs at once.
    pub value: Estimate,
    /// The same for a step of the scale: `a decade`; for a logarithmic scale only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_decade: Option<f64>,
}

impl TestedFactor {
    pub(super) fn new(factor: &str, answer: &Answer, mixed_with: Option<String>) -> Self {
        Self {
            factor: factor.to_owned(),
            p_value: answer.p,
            share: answer.share,
            mixed_with,
            effect: None,
        }
    }

    /// Whether it moves this side of the result, at 5 % for the list as a whole.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.mixed_with.is_none() && self.p_value <= LEVEL
    }
}

/// Settled factors first, then by p-value, then by share.
pub(super) fn ordered(mut factors: Vec<TestedFactor>) -> Vec<TestedFactor> {
    factors.sort_by(|a, b| {
        (b.is_settled().cmp(&a.is_settled()))
            .then(a.p_value.total_cmp(&b.p_value))
            .then(b.share.total_cmp(&a.share))
    });
    factors
}
