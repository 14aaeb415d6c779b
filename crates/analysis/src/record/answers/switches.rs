//! How a trained learner came through streams of tasks whose distribution switches: the input of S1.

use serde::{Deserialize, Serialize};

use super::check_table;
use crate::error::AnalysisError;

/// What switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Every class is turned by a quarter.
    Turn,
    /// Noise on all images.
    Noise,
    /// One alphabet of the test classes, then another.
    Alphabet,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Turn, Self::Noise, Self::Alphabet];

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Turn => "a quarter turn",
            Self::Noise => "noise",
            Self::Alphabet => "another alphabet",
        }
    }
}

/// Streams of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Streams of each kind.
    pub n_streams: usize,
    /// Episodes before the switch.
    pub n_before: usize,
    /// Episodes after it.
    pub n_after: usize,
    /// By what switches.
    pub switches: Vec<Switched>,
}

/// Streams of one kind: the accuracy on each episode, before the learner learnt from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    /// What switches.
    pub kind: Kind,
    /// Of the learner that goes on learning, `(n_streams, n_before + n_after)`.
    pub online: Vec<f64>,
    /// Of the trained learner, which takes no step, `(n_streams, n_before + n_after)`.
    pub frozen: Vec<f64>,
    /// After the switch, of the one that had learnt from the new distribution before it, `(n_streams, n_after)`.
    pub told: Vec<f64>,
    /// Streams on which a step of the online learner was not finite; it learnt no more.
    pub n_diverged: usize,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for it in &self.switches {
            let what = format!("{what}, {}", it.kind.name());
            let n = self.n_before + self.n_after;
            check_table(&what, &it.online, self.n_streams, n)?;
            check_table(&what, &it.frozen, self.n_streams, n)?;
            check_table(&what, &it.told, self.n_streams, self.n_after)?;
        }
        Ok(())
    }
}
