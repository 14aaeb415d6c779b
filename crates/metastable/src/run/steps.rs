//! A training as the runner sees it: steps, a state between two of them, and an end.

use anyhow::Result;
use metastable_algorithms::{Outcome, StepReport, TrainState, Trainer};

/// One outer step after the other.
pub(super) trait Steps {
    /// One outer step on all threads of the current pool; none if the training has ended, be it at this very step.
    fn step(&mut self) -> Result<Option<StepReport>>;

    /// The state between two steps.
    fn state(&self) -> &TrainState<f32>;

    /// How the training ended; none while steps are left.
    fn outcome(&self) -> Option<Outcome>;
}

impl Steps for Trainer<'_, f32> {
    fn step(&mut self) -> Result<Option<StepReport>> {
        Ok(Trainer::step(self)?)
    }

    fn state(&self) -> &TrainState<f32> {
        Trainer::state(self)
    }

    fn outcome(&self) -> Option<Outcome> {
        Trainer::outcome(self)
    }
}
