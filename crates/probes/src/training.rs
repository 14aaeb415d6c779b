//! The episodes that a training read, by index.

use metastable_algorithms::{AlgorithmError, Task};
use metastable_data::{Dataset, Episode, Sampler, Seeds, TaskPool};

/// Training episodes of a subject.
pub(crate) struct Training<'m> {
    pub(crate) dataset: &'m Dataset,
    pub(crate) sampler: Sampler,
    pub(crate) seeds: Seeds,
    /// Which of the sampler's episodes stand at which index; absent if each stands at its own.
    pub(crate) pool: Option<TaskPool>,
}

impl Training<'_> {
    /// Number of the sampler's episode that stands at `index`.
    pub(crate) fn number(&self, index: u64) -> u64 {
        self.pool
            .map_or(index, |pool| pool.episode(&self.seeds, index))
    }

    /// The sampler's episode of a number.
    pub(crate) fn numbered(&self, number: u64) -> Episode {
        self.sampler.episode(&self.seeds, number)
    }

    /// The episode at `index`, gathered.
    pub(crate) fn task(&self, index: u64) -> Result<Task<f32>, AlgorithmError> {
        self.gather(&self.numbered(self.number(index)))
    }

    /// The images of an episode.
    pub(crate) fn gather(&self, episode: &Episode) -> Result<Task<f32>, AlgorithmError> {
        Task::gather(self.dataset, episode)
    }
}
