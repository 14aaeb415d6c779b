//! The data that learners are asked about: those of their training, and others; each set is loaded once.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use metastable_data::{GlyphsConfig, Ink, Paper};
use metastable_models::ImageShape;
use metastable_probes::shift::Other;

use crate::dataset::GLYPHS;
use crate::plan::Planned;
use crate::run::{Material, RunConfig};
use crate::study::DataSettings;

/// What tells one material from another: the data set, which several may share, and how it is split.
#[derive(PartialEq)]
struct Key {
    dataset: String,
    split_seed: u64,
}

/// Data sets with their splits, and other ones in each shape of image.
pub(super) struct Materials<'d> {
    data_dir: &'d Path,
    own: Vec<(Key, Arc<Material>)>,
    others: Vec<(ImageShape, Vec<Other>)>,
}

impl<'d> Materials<'d> {
    pub(super) fn new(data_dir: &'d Path) -> Self {
        Self {
            data_dir,
            own: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Keeps the data of a run that a study has just planned.
    pub(super) fn keep(&mut self, run: &Planned) -> Result<()> {
        let key = key(&run.config)?;
        if !self.own.iter().any(|(known, _)| *known == key) {
            self.own.push((key, Arc::clone(&run.material)));
        }
        Ok(())
    }

    /// Loads the data of a run, which have to be those of its training, unless they are here.
    pub(super) fn load(&mut self, config: &RunConfig) -> Result<()> {
        let key = key(config)?;
        if self.own.iter().any(|(known, _)| *known == key) {
            return Ok(());
        }
        let shared = self.own.iter().find(|(of, _)| of.dataset == key.dataset);
        let material = match shared {
            Some((_, other)) => {
                let dataset = Arc::clone(&other.dataset);
                Material::of(dataset, &config.data, &config.seeds)?
            }
            None => {
                let glyphs = config
                    .glyphs
                    .clone()
                    .unwrap_or_else(|| glyphs_of(&config.data));
                Material::load(&config.data, &glyphs, self.data_dir, &config.seeds)?
            }
        };
        if material.dataset.digest != config.data_digest {
            bail!(
                "the data are not those of the training (digest {} there, {} here): answers would be about other classes",
                config.data_digest,
                material.dataset.digest
            );
        }
        self.own.push((key, Arc::new(material)));
        Ok(())
    }

    /// Loads other data sets, in the size and the channels of a run's images.
    pub(super) fn load_others(&mut self, sets: &[String], config: &RunConfig) -> Result<()> {
        let image = config.network.image;
        if self.others.iter().any(|(shape, _)| *shape == image) {
            return Ok(());
        }
        let channels = image.channels.to_string().parse()?;
        let open = |set: &String| -> Result<Other> {
            let data = DataSettings {
                channels,
                ink: Ink::Auto,
                paper: Paper::Auto,
                ..config.data.of(set)
            };
            let dataset = crate::dataset::load(&data, &glyphs_of(&data), self.data_dir)
                .with_context(|| format!("while opening {set}"))?;
            Ok(Other {
                set: set.clone(),
                dataset,
            })
        };
        // Glyphs are drawn square, and are no other data of images that are not.
        let is_drawn = |set: &&String| image.height == image.width || *set != GLYPHS.0;
        let others = sets.iter().filter(is_drawn).map(open);
        let others = others.collect::<Result<_>>()?;
        self.others.push((image, others));
        Ok(())
    }

    /// The data of a run that were loaded.
    pub(super) fn of(&self, config: &RunConfig) -> Result<&Material> {
        let key = key(config)?;
        let found = self.own.iter().find(|(known, _)| *known == key);
        found
            .map(|(_, material)| &**material)
            .ok_or_else(|| anyhow!("no data were loaded for a run, which is a bug"))
    }

    /// The other data sets that were loaded for images of this run's shape.
    pub(super) fn others(&self, config: &RunConfig) -> &[Other] {
        let image = config.network.image;
        let found = self.others.iter().find(|(known, _)| *known == image);
        found.map_or(&[], |(_, others)| others)
    }
}

fn key(config: &RunConfig) -> Result<Key> {
    Ok(Key {
        dataset: serde_json::to_string(&(&config.data, &config.glyphs))?,
        split_seed: config.seeds.split,
    })
}

/// The usual glyphs, at the size of these images.
fn glyphs_of(data: &DataSettings) -> GlyphsConfig {
    GlyphsConfig {
        // Where height and width differ, loading refuses glyphs.
        side: data.size.height,
        ..GlyphsConfig::default()
    }
}
