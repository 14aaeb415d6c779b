//! What a split makes of a class: its part.

use serde::{Deserialize, Serialize};

use super::rule::SplitRule;
use crate::{DataError, Dataset};

/// Part of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetaSplit {
    /// For learning to learn.
    Train,
    /// For choosing a checkpoint or a setting.
    Validation,
    /// For the figures that are reported.
    Test,
}

impl MetaSplit {
    /// The three parts.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];
}

/// The part of each class; `None` for a class that a random split with counts leaves out.
pub(super) type Parts = Vec<Option<MetaSplit>>;

/// A rule that does not fit the data set.
pub(super) fn error(
    dataset: &Dataset,
    rule: &SplitRule,
    problem: String,
    next_step: &str,
) -> DataError {
    DataError::Split {
        rule: rule.to_string(),
        dataset: dataset.name.clone(),
        problem,
        next_step: next_step.into(),
    }
}
