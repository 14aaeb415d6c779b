//! A finished training as `metastable-probes` asks it: built from what its checkpoint and its record say.

use anyhow::Result;
use metastable_algorithms::TrainState;
use metastable_data::EpisodeShape;
use metastable_models::{DeviceSpec, Network, NetworkConfig};
use metastable_probes::{Protocol, Subject as Learnt};

use crate::registry::registry;
use crate::run::checkpoint::Stored;
use crate::run::{Material, Run, RunConfig};

/// A checkpoint with the configuration and the data of its run.
pub(super) struct Subject<'m> {
    pub(super) config: RunConfig,
    pub(super) material: &'m Material,
    pub(super) learnt: Learnt<'m>,
}

impl<'m> Subject<'m> {
    pub(super) fn new(stored: Stored, material: &'m Material) -> Result<Self> {
        let config = stored.config;
        let compute = &config.compute;
        let device = compute.device.parse()?;
        let network = metastable_models::build(&config.network, compute.backend, device)?;
        let blocks = (1..=config.network.n_blocks).map(|n_blocks| {
            let block = NetworkConfig {
                n_blocks,
                n_way: None,
                ..config.network.clone()
            };
            Ok(metastable_models::build(&block, compute.backend, device)?)
        });
        let blocks = blocks.collect::<Result<_>>()?;
        let from = (&*material.dataset, &material.split);
        let mut learnt = Learnt::new(
            protocol(&config)?,
            network,
            stored.weights,
            stored.step,
            from,
        );
        learnt.blocks = blocks;
        Ok(Self {
            config,
            material,
            learnt,
        })
    }

    /// The same with the weights after the last step of its training.
    pub(super) fn with_last(mut self, last: Stored) -> Self {
        self.learnt.last = Some((last.step, last.weights));
        self
    }

    /// The state before the first step of its training.
    pub(super) fn initial(&self) -> Result<TrainState<f32>> {
        Run::new("trajectory", &self.config)?.initial_state()
    }

    /// Its network in double precision; none on Metal, which has no such numbers.
    pub(super) fn double(&self) -> Result<Option<Box<dyn Network<f64>>>> {
        let compute = &self.config.compute;
        let device = compute.device.parse()?;
        if device == DeviceSpec::Metal {
            return Ok(None);
        }
        let double = metastable_models::build(&self.config.network, compute.backend, device)?;
        Ok(Some(double))
    }

    /// Whether another run has the same setting, the same test classes and the same blocks; heads may differ.
    pub(super) fn is_comparable(&self, other: &Self) -> bool {
        let body = |subject: &Self| {
            let network = &subject.config.network;
            (network.name.clone(), network.n_blocks, network.image)
        };
        let split = |subject: &Self| {
            (
                subject.config.data_digest.clone(),
                subject.material.class_lists(),
            )
        };
        self.config.setting() == other.config.setting()
            && body(self) == body(other)
            && split(self) == split(other)
    }
}

/// How a run trains and tests.
pub(super) fn protocol(config: &RunConfig) -> Result<Protocol> {
    let test = &config.test;
    Ok(Protocol {
        learner: registry().checked(&config.learner)?,
        episode: config.episode,
        test: EpisodeShape {
            n_way: test.way,
            k_shot: test.shot,
            n_query: test.query,
        },
        rotations: config.data.rotations,
        test_rotations: config.data.test_rotations,
        within_alphabet: config.data.within_alphabet,
        pool: config.pool,
        training: config.training.clone(),
        seeds: config.seeds,
    })
}
