//! A finished training as `metastable-probes` asks it: built from what its checkpoint and its record say.

use std::sync::Arc;

use anyhow::Result;
use metastable_algorithms::TrainState;
use metastable_guests::{self as guests, Embedding, Outside, Ready};
use metastable_models::{Beside, DeviceSpec, Network, NetworkConfig, Norm};
use metastable_probes::{Protocol, Subject as Learnt};

use super::kept::{Keeper, Recipe};
use crate::registry::registry;
use crate::run::checkpoint::Stored;
use crate::run::{Material, Run, RunConfig};

/// A checkpoint with the configuration and the data of its run.
pub(super) struct Subject<'m> {
    pub(super) config: RunConfig,
    pub(super) material: &'m Material,
    pub(super) learnt: Learnt<'m>,
    /// What a guest says of itself; absent for the learners of this program.
    pub(super) visit: Option<Ready>,
}

impl<'m> Subject<'m> {
    pub(super) fn new(stored: Stored, material: &'m Material) -> Result<Self> {
        Self::with(stored, None, material, &Keeper::default())
    }

    /// The same with the weights after the last step of its training, and with the processes that a guest has already.
    pub(super) fn with(
        stored: Stored,
        last: Option<Stored>,
        material: &'m Material,
        keeper: &Keeper,
    ) -> Result<Self> {
        if stored.config.is_guest() {
            return Self::of_guest(stored, last, material, keeper);
        }
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
            let block = block.with_beside(Beside::Nothing)?;
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
        learnt.functions = match config.family() {
            Some(_) => material.training(&config)?.functions(),
            None => None,
        };
        learnt.blocks = blocks;
        learnt.still = Some(still(&config)?);
        learnt.last = last.map(|last| (last.step, last.weights));
        Ok(Self {
            config,
            material,
            learnt,
            visit: None,
        })
    }

    /// A guest: a process for each saved state.
    fn of_guest(
        stored: Stored,
        last: Option<Stored>,
        material: &'m Material,
        keeper: &Keeper,
    ) -> Result<Self> {
        let config = stored.config;
        let last = last.filter(|last| last.step > stored.step);
        let saved = [Some(&stored.guest), last.as_ref().map(|last| &last.guest)];
        let states = saved.into_iter().flatten();
        let states = states.map(|state| state.as_deref().unwrap_or_default());
        let recipe = Recipe::new(&config, material, states.collect())?;
        let (guest, ready) = keeper.guest(&recipe)?;
        let image = config.network.image;
        let network = Outside::new(image, ready.fixed_way);
        let weights = guests::state(&network, 0);
        let last = last.map(|last| (last.step, guests::state(&network, 1)));
        let mut protocol = protocol(&config)?;
        protocol.learner = protocol.learner.answered_by(guest.clone());
        let from = (&*material.dataset, &material.split);
        let mut learnt = Learnt::new(protocol, Box::new(network), weights, stored.step, from);
        learnt.last = last;
        learnt.is_open = false;
        if ready.offers("features") {
            learnt.blocks = vec![Box::new(Embedding::new(image, Arc::clone(&guest)))];
            learnt.still = Some(Box::new(Embedding::new(image, guest)));
        }
        Ok(Self {
            config,
            material,
            learnt,
            visit: Some(ready),
        })
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
}

/// The body of a network by itself, with stored statistics where it normalises.
fn still(config: &RunConfig) -> Result<Box<dyn Network<f32>>> {
    let body = NetworkConfig {
        n_way: None,
        norm: match config.network.norm {
            Norm::None => Norm::None,
            Norm::Batch | Norm::Running | Norm::PerStep { .. } => Norm::Running,
        },
        ..config.network.clone()
    };
    let body = body.with_beside(Beside::Nothing)?;
    let compute = &config.compute;
    Ok(metastable_models::build(
        &body,
        compute.backend,
        compute.device.parse()?,
    )?)
}

/// Whether two runs have the same setting, the same test classes and the same blocks; heads may differ.
pub(super) fn are_comparable(one: (&RunConfig, &Material), other: (&RunConfig, &Material)) -> bool {
    let body = |config: &RunConfig| {
        let network = &config.network;
        (network.name.clone(), network.n_blocks, network.image)
    };
    let split = |(config, material): (&RunConfig, &Material)| {
        (config.data_digest.clone(), material.class_lists())
    };
    one.0.setting() == other.0.setting()
        && body(one.0) == body(other.0)
        && split(one) == split(other)
}

/// How a run trains and tests.
pub(super) fn protocol(config: &RunConfig) -> Result<Protocol> {
    let test = &config.test;
    Ok(Protocol {
        learner: registry().checked(&config.learner)?,
        episode: config.episode,
        test: test.shape(),
        rotations: config.data.rotations,
        test_rotations: config.data.test_rotations,
        within_alphabet: config.data.within_alphabet,
        pool: config.pool,
        training: config.training.clone(),
        seeds: config.seeds,
    })
}
