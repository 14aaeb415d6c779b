//! What one run answered to the question of [`crate::probe::noise_floor`].

use serde::{Deserialize, Serialize};

/// Two lists of answers to the same questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Largest difference of any log-probability, in nats.
    pub log_probability: f64,
    /// Share of the queries whose label changed, 0 to 1.
    pub churn: f64,
    /// Difference of the mean accuracies, 0 to 1.
    pub accuracy: f64,
}

impl Difference {
    /// Whether there is none, to the bit.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.log_probability <= 0.0 && self.churn <= 0.0
    }

    pub(crate) fn or_larger(self, other: Self) -> Self {
        Self {
            log_probability: self.log_probability.max(other.log_probability),
            churn: self.churn.max(other.churn),
            accuracy: self.accuracy.max(other.accuracy),
        }
    }
}

/// Equal questions to one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// Test tasks that were asked twice.
    pub n_tasks: usize,
    /// Asked again of the same process.
    pub same_process: Difference,
    /// Asked of a new process that has loaded what was saved, one task at a time.
    pub new_process: Difference,
}

impl NoiseFloor {
    /// The larger of the two differences, number by number.
    #[must_use]
    pub fn worse(&self) -> Difference {
        self.same_process.or_larger(self.new_process)
    }
}
