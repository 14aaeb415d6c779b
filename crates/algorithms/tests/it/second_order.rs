//! The exact meta-gradient against central differences of the whole inner-plus-outer procedure, in f64.

use metastable_algorithms::{Context, Learner, LearnerConfig, Task};
use metastable_data::{EpisodeShape, Seeds, Stream};
use metastable_models::{Network, Params};
use rand::Rng;

use crate::closed_form::LinearSoftmax;

/// What the issue asks for; the step `H` leaves about 1e-10.
const TOLERANCE: f64 = 1e-6;
/// Near `eps^(1/3)`, where truncation and rounding of a central difference balance.
const H: f64 = 1e-5;

pub(crate) const SHAPE: EpisodeShape = EpisodeShape {
    n_way: 3,
    k_shot: 2,
    n_query: 4,
};

/// A number in `[-1, 1)`.
pub(crate) fn signed_unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

pub(crate) fn draws(index: u64, n: usize) -> Vec<f64> {
    let mut rng = Seeds::all(7).rng(Stream::Task, index);
    (0..n).map(|_| signed_unit(&mut rng)).collect()
}

/// Images of uniform noise: a task with nothing in common with any other.
pub(crate) fn noise_task(index: u64, shape: EpisodeShape, n_pixels: usize) -> Task<f64> {
    let n_images = shape.n_support() + shape.n_queries();
    Task::new(shape, draws(index, n_images * n_pixels)).unwrap()
}

pub(crate) fn maml(name: &str, inner_lr: f64, inner_steps: usize) -> LearnerConfig {
    LearnerConfig::named(name)
        .with("inner_lr", inner_lr)
        .with("inner_steps", inner_steps)
}

/// `(L(theta + h u) - L(theta - h u)) / 2h`, `L` the query loss after adaptation.
pub(crate) fn central_difference(
    network: &dyn Network<f64>,
    learner: &dyn Learner<f64>,
    theta: &Params<f64>,
    task: &Task<f64>,
    direction: &Params<f64>,
    h: f64,
) -> f64 {
    let loss = |h| {
        let theta = theta.plus(h, direction);
        let got = learner
            .meta_gradient(&Context::training(network, task), &theta)
            .unwrap();
        got.query_loss
    };
    (loss(h) - loss(-h)) / (2.0 * h)
}

/// Largest error over all coordinates, relative to the largest coordinate.
fn worst_error(learner: &LearnerConfig, h: f64) -> f64 {
    let network = LinearSoftmax::new(4, SHAPE.n_way);
    let checked = learner.validate().unwrap();
    let learner = checked.double();
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(0, SHAPE, 4);
    let exact = learner
        .meta_gradient(&Context::training(&network, &task), &theta)
        .unwrap();
    let mut worst: f64 = 0.0;
    for i in 0..layout.n_values() {
        let mut unit = Params::zeros(layout);
        unit.values_mut()[i] = 1.0;
        let difference = central_difference(&network, learner, &theta, &task, &unit, h);
        worst = worst.max((exact.gradient.values()[i] - difference).abs());
    }
    let largest = exact
        .gradient
        .values()
        .iter()
        .fold(0.0, |m: f64, g| m.max(g.abs()));
    worst / largest
}

#[test]
fn maml_agrees_with_differences_of_the_whole_procedure() {
    for steps in [0, 1, 3, 5, 20] {
        let error = worst_error(&maml("maml", 0.5, steps), H);
        assert!(error < TOLERANCE, "{steps} inner steps: {error:e}");
    }
}

/// A wrong formula may pass a loose tolerance; the order of the error tells.
#[test]
fn the_error_of_the_differences_falls_as_h_squared() {
    let config = maml("maml", 0.5, 3);
    let order = (worst_error(&config, 2e-2) / worst_error(&config, 1e-2)).log2();
    assert!((order - 2.0).abs() < 0.2, "{order}");
}

/// The battery has teeth: it rejects first-order MAML, off by 19 % of the largest coordinate here.
#[test]
fn the_differences_reject_the_first_order_gradient() {
    let gap = worst_error(&maml("fomaml", 0.5, 3), H);
    assert!((0.15..0.25).contains(&gap), "{gap}");
}

#[test]
fn stored_and_recomputed_trajectories_give_the_same_bits() {
    let network = LinearSoftmax::new(4, SHAPE.n_way);
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(1, SHAPE, 4);
    // Around the limits of six checkpoints: a step each, walked once more, twice, three times.
    for steps in [0, 1, 2, 6, 7, 8, 9, 27, 28, 29, 50, 84, 85] {
        let gradient = |trajectory| {
            let config = maml("maml", 0.5, steps).with("trajectory", trajectory);
            let checked = config.validate().unwrap();
            let got = checked
                .double()
                .meta_gradient(&Context::training(&network, &task), &theta);
            got.unwrap().gradient
        };
        assert_eq!(gradient("stored"), gradient("recompute"), "{steps} steps");
        assert_eq!(gradient("stored"), gradient("auto"), "{steps} steps");
    }
}

/// Coordinate by coordinate on the two halves of a smooth network, one of which the inner loop of this learner leaves alone.
pub(crate) fn agrees_on_halves(name: &str) {
    let network = LinearSoftmax::halved(4, SHAPE.n_way);
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(0, SHAPE, 4);
    for trajectory in ["stored", "recompute"] {
        let config = maml(name, 0.5, 7).with("trajectory", trajectory);
        let checked = config.validate().unwrap();
        let (learner, context) = (checked.double(), Context::training(&network, &task));
        let exact = learner.meta_gradient(&context, &theta).unwrap().gradient;
        for i in 0..layout.n_values() {
            let mut unit = Params::zeros(layout);
            unit.values_mut()[i] = 1.0;
            let difference = central_difference(&network, learner, &theta, &task, &unit, H);
            let error = (exact.values()[i] - difference).abs();
            let bound = 1e-7 * exact.norm();
            assert!(error < bound, "{name}, {trajectory}, {i}: {error:e}");
        }
    }
}
