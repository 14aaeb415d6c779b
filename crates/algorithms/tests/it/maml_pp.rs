//! The parts of MAML++: all off is MAML to the bit; each alone is what its formula says.

use metastable_algorithms::maml_pp::multi_step_weights;
use metastable_algorithms::{
    Context, Head, LearnerConfig, MetaGradient, OptimizerConfig, TrainConfig, TrainState, Trainer,
};
use metastable_models::{Network, Norm, Params};

use crate::closed_form::{LinearSoftmax, Quadratic};
use crate::networks::{network, task};
use crate::second_order::{SHAPE, draws, maml, noise_task};

const K: usize = 4;

fn pp(multi_step: usize, second_order_from: usize) -> LearnerConfig {
    maml("maml-pp", 0.3, K)
        .with("multi_step", multi_step)
        .with("second_order_from", second_order_from)
}

fn at(
    learner: &LearnerConfig,
    context: &Context<'_, f64>,
    theta: &Params<f64>,
    made: usize,
) -> MetaGradient<f64> {
    let checked = learner.validate().unwrap();
    checked
        .double()
        .meta_gradient_at(context, theta, made)
        .unwrap()
}

#[test]
fn all_parts_off_are_maml_to_the_bit() {
    for norm in [Norm::Batch, Norm::PerStep { n_steps: K }] {
        let (network, theta) = network("conv4", norm, Head::Linear);
        let task = task(0);
        let context = Context::training(&*network, &task);
        let plain = at(&maml("maml", 0.3, K), &context, &theta, 0);
        for made in [0, 1000] {
            let off = at(&pp(0, 0), &context, &theta, made);
            assert_eq!(off.gradient, plain.gradient);
            assert_eq!(off.query_loss.to_bits(), plain.query_loss.to_bits());
        }
        // With all parts on it ends as MAML too, and does not begin so.
        let on = pp(50, 20);
        assert_eq!(at(&on, &context, &theta, 50).gradient, plain.gradient);
        assert_ne!(at(&on, &context, &theta, 49).gradient, plain.gradient);
        let checked = on.validate().unwrap();
        let certified = checked.double().meta_gradient(&context, &theta).unwrap();
        assert_eq!(certified.gradient, plain.gradient);
    }
}

/// The weights of `get_per_step_loss_importance_vector` of the authors' code for five steps.
#[test]
fn weights_are_those_of_the_authors() {
    let close = |got: Vec<f64>, expected: [f64; 5]| {
        let same = got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(same, "{got:?} {expected:?}");
    };
    close(multi_step_weights(5, 0, 100), [0.2; 5]);
    close(multi_step_weights(5, 50, 100), [0.1, 0.1, 0.1, 0.1, 0.6]);
    // Below 3 % of 1/5 no weight falls.
    close(
        multi_step_weights(5, 99, 100),
        [0.006, 0.006, 0.006, 0.006, 0.976],
    );
    close(multi_step_weights(5, 100, 100), [0.0, 0.0, 0.0, 0.0, 1.0]);
    assert!(multi_step_weights(0, 0, 10).is_empty());
}

/// `d/d theta sum_k w_k L_Q(phi_k)` is the sum of MAML's gradients for `k` steps, and of first-order MAML's before the order changes.
#[test]
fn the_multi_step_gradient_is_the_weighted_sum_over_numbers_of_steps() {
    let network = LinearSoftmax::new(4, SHAPE.n_way);
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(0, SHAPE, 4);
    let context = Context::training(&network, &task);
    let weights = multi_step_weights(K, 10, 40);
    for (name, second_order_from) in [("maml", 0), ("fomaml", 11)] {
        let mut expected = Params::zeros(layout);
        for (k, weight) in weights.iter().enumerate() {
            let alone = at(&maml(name, 0.3, k + 1), &context, &theta, 0);
            expected.add(*weight, &alone.gradient);
        }
        let got = at(&pp(40, second_order_from), &context, &theta, 10);
        let error = got.gradient.plus(-1.0, &expected).norm() / expected.norm();
        assert!(error < 1e-13, "{name}: {error:e}");
        let last = at(&maml("maml", 0.3, K), &context, &theta, 0);
        assert_eq!(got.query_loss.to_bits(), last.query_loss.to_bits());
        assert!(got.gradient.plus(-1.0, &last.gradient).norm() > 1e-3 * expected.norm());
    }
}

/// The trainer says how many steps were made: the first step is first-order MAML's, the second MAML's.
#[test]
fn the_order_of_the_derivative_changes_where_it_is_asked_to() {
    let network = Quadratic::new(1);
    let tasks = |_| Ok(Quadratic::task(&[0.8], &[1.3]));
    let config = TrainConfig {
        outer_steps: 2,
        meta_batch: 1,
        outer_lr: 0.1,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        validate_every: 0,
        ..TrainConfig::default()
    };
    let checked = pp(0, 1).validate().unwrap();
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[1.0]));
    let plan = config.validate().unwrap();
    let mut trainer =
        Trainer::new(&network, checked.double(), &tasks, &tasks, plan, state).unwrap();
    // phi_K = c theta with c = (1 - alpha a)^K; b c theta is the first-order gradient, b c^2 theta the exact one.
    let c = (1.0 - 0.3 * 0.8_f64).powi(K as i32);
    let mut theta = 1.0;
    for factor in [c, c * c] {
        trainer.step().unwrap().unwrap();
        theta -= 0.1 * 1.3 * factor * theta;
        let got = trainer.state().weights.theta.values()[0];
        assert!((got - theta).abs() < 1e-14, "{got} {theta}");
    }
}

#[test]
fn what_is_not_finite_is_told_with_its_step() {
    let network = Quadratic::new(1);
    let task = Quadratic::task(&[1e200], &[1.0]);
    let context = Context::training(&network, &task);
    let got = at(&pp(10, 0), &context, &network.theta(&[1.0]), 0);
    assert!(got.non_finite.is_some());
}
