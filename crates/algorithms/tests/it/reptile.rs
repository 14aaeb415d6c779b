//! Reptile's outer direction is where plain SGD on the task's images leads, which is done again here by hand.

use metastable_algorithms::{
    Context, Head, Learner, LearnerConfig, OptimizerConfig, ScheduleConfig, Task, TrainConfig,
    TrainState, Trainer,
};
use metastable_models::{Loss, Network, Norm, Objective, Params, Pass};
use proptest::prelude::*;

use crate::closed_form::{LinearSoftmax, Quadratic};
use crate::networks::{network, task};
use crate::second_order::{SHAPE, draws, noise_task};

fn reptile(inner_lr: f64, inner_steps: usize, inner_batch: usize) -> LearnerConfig {
    LearnerConfig::named("reptile")
        .with("inner_lr", inner_lr)
        .with("inner_steps", inner_steps)
        .with("inner_batch", inner_batch)
}

fn direction(
    learner: &LearnerConfig,
    context: &Context<'_, f64>,
    theta: &Params<f64>,
) -> Params<f64> {
    let checked = learner.validate().unwrap();
    let got = checked.double().meta_gradient(context, theta).unwrap();
    assert!(got.non_finite.is_none());
    got.gradient
}

proptest! {
    /// The support has curvature `a`, the query `b`; steps of one image go `a, b, a, ...`, so that
    /// `phi_K = (1 - alpha a)^ceil(K/2) (1 - alpha b)^floor(K/2) theta`.
    #[test]
    fn on_a_quadratic_the_direction_has_a_closed_form(
        a in 0.1..3.0_f64, b in 0.1..3.0_f64, theta in -2.0..2.0_f64,
        alpha in 0.0..0.6_f64, steps in 0..20_usize,
    ) {
        let (network, task) = (Quadratic::new(1), Quadratic::task(&[a], &[b]));
        let context = Context::training(&network, &task);
        let got = direction(&reptile(alpha, steps, 1), &context, &network.theta(&[theta]));
        let powers = [steps.div_ceil(2), steps / 2].map(|n| n as i32);
        let phi = (1.0 - alpha * a).powi(powers[0]) * (1.0 - alpha * b).powi(powers[1]) * theta;
        prop_assert!((got.values()[0] - (theta - phi)).abs() < 1e-12);
    }
}

/// `theta <- theta + epsilon mean(phi_K - theta)`: the paper's algorithm 2, with the plain optimizer.
#[test]
fn an_outer_step_goes_a_share_of_the_way_to_the_mean_of_the_adapted_parameters() {
    let (alpha, epsilon, theta) = (0.3, 0.25, 1.5);
    let network = Quadratic::new(1);
    let tasks = |index: u64| {
        Ok(Quadratic::task(
            &[0.5 + index as f64],
            &[1.0 + index as f64],
        ))
    };
    let config = TrainConfig {
        outer_steps: 1,
        meta_batch: 2,
        outer_lr: epsilon,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        schedule: ScheduleConfig::Constant,
        validate_every: 0,
        ..TrainConfig::default()
    };
    let learner = reptile(alpha, 2, 1).validate().unwrap();
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[theta]));
    let plan = config.validate().unwrap();
    let mut trainer =
        Trainer::new(&network, learner.double(), &tasks, &tasks, plan, state).unwrap();
    trainer.step().unwrap().unwrap();
    let phi = |a: f64, b: f64| (1.0 - alpha * a) * (1.0 - alpha * b) * theta;
    let mean = f64::midpoint(phi(0.5, 1.0), phi(1.5, 2.0));
    let expected = theta + epsilon * (mean - theta);
    let got = trainer.state().weights.theta.values()[0];
    assert!((got - expected).abs() < 1e-14, "{got} {expected}");
}

/// Gradient of the cross-entropy of these rows of a task (supports first), asked of the network itself.
fn gradient_of(
    network: &dyn Network<f64>,
    phi: &Params<f64>,
    task: &Task<f64>,
    rows: &[usize],
    k: usize,
) -> Params<f64> {
    let all = [task.support_labels(), task.query_labels()].concat();
    let n_pixels = task.images().len() / all.len();
    let pixels = |row: &usize| &task.images()[row * n_pixels..][..n_pixels];
    let images: Vec<f64> = rows.iter().flat_map(pixels).copied().collect();
    let labels: Vec<usize> = rows.iter().map(|row| all[*row]).collect();
    let objective = Objective {
        loss: Loss::CrossEntropy,
        n_way: task.shape().n_way,
        supports: &[],
        labels: &labels,
        values: &[],
    };
    let mut tape = network
        .record(phi, &images, Pass::batch(k), objective)
        .unwrap();
    tape.gradient().unwrap()
}

/// Three classes with two supports (rows 0 to 5) and three queries each (rows 6 to 14): the first image of each class, the
/// second, and so on.
#[test]
fn the_direction_is_the_displacement_of_sgd_to_the_bit() {
    let turns = [0, 2, 4, 1, 3, 5, 6, 9, 12, 7, 10, 13, 8, 11, 14];
    for norm in [Norm::Batch, Norm::None] {
        let (network, theta) = network("conv4", norm, Head::Linear);
        let task = task(0);
        let mut phi = theta.clone();
        for k in 0..4 {
            let rows: Vec<usize> = (0..6).map(|i| turns[(6 * k + i) % 15]).collect();
            let gradient = gradient_of(&*network, &phi, &task, &rows, k);
            phi = phi.plus(-0.2, &gradient);
        }
        let context = Context::training(&*network, &task);
        let got = direction(&reptile(0.2, 4, 6), &context, &theta);
        assert_eq!(got, theta.plus(-1.0, &phi), "{norm:?}");
    }
}

/// With one step on all images Reptile is joint training (section 5 of the paper): its direction is the gradient of the loss
/// of supports and queries together, times the step size.
#[test]
fn one_step_on_everything_is_joint_training() {
    let network = LinearSoftmax::new(5, SHAPE.n_way);
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(0, SHAPE, 5);
    let everything: Vec<usize> = (0..SHAPE.n_support() + SHAPE.n_queries()).collect();
    let mut expected = gradient_of(&network, &theta, &task, &everything, 0);
    expected.scale(0.3);
    let context = Context::training(&network, &task);
    let got = direction(&reptile(0.3, 1, 1000), &context, &theta);
    assert!(got.plus(-1.0, &expected).norm() < 1e-14 * expected.norm().max(1.0));
    assert!(expected.norm() > 1e-2);
}

/// At test no query is trained on: other queries, the same parameters.
#[test]
fn adaptation_at_test_sees_the_supports_alone() {
    let (network, theta) = network("conv4", Norm::Batch, Head::Linear);
    let task = task(0);
    let queries = vec![0.5; task.query_images().len()];
    let other = Task::new(task.shape(), [task.support_images(), &queries].concat()).unwrap();
    let checked = reptile(0.2, 3, 4).validate().unwrap();
    let learner: &dyn Learner<f64> = checked.double();
    let phi = |task| {
        learner
            .adapted(&Context::training(&*network, task), &theta)
            .unwrap()
    };
    assert_eq!(phi(&task), phi(&other));
    assert_ne!(phi(&task), theta);
    assert!(learner.differentiable().is_none());
}
