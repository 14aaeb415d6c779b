//! Where the tasks of a policy come from: a family of this program, or a process that a study names.
//!
//! A process draws tasks from seeds and makes rollouts on them ([`metastable_guests::environment`]). It is started when it is first
//! asked, and answers one question at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use metastable_data::{Seeds, Stream};
use metastable_environments::{
    Action, Actions, Elsewhere, Environment, EnvironmentError, Family, FamilyEntry, Reported, Step,
};
use metastable_guests::{
    ActionSpace, Cancel, EnvironmentConfig, Environments, GuestError, Rolled, SentPolicy,
};
use metastable_models::Params;
use rand::Rng;

use crate::files::sha256;

/// How a study names environments of its own.
pub(crate) const OUTSIDE: (&str, &str) = (
    "environment",
    "environments of a process of yours, e.g. Gymnasium's, by the table [environment]; scores are returns (docs/returns.md)",
);

/// Where tasks come from.
#[derive(Clone)]
pub(crate) enum World {
    /// This program.
    Own(&'static FamilyEntry),
    /// A process.
    Outside(Arc<Outside>),
}

impl World {
    /// Of a data set by its name, or by the process that is named with it; none for images and functions.
    pub(crate) fn of(set: &str, outside: Option<&EnvironmentConfig>) -> Option<Self> {
        match outside {
            Some(config) if set == OUTSIDE.0 => Some(Self::Outside(Arc::new(Outside::new(config)))),
            _ => FamilyEntry::find(set).map(Self::Own),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Own(entry) => entry.name,
            Self::Outside(_) => OUTSIDE.0,
        }
    }

    /// Numbers that are observed of a state.
    pub(crate) fn n_observed(&self) -> usize {
        match self {
            Self::Own(entry) => entry.n_observed,
            Self::Outside(outside) => outside.config.observed,
        }
    }

    /// What may be done.
    pub(crate) fn actions(&self) -> Actions {
        match self {
            Self::Own(entry) => entry.actions,
            Self::Outside(outside) => outside.actions(),
        }
    }

    /// In the place of the digest of images: that of the definition, or of what the process is made of.
    pub(crate) fn digest(&self) -> Result<String> {
        Ok(match self {
            Self::Own(entry) => sha256(format!("{}: {}", entry.name, entry.definition).as_bytes()),
            Self::Outside(outside) => {
                // What its files were is beside it in the configuration of a run.
                let config = EnvironmentConfig {
                    digests: BTreeMap::new(),
                    ..outside.config.clone()
                };
                sha256(serde_json::to_string(&config)?.as_bytes())
            }
        })
    }

    /// The distribution of tasks.
    pub(crate) fn family(&self) -> Box<dyn Family> {
        match self {
            Self::Own(entry) => (entry.make)(),
            Self::Outside(outside) => Box::new(Drawn(Arc::clone(outside))),
        }
    }

    /// What the tasks at these indices are, one after the other.
    pub(crate) fn numbers(
        &self,
        seeds: &Seeds,
        indices: impl Iterator<Item = u64>,
    ) -> Result<Vec<f64>> {
        match self {
            Self::Own(entry) => {
                let family = (entry.make)();
                Ok(indices
                    .flat_map(|index| family.task(seeds, index).numbers())
                    .collect())
            }
            Self::Outside(outside) => {
                let keys: Vec<u64> = indices.map(|index| key(seeds, index)).collect();
                Ok(outside
                    .numbers(&keys)
                    .context("while drawing tasks")?
                    .concat())
            }
        }
    }
}

/// The seed of the task at an index.
fn key(seeds: &Seeds, index: u64) -> u64 {
    seeds.rng(Stream::Task, index).next_u64()
}

/// A process with environments.
pub(crate) struct Outside {
    config: EnvironmentConfig,
    /// There once it was asked.
    process: Mutex<Option<Environments>>,
    /// What tasks are, by their seeds: each is drawn once.
    drawn: Mutex<BTreeMap<u64, Vec<f64>>>,
}

impl Outside {
    fn new(config: &EnvironmentConfig) -> Self {
        Self {
            config: config.clone(),
            process: Mutex::new(None),
            drawn: Mutex::new(BTreeMap::new()),
        }
    }

    fn actions(&self) -> Actions {
        match self.config.actions {
            ActionSpace::Discrete(n) => Actions::Discrete(n),
            ActionSpace::Continuous(n) => Actions::Continuous(n),
        }
    }

    fn ask<A>(
        &self,
        question: impl FnOnce(&mut Environments) -> Result<A, GuestError>,
    ) -> Result<A, GuestError> {
        let mut place = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let process = match place.take() {
            Some(process) => process,
            None => Environments::start(&self.config, 1, Cancel::never())?,
        };
        // One that failed is not asked again.
        question(place.insert(process)).inspect_err(|_| *place = None)
    }

    /// Rows of numbers of the tasks of these seeds.
    fn numbers(&self, keys: &[u64]) -> Result<Vec<Vec<f64>>, GuestError> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<u64> = keys
            .iter()
            .copied()
            .filter(|it| !drawn.contains_key(it))
            .collect();
        if !missing.is_empty() {
            let found = self.ask(|process| process.tasks(&missing))?;
            drawn.extend(missing.into_iter().zip(found));
        }
        Ok(keys.iter().map(|key| drawn[key].clone()).collect())
    }

    fn rollouts(
        &self,
        key: u64,
        policy: &SentPolicy,
        seeds: &[u64],
    ) -> Result<Vec<Rolled>, GuestError> {
        let task = self.numbers(&[key])?.remove(0);
        self.ask(|process| process.rollouts(&task, policy, seeds))
    }
}

/// The tasks that a process draws.
struct Drawn(Arc<Outside>);

impl Family for Drawn {
    fn name(&self) -> &'static str {
        OUTSIDE.0
    }

    fn citation(&self) -> &'static str {
        "the user's own"
    }

    fn task(&self, seeds: &Seeds, index: u64) -> Box<dyn Environment> {
        Box::new(Task {
            outside: Arc::clone(&self.0),
            key: key(seeds, index),
        })
    }
}

/// One task of a process.
struct Task {
    outside: Arc<Outside>,
    key: u64,
}

impl Environment for Task {
    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        Some(self)
    }

    fn actions(&self) -> Actions {
        self.outside.actions()
    }

    fn n_observed(&self) -> usize {
        self.outside.config.observed
    }

    fn horizon(&self) -> usize {
        self.outside.config.horizon
    }

    fn start(&self, _rng: &mut dyn Rng) -> Vec<f64> {
        unreachable!("rollouts are made by the process")
    }

    fn step(&self, _state: &mut Vec<f64>, _action: &Action, _rng: &mut dyn Rng) -> Step {
        unreachable!("rollouts are made by the process")
    }
}

impl Elsewhere for Task {
    fn rollouts(
        &self,
        network: &str,
        weights: &Params<f32>,
        seeds: &[u64],
    ) -> Result<Vec<Reported>, EnvironmentError> {
        let entries = weights.layout().entries().iter();
        let policy = SentPolicy {
            activation: if network == "mlp-tanh" {
                "tanh"
            } else {
                "relu"
            },
            tensors: entries
                .map(|entry| {
                    let values = weights.values()[entry.offset..][..entry.len()].to_vec();
                    (entry.name.clone(), entry.shape.clone(), values)
                })
                .collect(),
        };
        let rolled = self.outside.rollouts(self.key, &policy, seeds);
        let rolled = rolled.map_err(|error| EnvironmentError::Elsewhere(Box::new(error)))?;
        let (n_observed, space) = (self.n_observed(), self.outside.config.actions);
        let action = |numbers: &[f64]| match space {
            ActionSpace::Discrete(_) => Action::Discrete(numbers[0] as usize),
            ActionSpace::Continuous(_) => Action::Continuous(numbers.to_vec()),
        };
        let reported = rolled.into_iter().map(|it| Reported {
            observed: it
                .observed
                .chunks_exact(n_observed)
                .map(<[f64]>::to_vec)
                .collect(),
            actions: it.actions.chunks_exact(space.width()).map(action).collect(),
            rewards: it.rewards,
        });
        Ok(reported.collect())
    }
}
