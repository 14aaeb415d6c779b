//! Studies: what to run, read from TOML, changed by `--set`, and checked before anything starts.

pub(crate) mod bounds;
mod builtin;
mod choice;
mod depth;
mod design;
pub(crate) mod factors;
mod regression;
mod replace;
mod returns;
mod run_settings;
pub(crate) mod section;
mod settings;
pub(crate) mod streams;
pub(crate) mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use metastable_algorithms::LearnerConfig;
use metastable_data::{EpisodeShape, GlyphsConfig};
use metastable_models::{NetworkConfig, Norm};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::files::read_text;
use crate::flags::Shorthand;
use crate::probe::Family;
use crate::registry::registry;
use choice::NormKind;
use design::Design;
use section::{fill, join, read, table, unknown};
use tree::{Entry, Item, Origin};

pub(crate) use builtin::STUDIES;
pub(crate) use choice::{Chosen, Combine};
pub(crate) use replace::Exchange;
pub(crate) use run_settings::RunSettings;
pub(crate) use section::suggestion;
pub(crate) use settings::{
    DataSettings, EpisodeSettings, Head, NetworkSettings, ProbeSettings, TestSettings,
    TrainingSettings, ValidationSettings,
};

/// The tables of a study; every other key at the root is one of [`Head`].
const TABLES: [&str; 17] = [
    "data",
    "environment",
    "glyphs",
    "episode",
    "validation",
    "test",
    "network",
    "run",
    "learner",
    "learners",
    "settings",
    "factors",
    "design",
    "replace",
    "streams",
    "analysis",
    "probe",
];

/// A study whose settings are all within their bounds.
#[derive(Clone, Debug)]
pub(crate) struct Study {
    pub(crate) head: Head,
    pub(crate) data: DataSettings,
    pub(crate) glyphs: GlyphsConfig,
    pub(crate) episode: EpisodeSettings,
    pub(crate) validation: ValidationSettings,
    pub(crate) test: TestSettings,
    pub(crate) network: NetworkSettings,
    pub(crate) run: RunSettings,
    /// In the order of the file.
    pub(crate) learners: Vec<StudyLearner>,
    /// What multiplies the runs.
    pub(crate) design: Design,
    /// What the trained learners are asked.
    pub(crate) probe: Option<ProbeSettings>,
    /// Where each setting was written, by dotted path.
    places: BTreeMap<String, Origin>,
}

/// One learner of a study: an algorithm with settings, under a name of its own.
#[derive(Clone, Debug)]
pub(crate) struct StudyLearner {
    /// Name of its table.
    pub(crate) name: String,
    /// Algorithm and settings, defaults filled in.
    pub(crate) learner: LearnerConfig,
    pub(crate) training: TrainingSettings,
}

impl Study {
    /// Reads a built-in study by name, or a file, with the changes of the command line.
    pub(crate) fn load(name: &str, sets: &[String], shorthands: &[Shorthand]) -> Result<Self> {
        let mut tree = match STUDIES.iter().find(|study| study.name == name) {
            Some(study) => tree::parse(study.text, &format!("docs/studies/{name}.toml"))?,
            None if Path::new(name).exists() => tree::parse(&read_text(Path::new(name))?, name)?,
            None => {
                let names: Vec<&str> = STUDIES.iter().map(|study| study.name).collect();
                bail!(
                    "{name:?} is neither a file nor a built-in study; {}",
                    suggestion(name, &names)
                )
            }
        };
        let is_built_in = STUDIES.iter().any(|study| study.name == name);
        let is_of_the_user =
            |it: &&Shorthand| it.path == "data.set" && crate::dataset::is_of_the_user(&it.value);
        // What a built-in study says of the split is for its own data; whoever says more on the command line is right.
        if let Some(own) = shorthands
            .iter()
            .find(is_of_the_user)
            .filter(|_| is_built_in)
        {
            let origin = format!("{} {}", own.flag, own.value);
            tree::put(&mut tree, "data.split", "auto", origin)?;
        }
        for assignment in sets {
            tree::set(&mut tree, assignment)?;
        }
        for shorthand in shorthands {
            let Shorthand { path, flag, value } = shorthand;
            let origin = format!("{flag} {value}");
            if is_of_the_user(&shorthand) {
                // Their layout says how they are split, where nobody else does.
                tree::put_missing(&mut tree, "data.split", "auto", &origin);
            }
            tree::put(&mut tree, path, value, origin)?;
        }
        Self::read(&tree)
    }

    /// Reads a study from its text; `name` is what messages call it.
    pub(crate) fn of_text(text: &str, name: &str) -> Result<Self> {
        Self::read(&tree::parse(text, name)?)
    }

    /// Reads a study from its tree.
    pub(crate) fn read(tree: &[Entry]) -> Result<Self> {
        let mut head = Vec::new();
        let mut tables: BTreeMap<&str, &[Entry]> = BTreeMap::new();
        for entry in tree {
            let key = entry.key.as_str();
            if TABLES.contains(&key) {
                tables.insert(key, table(entry, key)?);
            } else if matches!(entry.item, Item::Table(_)) {
                return Err(unknown(entry, "", &TABLES));
            } else {
                head.push(entry.clone());
            }
        }
        let of = |name: &str| tables.get(name).copied().unwrap_or_default();
        let mut data = read(
            of("data"),
            "data",
            &DataSettings::default(),
            DataSettings::check,
        )?;
        data.environment = returns::read_outside(tables.get("environment").copied(), &data.set)?;
        let side = data.side_of_glyphs()?;
        let glyphs = GlyphsConfig {
            side,
            ..GlyphsConfig::default()
        };
        let mut places = BTreeMap::new();
        note_places(tree, "", &mut places);
        let design = Design::read(tree)?;
        let head = read_head(&head, &design)?;
        let learners = read_learners(of("learner"), of("learners"))?;
        check_bases(&design, &learners, &places)?;
        Ok(Self {
            head,
            design,
            glyphs: read(of("glyphs"), "glyphs", &glyphs, |glyphs| {
                let advice = "is data.size; change it there";
                section::require(glyphs.side == side, "side", glyphs.side, advice)?;
                Ok(glyphs.validate()?)
            })?,
            data,
            episode: read(
                of("episode"),
                "episode",
                &EpisodeSettings::default(),
                EpisodeSettings::check,
            )?,
            validation: read(
                of("validation"),
                "validation",
                &ValidationSettings::default(),
                ValidationSettings::check,
            )?,
            test: read(
                of("test"),
                "test",
                &TestSettings::default(),
                TestSettings::check,
            )?,
            network: read(
                of("network"),
                "network",
                &NetworkSettings::default(),
                check_network,
            )?,
            run: read(
                of("run"),
                "run",
                &RunSettings::default(),
                RunSettings::check,
            )?,
            learners,
            probe: match tables.get("probe") {
                None => None,
                Some(entries) => Some(read(
                    entries,
                    "probe",
                    &ProbeSettings::default(),
                    ProbeSettings::check,
                )?),
            },
            places,
        })
    }

    /// `file:line: ` of the first of these settings that was written, those on the command line before those of the
    /// file; empty where defaults hold.
    pub(crate) fn place(&self, paths: &[&str]) -> String {
        let written = || paths.iter().filter_map(|path| self.places.get(*path));
        let is_flag = |origin: &&Origin| matches!(origin, Origin::Flag(_));
        written()
            .find(is_flag)
            .or_else(|| written().next())
            .map_or_else(String::new, |origin| format!("{origin}: "))
    }

    /// What its trained learners are asked: whatever it declares, and certificates in any case.
    pub(crate) fn questions(&self) -> ProbeSettings {
        let mut settings = self.probe.clone().unwrap_or_else(|| ProbeSettings {
            families: Vec::new(),
            ..ProbeSettings::default()
        });
        settings.families.push(Family::Certificate);
        settings.families.sort();
        settings.families.dedup();
        settings
    }

    /// Size of a learner's training episodes.
    pub(crate) fn train_shape(&self, training: &TrainingSettings) -> EpisodeShape {
        EpisodeShape {
            n_way: training.way.unwrap_or(self.episode.way),
            k_shot: training.shot.unwrap_or(self.episode.shot),
            n_query: training.query.unwrap_or(self.episode.query),
        }
    }

    /// The network with a head for so many classes, or without one, for images of so many channels.
    pub(crate) fn network(&self, n_way: Option<usize>, channels: usize) -> NetworkConfig {
        NetworkConfig {
            name: self.network.name.clone(),
            form: registry().form(&self.network.name),
            image: metastable_models::ImageShape {
                height: self.data.size.height,
                width: self.data.size.width,
                channels,
            },
            n_blocks: self.network.blocks,
            width: self.network.width,
            norm: match self.network.norm {
                NormKind::Batch => Norm::Batch,
                NormKind::Running => Norm::Running,
                NormKind::PerStep => Norm::PerStep {
                    n_steps: self.network.norm_steps,
                },
                NormKind::None => Norm::None,
            },
            n_way,
        }
    }

    /// The whole study with every default written out; reading it gives the same study.
    pub(crate) fn to_toml(&self) -> Result<String> {
        if let Some(text) = self.design.written() {
            return Ok(format!(
                "# The study as it was run; settings that are absent have their defaults.\n{text}"
            ));
        }
        let mut text = String::from("# The study as it was run, every default written out.\n");
        text += &toml::to_string(&self.head)?;
        let mut section = |name: &str, body: &dyn erased::Toml| -> Result<()> {
            write!(text, "\n[{name}]\n{}", body.text()?)?;
            Ok(())
        };
        // A table [environment] follows its values, as a table of its own.
        section("data", &self.data)?;
        if self.data.has_glyphs() {
            section("glyphs", &self.glyphs)?;
        }
        section("episode", &self.episode)?;
        section("validation", &self.validation)?;
        section("test", &self.test)?;
        section("network", &self.network)?;
        section("run", &self.run)?;
        for learner in &self.learners {
            let path = format!("learners.{}", learner.name);
            let (tables, values): (BTreeMap<_, _>, BTreeMap<_, _>) = learner
                .table()?
                .into_iter()
                .partition(|(_, value)| value.is_object());
            section(&path, &values)?;
            for (key, table) in &tables {
                section(&format!("{path}.{key}"), table)?;
            }
        }
        if let Some(probe) = &self.probe {
            section("probe", probe)?;
        }
        Ok(text)
    }
}

/// Sections of several types behind one function.
mod erased {
    pub(super) trait Toml {
        fn text(&self) -> anyhow::Result<String>;
    }

    impl<S: serde::Serialize> Toml for S {
        fn text(&self) -> anyhow::Result<String> {
            Ok(toml::to_string(self)?)
        }
    }
}

impl StudyLearner {
    /// All keys of its table.
    fn table(&self) -> Result<BTreeMap<String, Value>> {
        let mut table = BTreeMap::from([(
            String::from("algorithm"),
            Value::from(self.learner.name.as_str()),
        )]);
        table.extend(self.learner.settings.clone());
        table.extend(object(&self.training)?);
        // TOML has no null: an absent key is an absent value.
        table.retain(|_, value| !value.is_null());
        Ok(table)
    }
}

fn object(section: &impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(section)? {
        Value::Object(map) => Ok(map),
        other => bail!("settings are no table but {other}"),
    }
}

fn note_places(entries: &[Entry], path: &str, places: &mut BTreeMap<String, Origin>) {
    for entry in entries {
        let full = join(path, &entry.key);
        if let Item::Table(inner) = &entry.item {
            note_places(inner, &full, places);
        }
        places.insert(full, entry.origin.clone());
    }
}

/// The keys before the first table.
fn read_head(entries: &[Entry], design: &Design) -> Result<Head> {
    let mut head = read(entries, "", &Head::default(), Head::check)?;
    if design.streams.names.is_empty() {
        return Ok(head);
    }
    match entries.iter().find(|entry| entry.key == "seeds") {
        Some(entry) if head.seeds != 1 => bail!(
            "{}: seeds = {}: [streams] says how many seeds each stream has; leave it out here",
            entry.origin,
            head.seeds
        ),
        _ => head.seeds = 1,
    }
    Ok(head)
}

fn check_network(network: &NetworkSettings) -> Result<()> {
    network.check()?;
    let networks = registry().networks().iter();
    let names: Vec<&str> = networks.map(|entry| entry.name).collect();
    section::require(
        names.contains(&network.name.as_str()),
        "name",
        &network.name,
        &suggestion(&network.name, &names),
    )
}

/// `[learners.*]`, each over what `[learner]` says for all.
fn read_learners(common: &[Entry], tables: &[Entry]) -> Result<Vec<StudyLearner>> {
    if tables.is_empty() {
        bail!("the study has no learner; add a table such as [learners.maml]");
    }
    let mut known = Vec::new();
    let mut learners = Vec::new();
    for entry in tables {
        let path = join("learners", &entry.key);
        let own = table(entry, &path)?;
        let (learner, keys) = read_learner(entry, &path, own, common)?;
        learners.push(learner);
        known.extend(keys);
    }
    known.sort_unstable();
    known.dedup();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    match common.iter().find(|entry| !known.contains(&entry.key)) {
        Some(stray) => Err(unknown(stray, "learner", &names)),
        None => Ok(learners),
    }
}

/// A promise is one of a learner of the study over another.
fn check_bases(
    design: &Design,
    learners: &[StudyLearner],
    places: &BTreeMap<String, Origin>,
) -> Result<()> {
    let names: Vec<&str> = learners.iter().map(|it| it.name.as_str()).collect();
    for pair in &design.analysis.bases {
        if let Some(stray) = pair.iter().find(|it| !names.contains(&it.as_str())) {
            let place = places.get("analysis.bases");
            bail!(
                "{}analysis.bases: the study has no learner {stray:?}; {}",
                place.map_or_else(String::new, |origin| format!("{origin}: ")),
                suggestion(stray, &names)
            );
        }
    }
    Ok(())
}

/// One learner, and the keys it has.
fn read_learner(
    entry: &Entry,
    path: &str,
    own: &[Entry],
    common: &[Entry],
) -> Result<(StudyLearner, Vec<String>)> {
    let name = &entry.key;
    if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        bail!(
            "{}: [{path}]: the name becomes a folder: use letters, digits, - and _",
            entry.origin
        );
    }
    let named = own.iter().find(|setting| setting.key == "algorithm");
    let (algorithm, origin) = match named {
        None => (name.as_str(), &entry.origin),
        Some(setting) => match &setting.item {
            Item::Text(text) => (text.as_str(), &setting.origin),
            item => bail!(
                "{}: {path}.algorithm = {item}: has to be a string",
                setting.origin
            ),
        },
    };
    let learners = registry().learners();
    let names: Vec<&str> = learners.iter().map(|entry| entry.name).collect();
    let Some(algorithm) = learners.iter().find(|entry| entry.name == algorithm) else {
        bail!(
            "{origin}: [{path}]: there is no algorithm {algorithm:?}; {}",
            suggestion(algorithm, &names)
        );
    };
    let training = object(&TrainingSettings::default())?;
    let settings = algorithm.defaults();
    let known: Vec<&str> = settings
        .keys()
        .chain(training.keys())
        .map(String::as_str)
        .collect();

    let says = |entry: &&Entry| entry.key != "algorithm";
    let mut entries: Vec<Entry> = own.iter().filter(says).cloned().collect();
    for setting in common {
        let overridden = own.iter().any(|entry| entry.key == setting.key);
        if !overridden && known.contains(&setting.key.as_str()) {
            entries.push(setting.clone());
        }
    }
    let build = |filled: &Map<String, Value>| -> Result<StudyLearner> {
        let (training, settings): (Map<_, _>, Map<_, _>) = filled
            .clone()
            .into_iter()
            .partition(|(key, _)| training.contains_key(key));
        let training: TrainingSettings = serde_json::from_value(Value::Object(training))?;
        training.check()?;
        bounds::check_learner(&settings)?;
        let learner = LearnerConfig {
            name: algorithm.name.to_owned(),
            settings,
        };
        Ok(StudyLearner {
            name: name.clone(),
            learner: registry().checked(&learner)?.config().clone(),
            training,
        })
    };
    // Only what was written is handed on: a default of one setting may depend on another.
    let tables: Vec<&str> = settings
        .iter()
        .filter(|(_, default)| default.is_object())
        .map(|(key, _)| key.as_str())
        .collect();
    let filled = fill(&entries, path, (&known, &tables), &Map::new(), |filled| {
        build(filled).map(|_| ())
    })?;
    let learner =
        build(&filled).map_err(|error| anyhow::anyhow!("{}: [{path}]: {error:#}", entry.origin))?;
    Ok((learner, known.into_iter().map(String::from).collect()))
}
