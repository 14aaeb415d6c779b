//! What a study of regressions may say: settings of classes and images are refused where they are written, and have no effect where
//! they are not.

use anyhow::{Result, bail};
use metastable_algorithms::{CheckedLearner, Head};
use metastable_data::{FunctionFamily, Rotations};
use metastable_models::{Beside, ImageShape, NetworkConfig};

use super::{Study, TestSettings};

/// Settings that only images and classes have.
const OF_CLASSES: [&str; 14] = [
    "episode.way",
    "test.way",
    "data.size",
    "data.split",
    "data.split_seed",
    "data.parts",
    "data.channels",
    "data.ink",
    "data.paper",
    "data.rotations",
    "data.test_rotations",
    "data.within_alphabet",
    "data.min_images",
    "data.held_out_file",
];

impl Study {
    /// The family of functions that it learns; none if it learns classes of images.
    pub(crate) fn family(&self) -> Option<&'static FunctionFamily> {
        FunctionFamily::find(&self.data.set).filter(|_| self.data.mix.is_empty())
    }

    /// Refuses what a study of this family, of functions or environments, says of classes and images.
    pub(crate) fn check_without_classes(&self, family: &str) -> Result<()> {
        for path in OF_CLASSES {
            let place = self.place(&[path]);
            // A study that was written out has every default in it.
            if !place.is_empty() && !self.is_usual(path) {
                bail!(
                    "{place}{path}: {} has neither classes nor images; leave it out",
                    family
                );
            }
        }
        let sizes = [
            ("episode.sizes", self.episode.sizes),
            ("test.sizes", self.test.sizes),
        ];
        if let Some((path, sizes)) = sizes.into_iter().find(|(_, sizes)| !sizes.is_even()) {
            bail!(
                "{}{path} = \"{sizes}\": it draws numbers of classes and of their supports, and {} has no classes; leave it at \"even\"",
                self.place(&[path]),
                family
            );
        }
        if self
            .probe
            .as_ref()
            .is_some_and(|probe| !probe.families.is_empty())
        {
            bail!(
                "{}[probe]: its questions are about classes and images, and {} has neither; leave the table out (certificates are made in any case)",
                self.place(&["probe"]),
                family
            );
        }
        Ok(())
    }

    /// Whether a setting of classes has its default.
    fn is_usual(&self, path: &str) -> bool {
        let usual = (
            super::DataSettings::default(),
            super::EpisodeSettings::default(),
        );
        let (data, episode) = (&self.data, &self.episode);
        match path {
            "episode.way" => episode.way == usual.1.way,
            "test.way" => self.test.way == TestSettings::default().way,
            "data.size" => data.size == usual.0.size,
            "data.split" => data.split == usual.0.split,
            "data.split_seed" => data.split_seed == usual.0.split_seed,
            "data.parts" => data.parts == usual.0.parts,
            "data.channels" => data.channels == usual.0.channels,
            "data.ink" => data.ink == usual.0.ink,
            "data.paper" => data.paper == usual.0.paper,
            "data.rotations" => data.rotations == Rotations::Off,
            "data.test_rotations" => data.test_rotations == Rotations::Off,
            "data.within_alphabet" => !data.within_alphabet,
            "data.min_images" => data.min_images == 0,
            _ => data.held_out_file.is_empty(),
        }
    }

    /// The network for one number in and one out.
    pub(crate) fn for_numbers(network: NetworkConfig) -> NetworkConfig {
        NetworkConfig {
            image: ImageShape {
                height: 1,
                width: 1,
                channels: 1,
            },
            ..network
        }
    }

    /// Refuses a learner that needs classes, with the reason.
    pub(crate) fn check_regressor(&self, name: &str, learner: &CheckedLearner) -> Result<()> {
        let own = |key: &str| format!("learners.{name}{key}");
        let reason = match learner.head() {
            Head::Linear => return Ok(()),
            Head::Beside(Beside::Copy | Beside::PerTensor(_)) => {
                "is written for cross-entropy alone; take one that adapts a head (maml, fomaml, anil, boil, reptile)"
            }
            Head::None if learner.entry().head == Head::Linear => {
                "starts its head at the prototypes of classes; leave head at \"linear\""
            }
            Head::Tied => "copies its head for each class; leave head at \"linear\"",
            Head::Classes { .. } => {
                "is trained to tell all training classes apart; take one that adapts a head (maml, fomaml, anil, boil, reptile)"
            }
            Head::None | Head::Beside(Beside::Nothing | Beside::Numbers(_) | Beside::Linear(_)) => {
                "compares queries with the supports of classes, or is told them by another process; take one that adapts a head (maml, fomaml, anil, boil, reptile)"
            }
        };
        bail!(
            "{}{name} {reason}: a regression has no classes",
            self.place(&[&own(".head"), &own("")])
        )
    }
}
