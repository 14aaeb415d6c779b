//! The tasks of a run by index: episodes of images, or functions of a family.

use anyhow::{Result, bail};
use metastable_algorithms::{AlgorithmError, Episodes, Task};
use metastable_data::{Functions, Intensity};
use metastable_models::Real;

use super::goals::Goals;

/// Tasks of a training, or a list of validation or test.
pub(crate) enum Tasks<'m> {
    Episodes(Episodes<'m>),
    Functions(Functions),
    /// Of a policy, which is told of them by rollouts alone.
    Goals(Goals),
}

impl<'m> Tasks<'m> {
    /// The task at `index`.
    pub(crate) fn task<T: Real + Intensity>(&self, index: u64) -> Result<Task<T>, AlgorithmError> {
        match self {
            Self::Episodes(episodes) => episodes.task(index),
            Self::Functions(functions) => Task::of_function(&functions.task(index)),
            Self::Goals(goals) => Err(AlgorithmError::Outside(
                format!(
                    "{} has rollouts, and no labelled examples",
                    goals.family.name
                )
                .into(),
            )),
        }
    }

    /// What identifies the first `n` tasks.
    pub(crate) fn digest(&self, n: usize) -> String {
        match self {
            Self::Episodes(episodes) => episodes.digest(n),
            Self::Functions(functions) => functions.digest(n),
            Self::Goals(goals) => goals.digest(n),
        }
    }

    /// The functions of a regression; none for images.
    pub(crate) fn functions(self) -> Option<Functions> {
        match self {
            Self::Episodes(_) | Self::Goals(_) => None,
            Self::Functions(functions) => Some(functions),
        }
    }

    /// The episodes of images, for what is about images alone.
    pub(crate) fn episodes(self) -> Result<Episodes<'m>> {
        match self {
            Self::Episodes(episodes) => Ok(episodes),
            Self::Functions(functions) => bail!(
                "{} has no images and no classes: its tasks are regressions",
                functions.family.name
            ),
            Self::Goals(goals) => bail!(
                "{} has no images and no classes: its tasks are environments",
                goals.family.name
            ),
        }
    }
}
