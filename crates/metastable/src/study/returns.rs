//! What a study of policies may say: its learner, its network, and the settings of training that mean something to it.

use anyhow::{Result, bail};
use metastable_environments::{Actions, Activation, FAMILIES};
use metastable_guests::EnvironmentConfig;
use metastable_models::{ImageShape, Init, NetworkConfig, Norm};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::section::fill;
use super::tree::Entry;
use super::{Study, TrainingSettings, object};
use crate::policy::ENTRY;
use crate::run::world::{OUTSIDE, World};

impl Study {
    /// The family of environments that it learns; none if it learns images or functions.
    pub(crate) fn environment(&self) -> Option<World> {
        World::of(&self.data.set, self.data.environment.as_ref())
            .filter(|_| self.data.mix.is_empty())
    }

    /// Refuses what a study of environments says of supports and pools: the rollouts that judge a policy adapt it too, so that one number
    /// counts them, and tasks have no end.
    pub(crate) fn check_environment(&self, world: &World) -> Result<()> {
        self.check_without_classes(world.name())?;
        for (path, shot, instead) in [
            ("episode.shot", self.episode.shot, "episode.query"),
            ("test.shot", self.test.shot, "test.query"),
        ] {
            if shot != 1 {
                bail!(
                    "{}{path} = {shot}: in {}, the rollouts that judge a policy also adapt it; leave this out, and give their number with {instead}",
                    self.place(&[path]),
                    world.name()
                );
            }
        }
        if self.episode.pool != 0 {
            bail!(
                "{}episode.pool = {}: tasks of {} have no end; leave it out",
                self.place(&["episode.pool"]),
                self.episode.pool,
                world.name()
            );
        }
        let network = &self.network;
        let is_policy = Activation::of_network(&network.name).is_some()
            && self.network(None, 1).norm == Norm::None
            && Init::from(network.init) == Init::Xavier;
        if !is_policy {
            bail!(
                "{}a policy for {} is a network without norm and with the published initialization; set network.name = \"mlp\" or \"mlp-tanh\", network.norm = \"none\" and network.init = \"xavier\"",
                self.place(&["network.name", "network.norm", "network.init", "network"]),
                world.name()
            );
        }
        Ok(())
    }

    /// Refuses a learner without policies where there are environments, and one with policies where there are none; and settings of a
    /// training that its outer step has not.
    pub(crate) fn check_policy(
        &self,
        name: &str,
        algorithm: &str,
        training: &TrainingSettings,
    ) -> Result<()> {
        let own = |key: &str| format!("learners.{name}{key}");
        let place = self.place(&[&own(".algorithm"), &own("")]);
        let families: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        match (self.environment(), algorithm == ENTRY.name) {
            (None, false) => return Ok(()),
            (None, true) => bail!(
                "{place}{name} learns a policy, and {} has no rollouts; set data.set to a family of environments ({}, {})",
                self.data.set,
                families.join(", "),
                OUTSIDE.0
            ),
            (Some(world), false) => bail!(
                "{place}{name} learns from labelled examples, and {} has rollouts; take algorithm = \"{}\"",
                world.name(),
                ENTRY.name
            ),
            (Some(_), true) => {}
        }
        let meant = TrainingSettings {
            outer_steps: training.outer_steps,
            meta_batch: training.meta_batch,
            query: training.query,
            ..TrainingSettings::default()
        };
        let (meant, said) = (object(&meant)?, object(training)?);
        if let Some((key, value)) = said
            .iter()
            .find(|(key, value)| meant.get(*key) != Some(value))
        {
            bail!(
                "{}{key} = {value}: the outer step of {} is a trust region, whose settings are max_divergence, cg_steps, damping, backtracks and backtrack_factor; leave it out",
                self.place(&[&own(&format!(".{key}")), &format!("learner.{key}")]),
                ENTRY.name
            );
        }
        Ok(())
    }

    /// The network of a policy: what is observed comes in, and the parameters of a distribution over actions go out.
    pub(crate) fn for_policy(network: NetworkConfig, world: &World) -> NetworkConfig {
        NetworkConfig {
            image: ImageShape {
                height: 1,
                width: 1,
                channels: world.n_observed(),
            },
            n_way: Some(match world.actions() {
                Actions::Continuous(n) => 2 * n,
                Actions::Discrete(n) => n,
            }),
            ..network
        }
    }
}

/// The table `[environment]`, which goes with one name of a data set, and that name with it.
pub(super) fn read_outside(
    entries: Option<&[Entry]>,
    set: &str,
) -> Result<Option<EnvironmentConfig>> {
    let Some(entries) = entries else {
        if set == OUTSIDE.0 {
            bail!(
                "data.set = {set:?}: the table [environment] is missing; say how the process is started, e.g. command = [\"python3\", \"my_environment.py\"]"
            );
        }
        return Ok(None);
    };
    let place = entries
        .first()
        .map_or_else(String::new, |entry| format!("{}: ", entry.origin));
    if set != OUTSIDE.0 {
        bail!(
            "{place}[environment] beside data.set = {set:?}; set data.set = {:?}",
            OUTSIDE.0
        );
    }
    let defaults = object(&EnvironmentConfig::default())?;
    let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
    let read = |settings: &Map<String, Value>| -> Result<EnvironmentConfig> {
        let config = EnvironmentConfig::deserialize(settings)?;
        config.check()?;
        Ok(config)
    };
    let filled = fill(
        entries,
        "environment",
        (&known, &["settings"]),
        &defaults,
        |it| read(it).map(drop),
    )?;
    let config = read(&filled)?;
    if config.command.is_empty() {
        bail!(
            "{place}[environment] has no command; say how the process is started, e.g. command = [\"python3\", \"my_environment.py\"]"
        );
    }
    Ok(Some(config))
}
