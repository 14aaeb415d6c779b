//! A run before it is executed: its configuration is checked and its network is built.

use anyhow::Result;
use metastable_algorithms::{CheckedLearner, Learner};
use metastable_guests as guests;
use metastable_models::Network;

use super::RunConfig;
use super::numerics::BUILD;
use crate::registry::registry;

/// A run whose configuration is checked and whose network is built.
pub(crate) struct Run<'a> {
    config: &'a RunConfig,
    /// What messages call it.
    label: &'a str,
    identity: String,
    learner: CheckedLearner,
    network: Box<dyn Network<f32>>,
}

impl<'a> Run<'a> {
    /// Builds learner and network.
    pub(crate) fn new(label: &'a str, config: &'a RunConfig) -> Result<Self> {
        let compute = &config.compute;
        let network: Box<dyn Network<f32>> = if config.is_guest() {
            Box::new(guests::Outside::new(config.network.image, None))
        } else {
            metastable_models::build(&config.network, compute.backend, compute.device.parse()?)?
        };
        let run = Self {
            config,
            label,
            identity: config.identity()?,
            learner: registry().checked(&config.learner)?,
            network,
        };
        run.check_combined()?;
        Ok(run)
    }

    pub(crate) fn config(&self) -> &RunConfig {
        self.config
    }

    pub(super) fn label(&self) -> &str {
        self.label
    }

    pub(crate) fn network(&self) -> &dyn Network<f32> {
        &*self.network
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// What a state is marked with: another build goes on with none of this one's.
    pub(super) fn mark(&self) -> String {
        format!("{} by {BUILD}", self.identity)
    }

    pub(crate) fn learner(&self) -> &dyn Learner<f32> {
        self.learner.single()
    }
}
