//! What multiplies the runs of a study: settings (data and episodes), points of factors, exchanged tasks, seeds of streams.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use metastable_analysis::Options;
use metastable_data::Seeds;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::bounds;
use super::factors::{DesignSettings, Factor, SeedPlan};
use super::replace::{Exchange, Replace};
use super::section::{join, table, unknown};
use super::streams::{Bundle, Streams};
use super::tree::{self, Entry, Origin};
use super::{Study, factors, section};

/// The tables that are read here.
pub(super) const TABLES: [&str; 6] = [
    "settings", "factors", "design", "replace", "streams", "analysis",
];

/// Places for the seeds of points: far more than points, and every seed is exact as a number of JSON.
const PLACES: u64 = 100_000_000;

/// Keys of `[settings.NAME]`, and the settings they stand for.
const SETTING_KEYS: [(&str, &[&str]); 14] = [
    ("set", &["data.set"]),
    ("mix", &["data.mix"]),
    ("held_out", &["data.held_out"]),
    ("held_out_file", &["data.held_out_file"]),
    ("split", &["data.split"]),
    ("size", &["data.size"]),
    ("channels", &["data.channels"]),
    ("ink", &["data.ink"]),
    ("rotations", &["data.rotations"]),
    ("test_rotations", &["data.test_rotations"]),
    ("way", &["episode.way", "test.way"]),
    ("shot", &["episode.shot", "test.shot"]),
    ("query", &["episode.query", "test.query"]),
    ("sizes", &["episode.sizes", "test.sizes"]),
];

/// How a study goes beyond learners times seeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Design {
    settings: Vec<Setting>,
    pub(crate) factors: Vec<Factor>,
    points: DesignSettings,
    pub(crate) replace: Replace,
    pub(crate) streams: Streams,
    /// What the report is to be made with.
    pub(crate) analysis: Options,
    /// The study as it was written, flags included.
    tree: Vec<Entry>,
}

/// One `[settings.NAME]`.
#[derive(Clone, Debug)]
struct Setting {
    entries: Vec<Entry>,
}

/// The study at one setting and one point, with one of its exchanges.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) study: Study,
    /// Number of the point; absent without factors.
    pub(crate) point: Option<usize>,
    /// Absent without `[replace]`.
    pub(crate) exchange: Option<Exchange>,
    /// Value of each factor.
    pub(crate) levels: Vec<Value>,
    /// What its setting changes, as text.
    setting: String,
}

impl Design {
    pub(super) fn read(tree: &[Entry]) -> Result<Self> {
        let of = |name: &str| -> Result<&[Entry]> {
            match tree.iter().find(|entry| entry.key == name) {
                None => Ok(&[]),
                Some(entry) => table(entry, name),
            }
        };
        let factors = factors::read(of("factors")?)?;
        let points = section::read(
            of("design")?,
            "design",
            &DesignSettings::default(),
            DesignSettings::check,
        )?;
        if let (true, Some(entry)) = (factors.is_empty(), of("design")?.first()) {
            bail!(
                "{}: [design] says where factors are varied, and there is no factor; add one, e.g. \"learner.inner_lr\" = [0.1, 0.4] below [factors]",
                entry.origin
            );
        }
        let replace = Replace::read(of("replace")?)?;
        let streams = Streams::read(of("streams")?)?;
        if let (Some(place), true) = (
            replace.place(),
            !factors.is_empty() || !streams.names.is_empty(),
        ) {
            bail!(
                "{place}: [replace] compares trainings that differ in one task alone; give [factors] and [streams] a study of their own"
            );
        }
        Ok(Self {
            settings: read_settings(of("settings")?)?,
            factors,
            points,
            replace,
            streams,
            analysis: section::read(
                of("analysis")?,
                "analysis",
                &Options::default(),
                |options| Ok(options.validate()?),
            )?,
            tree: tree.to_vec(),
        })
    }

    /// The study as it was written, if it has any of these tables; their levels are put over what was written, so that
    /// defaults cannot be written out.
    pub(super) fn written(&self) -> Option<String> {
        let is_ours = |entry: &Entry| TABLES.contains(&entry.key.as_str());
        self.tree
            .iter()
            .any(is_ours)
            .then(|| tree::to_toml(&self.tree))
    }
}

fn read_settings(entries: &[Entry]) -> Result<Vec<Setting>> {
    let known = SETTING_KEYS.map(|(key, _)| key);
    entries
        .iter()
        .map(|entry| {
            let path = join("settings", &entry.key);
            let own = table(entry, &path)?;
            match own.iter().find(|it| !known.contains(&it.key.as_str())) {
                Some(stray) => Err(unknown(stray, &path, &known)),
                None if own.is_empty() => {
                    bail!("{}: [{path}] changes nothing", entry.origin)
                }
                None => Ok(Setting {
                    entries: own.to_vec(),
                }),
            }
        })
        .collect()
}

impl Study {
    /// How many studies [`Self::variants`] makes, without making them.
    pub(crate) fn n_variants(&self) -> Result<u128> {
        let Design {
            settings,
            factors,
            points,
            replace,
            ..
        } = &self.design;
        let n_points = match factors.is_empty() {
            true => 1,
            false => points.n_points(factors)?,
        };
        let n_exchanges = match replace.place() {
            None => 1,
            Some(_) => replace.exchanges().len() as u128,
        };
        let n_settings = settings.len().max(1) as u128;
        Ok(n_points
            .saturating_mul(n_exchanges)
            .saturating_mul(n_settings))
    }

    /// The study at each of its settings, and at each point of its factors.
    pub(crate) fn variants(&self) -> Result<Vec<Variant>> {
        let Design {
            settings,
            factors,
            points,
            replace,
            ..
        } = &self.design;
        let points = if factors.is_empty() {
            vec![Vec::new()]
        } else {
            points.points(factors)?
        };
        let mut plain = self.design.tree.clone();
        plain.retain(|entry| !TABLES.contains(&entry.key.as_str()));
        let none = [Setting {
            entries: Vec::new(),
        }];
        let settings = if settings.is_empty() {
            &none[..]
        } else {
            settings
        };
        let exchanges = match replace.place() {
            None => vec![None],
            Some(place) => {
                let each = replace.exchanges().into_iter();
                each.map(|exchange| Some((exchange, place))).collect()
            }
        };
        let mut variants = Vec::new();
        for setting in settings {
            // Of points and exchanges a study has one or the other.
            for ((index, levels), exchange) in points
                .iter()
                .enumerate()
                .flat_map(|point| exchanges.iter().map(move |exchange| (point, *exchange)))
            {
                let mut tree = plain.clone();
                for entry in &setting.entries {
                    let paths = SETTING_KEYS.iter().find(|(key, _)| *key == entry.key);
                    for path in paths.map_or(&[][..], |(_, paths)| paths) {
                        tree::put_item(&mut tree, path, entry.item.clone(), &entry.origin);
                    }
                }
                for (factor, level) in factors.iter().zip(levels) {
                    tree::put_item(&mut tree, &factor.path, level.item.clone(), &factor.origin);
                }
                if let Some((exchange, place)) = exchange {
                    exchange.put(&mut tree, place);
                }
                let is_same = setting.entries.is_empty() && levels.is_empty() && exchange.is_none();
                variants.push(Variant {
                    study: if is_same {
                        self.clone()
                    } else {
                        self.other(&tree)?
                    },
                    point: (!factors.is_empty()).then_some(index),
                    exchange: exchange.map(|(exchange, _)| exchange),
                    levels: levels.iter().map(|level| level.value.clone()).collect(),
                    setting: setting
                        .entries
                        .iter()
                        .map(|entry| format!("{} = {} ", entry.key, entry.item))
                        .collect(),
                });
            }
        }
        Ok(variants)
    }

    /// This study with other settings.
    fn other(&self, tree: &[Entry]) -> Result<Self> {
        let mut study = Self::read(tree)?;
        study.head = self.head.clone();
        study.design = self.design.clone();
        Ok(study)
    }

    /// How far the seeds of a learner at a variant are from those of the study: points of factors have seeds of their own, and so
    /// have learners there, unless the design shares them. By what the point is and not by its number, so that a study with one
    /// more level finds its old runs.
    pub(crate) fn seed_offset(&self, variant: &Variant, learner: &str) -> u64 {
        if self.design.factors.is_empty() || self.design.points.seeds == SeedPlan::Shared {
            return 0;
        }
        let factors = self.design.factors.iter().zip(&variant.levels);
        let mut text = format!("{learner} {}", variant.setting);
        for (factor, level) in factors {
            write!(text, " {} = {level}", factor.path).expect("a string takes any text");
        }
        let digest = Sha256::digest(text.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        // No two points come nearer than a study has seeds.
        u64::from_le_bytes(first) % PLACES * bounds::SEEDS.most
    }

    /// The seeds of every run of a learner at a setting and a point, from `offset` on.
    pub(crate) fn bundles(&self, offset: u64) -> Vec<Bundle> {
        let seeds = |seed: u64| Seeds {
            split: self.data.split_seed,
            eval: self.test.seed,
            ..Seeds::all(seed)
        };
        if !self.design.streams.names.is_empty() {
            let base = seeds(self.head.first_seed);
            return self.design.streams.bundles(&base, offset);
        }
        let bundle = |seed: u64| Bundle {
            index: seed.wrapping_add(offset),
            label: format!("s{seed}"),
            seeds: seeds(seed.wrapping_add(offset)),
            offsets: Vec::new(),
        };
        self.head.all_seeds().map(bundle).collect()
    }

    /// Where the factors were declared, for complaints about all of them.
    pub(crate) fn place_of_factors(&self) -> Option<&Origin> {
        self.design.factors.first().map(|factor| &factor.origin)
    }
}
