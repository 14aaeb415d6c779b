//! How many tapes MAML holds at a time: the part of its memory that matters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metastable_models::{
    Layout, ModelError, Network, NetworkConfig, Objective, Params, Pass, Tape,
};

use crate::closed_form::LinearSoftmax;
use crate::second_order::{SHAPE, draws, maml, noise_task};

/// A network that counts its living tapes.
struct Counting {
    network: LinearSoftmax,
    alive: AtomicUsize,
    most_alive: AtomicUsize,
}

struct CountedTape<'a> {
    tape: Box<dyn Tape<f64> + 'a>,
    alive: &'a AtomicUsize,
}

impl Drop for CountedTape<'_> {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
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
        Ok(Box::new(CountedTape {
            tape,
            alive: &self.alive,
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
        self.tape.gradient()
    }

    fn hessian_product(&mut self, v: &Params<f64>) -> Result<Params<f64>, ModelError> {
        self.tape.hessian_product(v)
    }
}

fn most_alive(learner: &str, setting: Option<&str>, steps: usize) -> usize {
    let network = Counting {
        network: LinearSoftmax::new(4, SHAPE.n_way),
        alive: AtomicUsize::new(0),
        most_alive: AtomicUsize::new(0),
    };
    let theta = Params::from_values(network.layout(), draws(100, network.layout().n_values()));
    let mut config = maml(learner, 0.5, steps);
    if let Some(trajectory) = setting {
        config = config.with("trajectory", trajectory);
    }
    let checked = config.validate().unwrap();
    let task = noise_task(0, SHAPE, 4);
    let got = checked.double().meta_gradient(&network, &theta, &task);
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
