//! What one run answered to the question of [`crate::probe::certificate`].

use serde::{Deserialize, Serialize};

/// What was checked of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answers {
    /// In the order of the report.
    pub checks: Vec<Check>,
    /// What first-order MAML leaves out of this run's meta-gradient; absent without an inner loop, or where it is not finite.
    pub first_order: Option<FirstOrder>,
    /// Names and values that say what was certified: digests of data, split, test list, code; the protocol.
    pub identities: Vec<(String, String)>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Verdict {
    /// A relative error, which has to be under a limit.
    Error {
        /// Absent if it is not finite, which no limit allows.
        value: Option<f64>,
        /// It has to be less.
        limit: f64,
    },
    /// Two digests, which have to be one.
    Same {
        /// What the record says, or the first computation.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The check says nothing here: neither proven nor refuted.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// An error against its limit.
    #[must_use]
    pub fn error(value: f64, limit: f64) -> Self {
        Self::Error {
            value: Some(value).filter(|value| value.is_finite()),
            limit,
        }
    }

    /// Whether the check holds; none if it says nothing.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        match self {
            Self::Error { value, limit } => Some(value.is_some_and(|value| value < *limit)),
            Self::Same { expected, found } => Some(expected == found),
            Self::Skipped { .. } => None,
        }
    }

    /// By how much it is worse than others: what failed, by its error (the largest of all where it is not finite), before what
    /// holds, before what says nothing.
    pub(crate) fn badness(&self) -> (u8, f64) {
        let error = match self {
            Self::Error { value, .. } => value.unwrap_or(f64::INFINITY),
            Self::Same { .. } | Self::Skipped { .. } => 0.0,
        };
        (self.holds().map_or(0, |holds| 1 + u8::from(!holds)), error)
    }
}

/// First-order against exact meta-gradient at the trained parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstOrder {
    /// `|g_1 - g_2| / |g_2|`, means over the tasks.
    pub relative: f64,
    /// Cosine between the two.
    pub cosine: f64,
    /// Training tasks.
    pub n_tasks: usize,
}
