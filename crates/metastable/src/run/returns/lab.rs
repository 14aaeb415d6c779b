//! What a run of a policy computes with.

use anyhow::{Context, Result};
use metastable_data::{MetaSplit, Seeds, Stream};
use metastable_environments::{Activation, Environment, Family, MamlRl, MamlRlConfig};
use metastable_environments::{Policy, PolicyConfig};
use metastable_models::Params;
use rayon::prelude::*;
use serde_json::Value;

use super::returned::Returned;
use crate::policy::Settings;
use crate::run::RunConfig;
use crate::run::goals::Goals;
use crate::run::guest::check_files;

/// What a run of a policy computes with.
pub(in crate::run) struct Lab {
    policy: Policy<f32>,
    family: Box<dyn Family>,
    pub(super) validation: Goals,
    pub(super) test: Goals,
    config: MamlRlConfig,
    /// Step sizes of a test.
    steps: Vec<f64>,
    /// Rollouts after each number of steps of a test.
    pub(super) n_rollouts: usize,
    seeds: Seeds,
}

impl Lab {
    /// Of a run; none if it is no run of a policy.
    pub(in crate::run) fn of(config: &RunConfig) -> Result<Option<Self>> {
        let Some(world) = config.environment() else {
            return Ok(None);
        };
        if let Some(outside) = &config.data.environment {
            check_files(&outside.process())?;
        }
        let settings = Value::Object(config.learner.settings.clone());
        let settings: Settings = serde_json::from_value(settings)
            .context("while reading the settings of a policy's learner")?;
        let policy = PolicyConfig {
            width: config.network.width,
            n_layers: config.network.n_blocks,
            activation: Activation::of_network(&config.network.name)
                .context("the network is no policy's, which is a bug")?,
            deviation: settings.deviation,
            learns_deviation: settings.learns_deviation,
        };
        let backend = config.compute.backend;
        let goals = |part| Goals {
            world: world.clone(),
            part,
            seeds: config.seeds.evaluation(),
        };
        let maml = settings.maml(config.training.meta_batch, config.episode.n_query);
        maml.check()?;
        Ok(Some(Self {
            policy: Policy::new(policy, world.n_observed(), world.actions(), backend)?,
            family: world.family(),
            validation: goals(MetaSplit::Validation),
            test: goals(MetaSplit::Test),
            config: maml,
            steps: settings.test_steps(),
            n_rollouts: config.test.query,
            seeds: config.seeds,
        }))
    }

    /// Initial weights, a function of the `init` stream alone.
    pub(in crate::run) fn initial(&self) -> Result<Params<f32>> {
        let mut rng = self.seeds.rng(Stream::Init, 0);
        Ok(self.policy.initial(&mut rng)?)
    }

    pub(super) fn maml(&self) -> MamlRl<'_, f32> {
        MamlRl {
            policy: &self.policy,
            family: &*self.family,
            config: self.config.clone(),
            seeds: self.seeds,
        }
    }

    /// Returns on the first tasks of a list, `(n_tasks, n_steps + 1, n_rollouts)`: the rollouts are those of the list, whoever is tested.
    pub(super) fn returns(
        &self,
        theta: &Params<f32>,
        goals: &Goals,
        n_tasks: usize,
    ) -> Result<Vec<f64>> {
        let maml = self.maml();
        let tasks = (0..n_tasks as u64)
            .into_par_iter()
            .map(|index| {
                let (task, number) = (goals.task(index), goals.number(index));
                Ok(maml.test(theta, &*task, &self.steps, self.n_rollouts, number)?)
            })
            .collect::<Result<Vec<Vec<Vec<f64>>>>>()?;
        Ok(tasks.into_iter().flatten().flatten().collect())
    }

    /// The same on the tasks of the test, in short.
    pub(in crate::run) fn tested(&self, theta: &Params<f32>, n_tasks: usize) -> Result<Returned> {
        let returns = self.returns(theta, &self.test, n_tasks)?;
        let tasks = (0..n_tasks as u64).map(|index| self.test.task(index));
        let tasks: Vec<Box<dyn Environment>> = tasks.collect();
        Ok(Returned {
            n_tasks,
            n_rollouts: self.n_rollouts,
            returns,
            best: tasks.iter().map(|task| task.best()).collect(),
            numbers: self.test.numbers(n_tasks)?,
        })
    }
}
