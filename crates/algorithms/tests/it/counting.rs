//! What learners ask of a network: how many tapes they hold at a time, the part of their memory that matters, and how many
//! images pass through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metastable_algorithms::{Context, TrainConfig, TrainState, Trainer};
use metastable_models::{
    Layout, ModelError, Network, NetworkConfig, Objective, Params, Pass, Tape,
};

use crate::closed_form::LinearSoftmax;
use crate::second_order::{SHAPE, draws, maml, noise_task};

const N_PIXELS: usize = 4;

/// A network that counts its living tapes, and the passes of images: one forward, two more for a gradient.
struct Counting {
    network: LinearSoftmax,
    passes: AtomicUsize,
    alive: AtomicUsize,
    most_alive: AtomicUsize,
}

struct CountedTape<'a> {
    tape: Box<dyn Tape<f64> + 'a>,
    n_images: usize,
    of: &'a Counting,
}

impl Counting {
    fn new() -> Self {
        Self {
            network: LinearSoftmax::new(N_PIXELS, SHAPE.n_way),
            passes: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            most_alive: AtomicUsize::new(0),
        }
    }

    fn theta(&self) -> Params<f64> {
        Params::from_values(self.layout(), draws(100, self.layout().n_values()))
    }
}

impl Drop for CountedTape<'_> {
    fn drop(&mut self) {
        self.of.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Network<f64> for Counting {
    fn config(&self) -> &NetworkConfig {
        Network::<f64>::config(&self.network)
    }

    fn layout(&self) -> &Arc<Layout> {
        Network::<f64>::layout(&self.network)
    }

    fn buffers(&self) -> &Arc<Layout> {
        Network::<f64>::buffers(&self.network)
    }

    fn n_outputs(&self) -> usize {
        Network::<f64>::n_outputs(&self.network)
    }

    fn outputs(
        &self,
        params: &Params<f64>,
        images: &[f64],
        pass: Pass<'_, f64>,
    ) -> Result<Vec<f64>, ModelError> {
        self.network.outputs(params, images, pass)
    }

    fn record(
        &self,
        params: &Params<f64>,
        images: &[f64],
        pass: Pass<'_, f64>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f64> + '_>, ModelError> {
        let tape = self.network.record(params, images, pass, objective)?;
        let alive = self.alive.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_alive.fetch_max(alive, Ordering::Relaxed);
        let n_images = images.len() / N_PIXELS;
        self.passes.fetch_add(n_images, Ordering::Relaxed);
        Ok(Box::new(CountedTape {
            tape,
            n_images,
            of: self,
        }))
    }
}

impl Tape<f64> for CountedTape<'_> {
    fn loss(&self) -> f64 {
        self.tape.loss()
    }

    fn log_probabilities(&self) -> &[f64] {
        self.tape.log_probabilities()
    }

    fn outputs(&self) -> &[f64] {
        self.tape.outputs()
    }

    fn statistics(&self) -> Params<f64> {
        self.tape.statistics()
    }

    fn gradient(&mut self) -> Result<Params<f64>, ModelError> {
        let n_passes = 2 * self.n_images;
        self.of.passes.fetch_add(n_passes, Ordering::Relaxed);
        self.tape.gradient()
    }

    fn hessian_product(&mut self, v: &Params<f64>) -> Result<Params<f64>, ModelError> {
        self.tape.hessian_product(v)
    }
}

fn most_alive(learner: &str, setting: Option<&str>, steps: usize) -> usize {
    let network = Counting::new();
    let mut config = maml(learner, 0.5, steps);
    if let Some(trajectory) = setting {
        config = config.with("trajectory", trajectory);
    }
    let checked = config.validate().unwrap();
    let task = noise_task(0, SHAPE, N_PIXELS);
    let got = checked
        .double()
        .meta_gradient(&Context::training(&network, &task), &network.theta());
    assert!(got.unwrap().non_finite.is_none());
    assert_eq!(network.alive.into_inner(), 0);
    network.most_alive.into_inner()
}

#[test]
fn memory_of_a_recomputed_trajectory_does_not_grow_with_the_steps() {
    for steps in [1, 5, 16, 50] {
        assert_eq!(most_alive("maml", Some("recompute"), steps), 1);
        // Those of the supports, and the query's.
        assert_eq!(most_alive("maml", Some("stored"), steps), steps + 1);
        assert_eq!(most_alive("fomaml", None, steps), 1);
    }
    assert_eq!(most_alive("maml", Some("auto"), 8), 9);
    assert_eq!(most_alive("maml", Some("auto"), 9), 1);
}

/// Passes of a whole training of first-order MAML, and the tasks that it inspects.
fn passes(outer_steps: usize, inspected_tasks: usize) -> (usize, usize) {
    let network = Counting::new();
    let config = TrainConfig {
        outer_steps,
        meta_batch: 2,
        outer_lr: 0.0,
        validate_every: 20,
        validation_tasks: 20,
        inspected_tasks,
        observe_every: 0,
        ..TrainConfig::default()
    };
    let checked = maml("fomaml", 0.5, 2).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let state = TrainState::new(&network, &config.optimizer, network.theta());
    let (learner, plan) = (checked.double(), config.validate().unwrap());
    let mut trainer = Trainer::new(&network, learner, &tasks, &tasks, plan, state).unwrap();
    let mut n_inspected = 0;
    while let Some(report) = trainer.step().unwrap() {
        n_inspected += report.inspection.map_or(0, |it| it.n_tasks);
    }
    (network.passes.into_inner(), n_inspected)
}

#[test]
fn inspections_take_the_share_of_a_training_that_they_may() {
    for outer_steps in [400, 1000, 10_000] {
        let (without, none) = passes(outer_steps, 0);
        let (with, n_inspected) = passes(outer_steps, 20);
        assert_eq!(none, 0);
        assert!(0 < n_inspected, "{outer_steps} steps");
        // Of the meta-gradients alone: 2 tasks a step, gradients of 2 x 6 supports and of 12 queries.
        let trained = outer_steps * 2 * 3 * (2 * 6 + 12);
        let spent = (with - without) as f64 / trained as f64;
        assert!(spent <= 0.01, "{outer_steps} steps: {spent}");
        // What may be spent is spent, but for what is left over.
        assert!(0.005 < spent, "{outer_steps} steps: {spent}");
    }
}
