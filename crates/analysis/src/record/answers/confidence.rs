//! What one run answered to the question of [`crate::probe::confidence`].

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;

/// Calibration of one run's predictions on its test tasks, pooled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// With the settings for test.
    pub calibration: Calibration,
    /// After other numbers of inner steps: steps, calibration error, accuracy, mean confidence; empty for a learner
    /// without an inner loop.
    pub steps: Vec<AfterSteps>,
}

/// Calibration after some inner steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AfterSteps {
    /// Inner steps.
    pub n_steps: usize,
    /// Expected calibration error.
    pub ece: f64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Mean confidence.
    pub confidence: f64,
}
