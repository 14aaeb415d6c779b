//! What runs are made of: the data set, its split, and the samplers of a configuration.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use metastable_algorithms::{AlgorithmError, Task};
use metastable_data::{
    Dataset, Episode, EpisodeShape, GlyphsConfig, MetaSplit, Rotations, Sampler, Seeds, Split,
    SplitRule, TaskPool, list_digest,
};

use super::RunConfig;
use super::record::ClassLists;
use crate::files::sha256;
use crate::study::DataSettings;

/// A data set and its split.
pub(crate) struct Material {
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) split: Split,
}

impl Material {
    /// Loads the data set and splits it.
    pub(crate) fn load(
        data: &DataSettings,
        glyphs: &GlyphsConfig,
        data_dir: &Path,
        seeds: &Seeds,
    ) -> Result<Self> {
        let dataset = crate::dataset::load(data, glyphs, data_dir)?;
        Self::of(Arc::new(dataset), data, seeds)
    }

    /// Splits a data set.
    pub(crate) fn of(dataset: Arc<Dataset>, data: &DataSettings, seeds: &Seeds) -> Result<Self> {
        let rule: SplitRule = data.split.parse()?;
        let split = Split::new(&dataset, &rule, seeds)?;
        if !data.allow_duplicates {
            split.refuse_equal_over_parts(&dataset)?;
        }
        Ok(Self { dataset, split })
    }

    /// A source of training episodes.
    pub(crate) fn training(&self, config: &RunConfig) -> Result<Episodes<'_>> {
        let rotations = config.data.rotations.parse()?;
        let endless = self.episodes(
            config,
            MetaSplit::Train,
            config.episode,
            rotations,
            config.seeds,
        )?;
        Ok(Episodes {
            pool: config.pool,
            ..endless
        })
    }

    /// The list of validation or test episodes: the same for every run of a study.
    pub(crate) fn list(&self, config: &RunConfig, part: MetaSplit) -> Result<Episodes<'_>> {
        let shape = EpisodeShape {
            n_way: config.test.way,
            k_shot: config.test.shot,
            n_query: config.test.query,
        };
        let rotations = config.data.test_rotations.parse()?;
        self.episodes(config, part, shape, rotations, config.seeds.evaluation())
    }

    fn episodes(
        &self,
        config: &RunConfig,
        part: MetaSplit,
        shape: EpisodeShape,
        rotations: Rotations,
        seeds: Seeds,
    ) -> Result<Episodes<'_>> {
        let classes = self.split.classes(part);
        let within = config.data.within_alphabet;
        let sampler = Sampler::new(&self.dataset, classes, shape, rotations, within)
            .with_context(|| format!("episodes of the {part:?} classes cannot be drawn"))?;
        Ok(Episodes {
            dataset: &self.dataset,
            sampler,
            seeds,
            pool: None,
        })
    }

    /// SHA-256 over the names of the classes of each part, in order.
    pub(crate) fn split_digest(&self) -> Result<String> {
        Ok(sha256(&serde_json::to_vec(&self.class_lists())?))
    }

    /// Names of the classes of each part.
    pub(crate) fn class_lists(&self) -> ClassLists {
        let names = |part| {
            let names = self.split.class_names(&self.dataset, part);
            names.into_iter().map(str::to_owned).collect()
        };
        ClassLists {
            train: names(MetaSplit::Train),
            validation: names(MetaSplit::Validation),
            test: names(MetaSplit::Test),
            fewest_test_images: self.fewest_images(MetaSplit::Test),
        }
    }

    /// Images of the smallest class of a part.
    pub(crate) fn fewest_images(&self, part: MetaSplit) -> usize {
        let classes = self.split.classes(part).iter();
        let n_images = classes.map(|class| self.dataset.classes[*class as usize].n_images);
        n_images.min().unwrap_or(0)
    }
}

/// Episodes by index.
pub(crate) struct Episodes<'m> {
    dataset: &'m Dataset,
    sampler: Sampler,
    seeds: Seeds,
    /// Which of the sampler's episodes stand at which index; absent if each stands at its own.
    pool: Option<TaskPool>,
}

impl Episodes<'_> {
    /// Number of the sampler's episode that stands at `index`.
    pub(crate) fn number(&self, index: u64) -> u64 {
        self.pool
            .map_or(index, |pool| pool.episode(&self.seeds, index))
    }

    /// The sampler's episode of a number.
    pub(crate) fn numbered(&self, number: u64) -> Episode {
        self.sampler.episode(&self.seeds, number)
    }

    /// The episode at `index`.
    pub(crate) fn episode(&self, index: u64) -> Episode {
        self.numbered(self.number(index))
    }

    /// The episode at `index`, gathered.
    pub(crate) fn task(&self, index: u64) -> Result<Task<f32>, AlgorithmError> {
        self.gather(&self.episode(index))
    }

    /// The images of an episode.
    pub(crate) fn gather(&self, episode: &Episode) -> Result<Task<f32>, AlgorithmError> {
        Task::gather(self.dataset, episode)
    }

    /// SHA-256 of the first `n` episodes.
    pub(crate) fn digest(&self, n: usize) -> String {
        list_digest((0..n as u64).map(|index| self.episode(index)))
    }

    /// The class behind each label of the first `n` episodes, `(n, n_way)`.
    pub(crate) fn classes(&self, n: usize) -> Vec<u32> {
        (0..n as u64)
            .flat_map(|index| self.episode(index).classes)
            .map(|class| class.class_idx)
            .collect()
    }
}
