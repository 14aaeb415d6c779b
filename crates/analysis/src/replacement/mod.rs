//! D1: replace-one-task stability: does one task of the training pool decide what is learnt?
//!
//! Train on a pool `D` of `n` tasks and on `D^(i)`, in which task `i` is another one, all other bits equal. The
//! *coefficient* is `beta = mean_i mean_z |l(D, z) - l(D^(i), z)|` over test tasks `z`: on-average stability (Bousquet &
//! Elisseeff 2002, JMLR 2; Shalev-Shwartz et al. 2010, JMLR 11; for tasks Maurer 2005, JMLR 6). Under convex smooth losses
//! it falls like `1/n`. The same training made again, with nothing exchanged, is the *noise floor*: a coefficient means
//! nothing unless it lies above.

pub mod coefficient;
mod coupled;
pub mod slope;

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};
use crate::record::Run;

pub use crate::record::replacement::Replacement;

/// What one exchange changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Seed of the run.
    pub seed: u64,
    /// The member that was exchanged; none for a repetition.
    pub member: Option<usize>,
    /// `mean_z |l(D, z) - l(D^(i), z)|`, in nats.
    pub mean: f64,
    /// `max_z |l(D, z) - l(D^(i), z)|`.
    pub largest: f64,
    /// `mean_z l(D^(i), z) - l(D, z)`.
    pub signed: f64,
    /// `|theta' - theta| / |theta|`.
    pub distance: f64,
}

impl Replacement {
    /// The change from `run`; `None` if one of the two trainings has no test with finite losses.
    ///
    /// # Errors
    /// [`AnalysisError::Shape`] if the tests are of different length, [`AnalysisError::NotFinite`] for a distance that is
    /// no number.
    pub fn change(&self, run: &Run) -> Result<Option<Change>, AnalysisError> {
        let (Some(test), Some(after), Some(distance)) = (&run.test, &self.task_nll, self.distance)
        else {
            return Ok(None);
        };
        let before = &test.task_nll;
        check_len(
            &format!("losses beside those of run `{}`", self.run),
            before.len(),
            after.len(),
        )?;
        check_finite(&format!("distance from run `{}`", self.run), &[distance])?;
        if !before.iter().chain(after).all(|loss| loss.is_finite()) {
            return Ok(None);
        }
        let differences = || {
            after
                .iter()
                .zip(before)
                .map(|(after, before)| after - before)
        };
        let n = before.len() as f64;
        Ok(Some(Change {
            seed: run.seed,
            member: self.member,
            mean: differences().map(f64::abs).sum::<f64>() / n,
            largest: differences().map(f64::abs).fold(0.0, f64::max),
            signed: differences().sum::<f64>() / n,
            distance,
        }))
    }
}
