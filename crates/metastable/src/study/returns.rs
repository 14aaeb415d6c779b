//! What a study of policies may say: its learner, its network, and the settings of training that mean something to it.

use anyhow::{Result, bail};
use metastable_environments::{Actions, Activation, FamilyEntry};
use metastable_models::{ImageShape, Init, NetworkConfig, Norm};

use super::{Study, TrainingSettings, object};
use crate::policy::ENTRY;

impl Study {
    /// The family of environments that it learns; none if it learns images or functions.
    pub(crate) fn environment(&self) -> Option<&'static FamilyEntry> {
        FamilyEntry::find(&self.data.set).filter(|_| self.data.mix.is_empty())
    }

    /// Refuses what a study of environments says of supports and pools: the rollouts that judge a policy adapt it too, so that one number
    /// counts them, and tasks have no end.
    pub(crate) fn check_environment(&self, family: &FamilyEntry) -> Result<()> {
        self.check_without_classes(family.name)?;
        for (path, shot, instead) in [
            ("episode.shot", self.episode.shot, "episode.query"),
            ("test.shot", self.test.shot, "test.query"),
        ] {
            if shot != 1 {
                bail!(
                    "{}{path} = {shot}: the rollouts of {} that judge a policy adapt it too; leave it out, and say how many there are with {instead}",
                    self.place(&[path]),
                    family.name
                );
            }
        }
        if self.episode.pool != 0 {
            bail!(
                "{}episode.pool = {}: tasks of {} have no end; leave it out",
                self.place(&["episode.pool"]),
                self.episode.pool,
                family.name
            );
        }
        let network = &self.network;
        let is_policy = Activation::of_network(&network.name).is_some()
            && self.network(None, 1).norm == Norm::None
            && Init::from(network.init) == Init::Xavier;
        if !is_policy {
            bail!(
                "{}a policy for {} is a network without norm that begins as published; set network.name = \"mlp\" or \"mlp-tanh\", network.norm = \"none\" and network.init = \"xavier\"",
                self.place(&["network.name", "network.norm", "network.init", "network"]),
                family.name
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
        match (self.environment(), algorithm == ENTRY.name) {
            (None, false) => return Ok(()),
            (None, true) => bail!(
                "{place}{name} learns a policy, and {} has no rollouts; set data.set to a family of environments (navigation)",
                self.data.set
            ),
            (Some(family), false) => bail!(
                "{place}{name} learns from labelled examples, and {} has rollouts; take algorithm = \"{}\"",
                family.name,
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
    pub(crate) fn for_policy(network: NetworkConfig, family: &FamilyEntry) -> NetworkConfig {
        NetworkConfig {
            image: ImageShape {
                height: 1,
                width: 1,
                channels: family.n_observed,
            },
            n_way: Some(match family.actions {
                Actions::Continuous(n) => 2 * n,
                Actions::Discrete(n) => n,
            }),
            ..network
        }
    }
}
