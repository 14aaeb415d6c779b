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
                    goals.world.name()
                )
                .into(),
            )),
        }
    }

    /// Number of the domain of each of `n` tasks from index `first` on; none where the data set is one.
    pub(crate) fn domains(&self, first: usize, n: usize) -> Vec<u32> {
        let Self::Episodes(episodes) = self else {
            return Vec::new();
        };
        // The classes of an episode are of one domain.
        let of = |index: usize| {
            let episode = episodes.episode(index as u64);
            let class = episode.classes.first()?;
            let domain = episodes.dataset.domain_of(class.class_idx)?;
            u32::try_from(domain).ok()
        };
        let all: Option<Vec<u32>> = (first..first + n).map(of).collect();
        all.unwrap_or_default()
    }

    /// What identifies the first `n` tasks.
    pub(crate) fn digest(&self, n: usize) -> Result<String> {
        Ok(match self {
            Self::Episodes(episodes) => episodes.digest(n),
            Self::Functions(functions) => functions.digest(n),
            Self::Goals(goals) => goals.digest(n)?,
        })
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
                goals.world.name()
            ),
        }
    }
}
