//! Everything that determines one run: what its record holds, what its hash is taken over.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use metastable_algorithms::{LearnerConfig, TrainConfig};
use metastable_data::{
    Channels, EpisodeShape, FunctionFamily, GlyphsConfig, Rotations, Seeds, Sizes, Stream, TaskPool,
};
use metastable_guests::OUTSIDE;
use metastable_models::{Backend, DeviceSpec, Init, NetworkConfig};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::numerics::{BUILD, Numerics};
use super::world::World;
use crate::files::sha256;
use crate::study::{DataSettings, TestSettings};

/// The configuration of one run. Two runs of equal configuration have equal bits, whatever study asks for them and
/// whatever it calls them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunConfig {
    pub(crate) data: DataSettings,
    /// Of the glyphs data set alone.
    pub(crate) glyphs: Option<GlyphsConfig>,
    /// SHA-256 of the images, whatever their container.
    pub(crate) data_digest: String,
    /// SHA-256 over the names of the classes for training, validation and test.
    #[serde(default)]
    pub(crate) split_digest: String,
    /// Training episodes.
    pub(crate) episode: EpisodeShape,
    /// What of that is drawn.
    #[serde(default, skip_serializing_if = "Sizes::is_even")]
    pub(crate) episode_sizes: Sizes,
    /// The pool that they are drawn from; absent for endless ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<TaskPool>,
    #[serde(serialize_with = "without_combination")]
    pub(crate) test: TestSettings,
    pub(crate) network: NetworkConfig,
    /// What its initial weights are drawn from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) init: Init,
    pub(crate) learner: LearnerConfig,
    pub(crate) training: TrainConfig,
    pub(crate) seeds: Seeds,
    /// How often the same training was made before. Nothing reads it: it gives a training that is to be made again, and not
    /// found in the store, an identity of its own.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(crate) repetition: u32,
    /// Outer steps between two lines of the log: the lines are means since the last.
    pub(crate) log_every: usize,
    pub(crate) compute: Compute,
    /// The build and the machine.
    #[serde(default)]
    pub(crate) numerics: Numerics,
}

/// What computes; it can change the last bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compute {
    /// `cpu`, `cuda:N` or `metal`.
    pub(crate) device: String,
    /// `fused` or `graph`.
    pub(crate) backend: Backend,
    pub(crate) dtype: String,
}

impl Compute {
    /// Checks what the user asked for: the fused kernels on the CPU and the graph elsewhere, if nothing was said.
    pub(crate) fn new(device: Option<&str>, backend: Option<Backend>) -> Result<Self> {
        let device: DeviceSpec = device.unwrap_or("cpu").parse()?;
        device.check()?;
        let backend = match backend {
            None => Backend::for_device(device),
            Some(Backend::Fused) if device != DeviceSpec::Cpu => bail!(
                "--backend fused runs on the CPU only; leave out --device {device}, or take --backend graph"
            ),
            Some(backend) => backend,
        };
        Ok(Self {
            device: device.to_string(),
            backend,
            dtype: String::from("f32"),
        })
    }
}

/// What combines checkpoints is written where there are several: a run of one keeps the identity that it had before there were any.
fn without_combination<S: Serializer>(test: &TestSettings, to: S) -> Result<S::Ok, S::Error> {
    if test.checkpoints > 1 {
        return test.serialize(to);
    }
    let TestSettings {
        way,
        shot,
        query,
        sizes,
        episodes,
        seed,
        curves,
        weights,
        checkpoints: _,
        combine: _,
    } = test;
    let mut written = to.serialize_struct("TestSettings", 8)?;
    written.serialize_field("way", way)?;
    written.serialize_field("shot", shot)?;
    written.serialize_field("query", query)?;
    written.serialize_field("sizes", sizes)?;
    written.serialize_field("episodes", episodes)?;
    written.serialize_field("seed", seed)?;
    written.serialize_field("curves", curves)?;
    written.serialize_field("weights", weights)?;
    written.end()
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_default(init: &Init) -> bool {
    *init == Init::default()
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_first(repetition: &u32) -> bool {
    *repetition == 0
}

impl RunConfig {
    /// The family of functions that its tasks are of; none for images.
    pub(crate) fn family(&self) -> Option<&'static FunctionFamily> {
        FunctionFamily::find(&self.data.set).filter(|_| self.data.mix.is_empty())
    }

    /// The family of environments that its tasks are of; none for images and functions.
    pub(crate) fn environment(&self) -> Option<World> {
        World::of(&self.data.set, self.data.environment.as_ref())
            .filter(|_| self.data.mix.is_empty())
    }

    /// Whether it is a guest's: its network is elsewhere.
    pub(crate) fn is_guest(&self) -> bool {
        self.network.name == OUTSIDE
    }

    /// Whether it is a regression.
    pub(crate) fn is_regression(&self) -> bool {
        self.family().is_some()
    }

    /// Whether it is a policy's.
    pub(crate) fn is_policy(&self) -> bool {
        self.environment().is_some()
    }

    /// Whether its scores are shares of right answers.
    pub(crate) fn has_classes(&self) -> bool {
        self.family().is_none() && self.environment().is_none()
    }

    /// `glyphs 5-way 1-shot`, and `pool of 100` where there is one: runs are comparable within a setting.
    pub(crate) fn setting(&self) -> String {
        let shape = self.setting_of_any_pool();
        match self.pool {
            None => shape,
            Some(pool) => format!("{shape}, pool of {}", pool.size()),
        }
    }

    /// The setting but for the pool.
    pub(crate) fn setting_of_any_pool(&self) -> String {
        if let Some(family) = self.family() {
            return format!("{} {}-shot", family.name, self.test.shot);
        }
        if let Some(world) = self.environment() {
            return format!("{} {} rollouts", world.name(), self.test.query);
        }
        format!(
            "{} {}",
            self.data_name(),
            self.test.sizes.title(self.test.shape())
        )
    }

    /// `glyphs`; of a mix `glyphs+omniglot`; `emoji-grey` where the study says how many channels to read; and
    /// `glyphs+omniglot-without-glyphs` where a domain is held out.
    fn data_name(&self) -> String {
        let names: Vec<String> = self.data.sets().iter().map(|set| set_name(set)).collect();
        let mut name = names.join("+");
        name += match self.data.channels {
            Channels::Auto => "",
            Channels::One => "-grey",
            Channels::Three => "-colour",
        };
        for held_out in [&self.data.held_out, &self.data.held_out_file] {
            if !held_out.is_empty() {
                name += &format!("-without-{}", set_name(held_out));
            }
        }
        name
    }

    /// `maml-glyphs-5w1s-s0`: what a study calls the run of one of its learners, with something that tells its seeds.
    pub(crate) fn label(&self, learner: &str, seeds: &str) -> String {
        let size = match self.family() {
            Some(_) => format!("{}s", self.test.shot),
            None if self.environment().is_some() => format!("{}r", self.test.query),
            None => self.test.sizes.label(self.test.shape()),
        };
        format!("{learner}-{}-{size}-{seeds}", self.data_name())
    }

    /// The same training with no task of its pool exchanged, made for the first time.
    pub(crate) fn original(&self) -> Self {
        Self {
            pool: self.pool.map(|pool| pool.whole()),
            repetition: 0,
            ..self.clone()
        }
    }

    /// SHA-256 over everything that determines the run: its identity, in any study.
    pub(crate) fn identity(&self) -> Result<String> {
        Ok(sha256(&serde_json::to_vec(self)?))
    }

    /// SHA-256 over everything that determines the weights of a training: the identity without what is measured on them.
    ///
    /// Two runs that agree in it have the same weights after every step, and validate after the same steps. They may differ
    /// in the episodes of validation and test, and in what is recorded of them.
    pub(crate) fn training_identity(&self) -> Result<String> {
        let training = TrainConfig {
            validation_tasks: 1,
            inspected_tasks: 0,
            ..self.training.clone()
        };
        Self {
            data: DataSettings {
                test_rotations: Rotations::Off,
                ..self.data.clone()
            },
            test: TestSettings::default(),
            training,
            seeds: self.seeds.with(Stream::Eval, 0),
            // The code is that of the tests too; weights are taken over within one build.
            numerics: Numerics {
                code: BUILD.to_owned(),
                ..self.numerics.clone()
            },
            ..self.clone()
        }
        .identity()
    }

    /// Whether the same weights get the same validations as in another run: the same episodes, looked at as closely.
    pub(crate) fn validates_like(&self, other: &Self) -> bool {
        let of = |config: &Self| {
            let TestSettings {
                way,
                shot,
                query,
                sizes,
                seed,
                // Of the test alone.
                episodes: _,
                curves: _,
                weights: _,
                checkpoints: _,
                combine: _,
            } = config.test;
            let training = &config.training;
            (
                ([way, shot, query], sizes),
                [training.validation_tasks, training.inspected_tasks],
                [seed, config.seeds.eval],
                config.data.test_rotations,
            )
        };
        of(self) == of(other)
    }

    /// The configuration as `dotted.path -> value`.
    pub(crate) fn flat(&self) -> Result<BTreeMap<String, String>> {
        let mut flat = BTreeMap::new();
        flatten(&serde_json::to_value(self)?, "", &mut flat);
        Ok(flat)
    }
}

/// `folder:/a/b/mine` is called `mine`.
pub(crate) fn set_name(set: &str) -> String {
    let name = match set.split_once(':') {
        None => set.to_owned(),
        Some((kind, path)) => PathBuf::from(path).file_stem().map_or_else(
            || kind.to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        ),
    };
    // Letters of every script are kept, and marks that belong to them: two sets are not to be called the same.
    let is_plain = |c: &char| {
        c.is_ascii_alphanumeric() || !(c.is_ascii() || c.is_whitespace() || c.is_control())
    };
    name.chars()
        .map(|c| if is_plain(&c) { c } else { '_' })
        .collect()
}

/// Leaves of a JSON tree by dotted path; absent values are left out.
pub(crate) fn flatten(value: &Value, path: &str, flat: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let full = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(inner, &full, flat);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            flat.insert(path.to_owned(), text.clone());
        }
        other => {
            flat.insert(path.to_owned(), other.to_string());
        }
    }
}

/// `key: was a, is b` of the first few keys that differ.
pub(crate) fn differences(
    was: &BTreeMap<String, String>,
    is: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut keys: Vec<&String> = was.keys().chain(is.keys()).collect();
    keys.sort();
    keys.dedup();
    let absent = String::from("absent");
    keys.into_iter()
        .filter_map(|key| {
            let (was, is) = (was.get(key), is.get(key));
            (was != is).then(|| {
                format!(
                    "{key} was {}, is now {}",
                    was.unwrap_or(&absent),
                    is.unwrap_or(&absent)
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::set_name;

    #[test]
    fn sets_in_any_script_have_names_of_their_own() {
        assert_eq!(set_name("folder:/a/my set.v1"), "my_set");
        assert_eq!(set_name("folder:原型"), "原型");
        assert_eq!(set_name("folder:网络"), "网络");
        // The mark of a decomposed letter, as some systems list it, and a space that is not ASCII's.
        assert_eq!(set_name("folder:Cafe\u{301}\u{3000}x"), "Cafe\u{301}_x");
    }
}
