//! The episodes that a training or a test reads, by index.

use metastable_data::{Dataset, Episode, Intensity, Sampler, Seeds, TaskPool, list_digest};
use metastable_models::Real;

use crate::{AlgorithmError, Task};

/// Episodes by index: those of a training, with its pool, or a list of validation or test.
pub struct Episodes<'m> {
    /// The images.
    pub dataset: &'m Dataset,
    /// Where the episodes come from.
    pub sampler: Sampler,
    /// Every draw.
    pub seeds: Seeds,
    /// Which of the sampler's episodes stand at which index; absent if each stands at its own.
    pub pool: Option<TaskPool>,
}

impl Episodes<'_> {
    /// Number of the sampler's episode that stands at `index`.
    #[must_use]
    pub fn number(&self, index: u64) -> u64 {
        self.pool
            .map_or(index, |pool| pool.episode(&self.seeds, index))
    }

    /// The sampler's episode of a number.
    #[must_use]
    pub fn numbered(&self, number: u64) -> Episode {
        self.sampler.episode(&self.seeds, number)
    }

    /// The episode at `index`.
    #[must_use]
    pub fn episode(&self, index: u64) -> Episode {
        self.numbered(self.number(index))
    }

    /// The episode at `index`, gathered.
    ///
    /// # Errors
    /// Those of [`Task::gather`].
    pub fn task<T: Real + Intensity>(&self, index: u64) -> Result<Task<T>, AlgorithmError> {
        self.gather(&self.episode(index))
    }

    /// The images of an episode, and the number of each of its classes among those of the sampler.
    ///
    /// # Errors
    /// Those of [`Task::gather`].
    pub fn gather<T: Real + Intensity>(
        &self,
        episode: &Episode,
    ) -> Result<Task<T>, AlgorithmError> {
        let task = Task::gather(self.dataset, episode)?;
        let numbers = episode.classes.iter();
        let numbers = numbers.map(|class| self.sampler.number_of(*class));
        match numbers.collect::<Option<Vec<usize>>>() {
            Some(numbers) => task.numbered(numbers),
            // An episode of other classes, which a learner of tasks takes as it is.
            None => Ok(task),
        }
    }

    /// SHA-256 of the first `n` episodes.
    #[must_use]
    pub fn digest(&self, n: usize) -> String {
        list_digest((0..n as u64).map(|index| self.episode(index)))
    }

    /// The first `n` episodes.
    #[must_use]
    pub fn first(&self, n: usize) -> Vec<Episode> {
        (0..n as u64).map(|index| self.episode(index)).collect()
    }
}
