//! The workloads, the same as those that the peers' scripts run: one step of each is what is timed.

use anyhow::{Result, anyhow, bail};
use metastable_algorithms::{
    LearnerConfig, Task, TrainConfig, TrainState, Trainer, Trajectory, Weights, evaluate,
};
use metastable_data::{EpisodeShape, Seeds, Stream};
use metastable_models::{
    Architecture, Backend, Cost, DeviceSpec, ImageShape, Network, NetworkConfig, Norm, Params,
    Pass, build,
};
use rand::{Rng, RngExt};

/// What is done with the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An outer step of a learner.
    Train { learner: &'static str },
    /// Adaptation and prediction of a meta-batch, by MAML.
    Evaluate,
    /// A forward pass of the bare network over so many images.
    Forward { n_images: usize },
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    shape: EpisodeShape,
    inner_steps: usize,
    /// What an inner loop keeps.
    trajectory: Trajectory,
    pub(super) meta_batch: usize,
    image: ImageShape,
    width: usize,
}

const fn train(
    name: &'static str,
    learner: &'static str,
    [n_way, k_shot, n_query]: [usize; 3],
    inner_steps: usize,
    meta_batch: usize,
) -> Workload {
    Workload {
        name,
        kind: Kind::Train { learner },
        shape: EpisodeShape {
            n_way,
            k_shot,
            n_query,
        },
        inner_steps,
        trajectory: Trajectory::Auto,
        meta_batch,
        image: square(28, 1),
        width: 64,
    }
}

/// The same on networks of another width.
const fn wide(width: usize, workload: Workload) -> Workload {
    Workload { width, ..workload }
}

/// The same on larger images, of so many channels.
const fn large(channels: usize, workload: Workload) -> Workload {
    Workload {
        image: square(84, channels),
        ..workload
    }
}

const fn square(side: usize, channels: usize) -> ImageShape {
    ImageShape {
        height: side,
        width: side,
        channels,
    }
}

/// ProtoNet, one 20-way 5-shot episode a step, by width: the cost has to grow with it.
const fn protonet_of(name: &'static str, width: usize) -> Workload {
    wide(width, train(name, "protonet", [20, 5, 15], 0, 1))
}

/// MAML of five steps on four tasks, by width.
const fn maml_of(name: &'static str, width: usize) -> Workload {
    wide(width, train(name, "maml", [5, 1, 15], 5, 4))
}

/// MAML that keeps fast weights alone: its memory should not grow with the inner steps.
const fn recompute(name: &'static str, inner_steps: usize) -> Workload {
    Workload {
        trajectory: Trajectory::Recompute,
        ..train(name, "maml", [5, 1, 15], inner_steps, 4)
    }
}

const fn forward(name: &'static str, n_images: usize) -> Workload {
    Workload {
        kind: Kind::Forward { n_images },
        ..train(name, "", [5, 1, 15], 0, 1)
    }
}

/// All workloads, in the order of the table.
pub(super) const WORKLOADS: &[Workload] = &[
    train("maml-5w1s", "maml", [5, 1, 15], 5, 4),
    train("maml-5w5s", "maml", [5, 5, 15], 5, 4),
    train("maml-20w1s", "maml", [20, 1, 15], 5, 2),
    train("maml-5w1s-1step", "maml", [5, 1, 1], 1, 32),
    train("fomaml-5w1s", "fomaml", [5, 1, 15], 5, 4),
    Workload {
        kind: Kind::Evaluate,
        ..train("eval-maml-5w1s", "maml", [5, 1, 15], 5, 4)
    },
    train("protonet-5w1s", "protonet", [5, 1, 15], 0, 1),
    train("protonet-60w1s", "protonet", [60, 1, 5], 0, 1),
    train("protonet-20w5s", "protonet", [20, 5, 15], 0, 1),
    forward("forward-80", 80),
    forward("forward-400", 400),
    recompute("maml-recompute-1", 1),
    recompute("maml-recompute-5", 5),
    recompute("maml-recompute-20", 20),
    recompute("maml-recompute-50", 50),
    train("maml-20w5s", "maml", [20, 5, 15], 5, 2),
    maml_of("maml-w16-5w1s", 16),
    maml_of("maml-w32-5w1s", 32),
    maml_of("maml-w128-5w1s", 128),
    protonet_of("protonet-w8-20w5s", 8),
    protonet_of("protonet-w16-20w5s", 16),
    protonet_of("protonet-w24-20w5s", 24),
    protonet_of("protonet-w32-20w5s", 32),
    protonet_of("protonet-w48-20w5s", 48),
    protonet_of("protonet-w50-20w5s", 50),
    protonet_of("protonet-w128-20w5s", 128),
    wide(
        256,
        train("protonet-w256-5w1s", "protonet", [5, 1, 15], 0, 1),
    ),
    large(3, maml_of("maml-84rgb-5w1s", 64)),
    large(3, maml_of("maml-84rgb-w32-5w1s", 32)),
    large(
        3,
        train("protonet-84rgb-5w1s", "protonet", [5, 1, 15], 0, 1),
    ),
    large(3, protonet_of("protonet-84rgb-20w5s", 64)),
    large(
        1,
        train("protonet-84gray-5w1s", "protonet", [5, 1, 15], 0, 1),
    ),
];

/// One small task: what the guard over instruction counts runs. Not a line of the table.
const GUARD: Workload = train("maml-1task", "maml", [5, 1, 1], 1, 1);

/// Distinct batches that the steps take in turn.
const N_BATCHES: u64 = 4;

impl Workload {
    /// The workload of that name.
    pub(super) fn named(name: &str) -> Result<&'static Self> {
        WORKLOADS
            .iter()
            .chain([&GUARD])
            .find(|workload| workload.name == name)
            .ok_or_else(|| {
                let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
                anyhow!(
                    "workload {name:?} is unknown; there are {}",
                    names.join(", ")
                )
            })
    }

    fn has_head(&self) -> bool {
        self.inner_steps > 0
    }

    fn network_config(&self) -> NetworkConfig {
        NetworkConfig {
            name: "conv4".to_owned(),
            form: None,
            image: self.image,
            n_blocks: 4,
            width: self.width,
            norm: Norm::Batch,
            n_way: self.has_head().then_some(self.shape.n_way),
        }
    }

    /// Images of a step, each counted once.
    pub(super) fn n_images(&self) -> usize {
        match self.kind {
            Kind::Forward { n_images } => n_images,
            Kind::Train { .. } | Kind::Evaluate => {
                self.meta_batch * (self.shape.n_support() + self.shape.n_queries())
            }
        }
    }

    /// Floating-point operations of a step by the textbook algorithm, passes that are made twice to save memory counted
    /// once.
    pub(super) fn flop(&self) -> Result<u64> {
        let cost = Cost::of(&Architecture::new(&self.network_config())?);
        let with_gradient = cost.forward + cost.backward;
        let (support, query) = (self.shape.n_support() as u64, self.shape.n_queries() as u64);
        let adaptation = self.inner_steps as u64 * support * with_gradient;
        let adjoint = self.inner_steps as u64 * support * cost.hessian_product;
        let task = match self.kind {
            Kind::Forward { n_images } => n_images as u64 * cost.forward,
            Kind::Evaluate => adaptation + query * cost.forward,
            Kind::Train { learner: "maml" } => adaptation + query * with_gradient + adjoint,
            Kind::Train { learner: "fomaml" } => adaptation + query * with_gradient,
            Kind::Train { .. } => (support + query) * with_gradient,
        };
        Ok(self.meta_batch as u64 * task)
    }

    /// Runs steps until `go_on`, asked before each, says no; returns the numbers that came out of the last: outputs,
    /// log-odds or weights.
    pub(super) fn run(
        &self,
        backend: Backend,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Vec<f64>> {
        let config = self.network_config();
        let network = build::<f32>(&config, backend, DeviceSpec::Cpu)?;
        let mut rng = Seeds::all(0).rng(Stream::Init, 0);
        let theta: Params<f32> = Architecture::new(&config)?.initial_params(&mut rng);
        match self.kind {
            Kind::Forward { n_images } => {
                let images = self.noise(n_images, &mut rng);
                let mut outputs = Vec::new();
                while go_on() {
                    outputs = network.outputs(&theta, &images, Pass::batch(0))?;
                }
                Ok(outputs.into_iter().map(f64::from).collect())
            }
            Kind::Evaluate => self.run_tasks(&*network, "maml", theta, go_on),
            Kind::Train { learner } => self.run_tasks(&*network, learner, theta, go_on),
        }
    }

    fn run_tasks(
        &self,
        network: &dyn Network<f32>,
        learner: &str,
        theta: Params<f32>,
        mut go_on: impl FnMut() -> bool,
    ) -> Result<Vec<f64>> {
        let mut learner = LearnerConfig::named(learner);
        if self.has_head() {
            // Small, as for the peers: at 0.4 these tasks of noise are chaotic.
            learner = learner
                .with("inner_lr", 0.01)
                .with("inner_steps", self.inner_steps);
        }
        if self.trajectory == Trajectory::Recompute {
            learner = learner.with("trajectory", "recompute");
        }
        let learner = learner.validate()?;
        let n_tasks = self.meta_batch as u64;
        let prepared: Vec<Task<f32>> = (0..N_BATCHES * n_tasks)
            .map(|index| self.task(index))
            .collect::<Result<_>>()?;
        let tasks = |index: u64| Ok(prepared[(index % (N_BATCHES * n_tasks)) as usize].clone());
        let config = TrainConfig {
            outer_steps: usize::MAX,
            meta_batch: self.meta_batch,
            validate_every: 0,
            // The peers look at nothing either.
            observe_every: 0,
            ..TrainConfig::default()
        };
        let state = TrainState::new(network, &config.optimizer, theta);
        if self.kind == Kind::Evaluate {
            let weights: Weights<f32> = state.weights;
            let mut log_odds = Vec::new();
            while go_on() {
                let evaluation =
                    evaluate(network, learner.single(), &weights, &tasks, self.meta_batch)?;
                log_odds = evaluation.query_log_odds;
            }
            return Ok(log_odds);
        }
        let plan = config.validate()?;
        let mut trainer = Trainer::new(network, learner.single(), &tasks, &tasks, plan, state)?;
        while go_on() {
            if trainer.step()?.is_none() {
                bail!("{} ended early: {:?}", self.name, trainer.outcome());
            }
        }
        let theta = trainer.into_state().weights.theta;
        Ok(theta.values().iter().copied().map(f64::from).collect())
    }

    /// Each class is a random template plus noise, so that a task can be learned and no window has ties.
    fn task(&self, index: u64) -> Result<Task<f32>> {
        let mut rng = Seeds::all(0).rng(Stream::Task, index);
        let templates: Vec<Vec<f32>> = (0..self.shape.n_way)
            .map(|_| self.noise(1, &mut rng))
            .collect();
        let mut images = Vec::new();
        for n_each in [self.shape.k_shot, self.shape.n_query] {
            for template in &templates {
                for _ in 0..n_each {
                    let noise = self.noise(1, &mut rng);
                    images.extend(template.iter().zip(noise).map(|(a, b)| a + b));
                }
            }
        }
        Ok(Task::new(self.shape, images)?)
    }

    /// Images of values in `[-1, 1)`.
    fn noise(&self, n_images: usize, rng: &mut impl Rng) -> Vec<f32> {
        let ImageShape {
            height,
            width,
            channels,
        } = self.image;
        (0..n_images * height * width * channels)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_every_workload_are_equal_at_any_number_of_threads() {
        // The largest take minutes, and run the same kernels.
        let most = 60_000_000_000;
        for workload in WORKLOADS {
            if workload.flop().unwrap() > most {
                continue;
            }
            let on = |n_threads: usize| -> Vec<u64> {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
                let mut first = true;
                let one_step = || std::mem::replace(&mut first, false);
                let values = pool
                    .build()
                    .unwrap()
                    .install(|| workload.run(Backend::Fused, one_step))
                    .unwrap();
                values.into_iter().map(f64::to_bits).collect()
            };
            let one = on(1);
            assert!(!one.is_empty(), "{}", workload.name);
            for n_threads in [2, 7] {
                assert!(
                    on(n_threads) == one,
                    "{} on {n_threads} threads",
                    workload.name
                );
            }
        }
    }
}
