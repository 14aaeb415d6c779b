//! What runs are made of: the data set, its split, and the samplers of a configuration.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use metastable_algorithms::Episodes;
use metastable_data::{
    Dataset, EpisodeShape, FunctionFamily, Functions, GlyphsConfig, MetaSplit, Rotations, Sampler,
    Seeds, Sizes, Split, SplitRule,
};

use super::RunConfig;
use super::goals::Goals;
use super::record::ClassLists;
use super::tasks::Tasks;
use super::world::World;
use crate::files::sha256;
use crate::study::DataSettings;

/// A data set and its split; of a family of functions, both without a class.
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
        let is_function = FunctionFamily::find(&data.set).is_some();
        let is_environment = World::of(&data.set, data.environment.as_ref()).is_some();
        if (is_function || is_environment) && data.mix.is_empty() {
            let (train, validation, test) = (Vec::new(), Vec::new(), Vec::new());
            let split = Split {
                rule,
                train,
                validation,
                test,
            };
            return Ok(Self { dataset, split });
        }
        let mut split = Split::new(&dataset, &rule, seeds)?;
        if !data.held_out.is_empty() {
            split = split.without_training_of(&dataset, &data.held_out)?;
        }
        let dataset = match data.held_out_file.as_str() {
            "" => dataset,
            file => Arc::new(dataset.holding_out(file, &split)?),
        };
        if !data.allow_duplicates {
            split.refuse_equal_over_parts(&dataset)?;
        }
        Ok(Self { dataset, split })
    }

    /// Classes that training draws from, turns counted where they are classes.
    pub(crate) fn n_training_classes(&self, rotations: Rotations) -> usize {
        self.split.classes(MetaSplit::Train).len() * rotations.n_variants() as usize
    }

    /// A source of training tasks.
    pub(crate) fn training(&self, config: &RunConfig) -> Result<Tasks<'_>> {
        if let Some(family) = config.family() {
            return Ok(Tasks::Functions(Functions {
                family,
                part: MetaSplit::Train,
                n_support: config.episode.k_shot,
                n_query: config.episode.n_query,
                seeds: config.seeds,
                pool: config.pool,
            }));
        }
        if let Some(world) = config.environment() {
            return Ok(Tasks::Goals(Goals {
                world,
                part: MetaSplit::Train,
                seeds: config.seeds,
            }));
        }
        let rotations = config.data.rotations;
        let endless = self.episodes(
            config,
            MetaSplit::Train,
            (config.episode, config.episode_sizes),
            rotations,
            config.seeds,
        )?;
        Ok(Tasks::Episodes(Episodes {
            pool: config.pool,
            ..endless
        }))
    }

    /// The list of validation or test tasks: the same for every run of a study.
    pub(crate) fn list(&self, config: &RunConfig, part: MetaSplit) -> Result<Tasks<'_>> {
        if let Some(family) = config.family() {
            return Ok(Tasks::Functions(Functions {
                family,
                part,
                n_support: config.test.shot,
                n_query: config.test.query,
                seeds: config.seeds.evaluation(),
                pool: None,
            }));
        }
        if let Some(world) = config.environment() {
            return Ok(Tasks::Goals(Goals {
                world,
                part,
                seeds: config.seeds.evaluation(),
            }));
        }
        let sizes = (config.test.shape(), config.test.sizes);
        let rotations = config.data.test_rotations;
        let seeds = config.seeds.evaluation();
        self.episodes(config, part, sizes, rotations, seeds)
            .map(Tasks::Episodes)
    }

    fn episodes(
        &self,
        config: &RunConfig,
        part: MetaSplit,
        sizes: (EpisodeShape, Sizes),
        rotations: Rotations,
        seeds: Seeds,
    ) -> Result<Episodes<'_>> {
        let classes = self.split.classes(part);
        let within = config.data.within_alphabet;
        let sampler = Sampler::sized(&self.dataset, classes, sizes, rotations, within)
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
            fewest_test_images: self.split.fewest_images(&self.dataset, MetaSplit::Test),
        }
    }
}
