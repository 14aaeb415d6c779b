//! What is seen of a training on the way, where it has a closed form.

use metastable_algorithms::{
    Context, Divergence, Head, LearnerConfig, OptimizerConfig, Outcome, StepReport, TrainConfig,
    TrainState, Trainer,
};
use metastable_models::Norm;
use proptest::prelude::*;

use crate::closed_form::Quadratic;
use crate::networks::{learnt, network, task};

/// Rounding of a few hundred operations in double precision.
const TOLERANCE: f64 = 1e-12;

fn close(got: f64, expected: f64) {
    let gap = (got - expected).abs();
    assert!(
        gap <= TOLERANCE * expected.abs().max(1.0),
        "{got} for {expected}"
    );
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The first outer step of plain descent on tasks of curvatures `(a, b)`, from `theta`.
fn first_step(learner: &LearnerConfig, theta: &[f64], tasks: &[[Vec<f64>; 2]]) -> StepReport {
    let network = Quadratic::new(theta.len());
    let config = TrainConfig {
        outer_steps: 5,
        outer_lr: 0.1,
        meta_batch: tasks.len(),
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        validate_every: 0,
        ..TrainConfig::default()
    };
    let source = |index: u64| {
        let [a, b] = &tasks[index as usize % tasks.len()];
        Ok(Quadratic::task(a, b))
    };
    let state = TrainState::new(&network, &config.optimizer, network.theta(theta));
    let (checked, plan) = (learner.validate().unwrap(), config.validate().unwrap());
    let learner = checked.double();
    let mut trainer = Trainer::new(&network, learner, &source, &source, plan, state).unwrap();
    trainer.step().unwrap().unwrap()
}

/// Without inner steps `g_t = b_t theta`: `(1, 3)`, `(3, 1)` and `(-1, 2)`, whose mean is `(1, 2)`.
#[test]
fn sizes_and_angles_of_known_gradients() {
    let descent = LearnerConfig::named("maml").with("inner_steps", 0);
    let tasks = [[1., 3.], [3., 1.], [-1., 2.]].map(|b| [vec![0.; 2], b.to_vec()]);
    let report = first_step(&descent, &[1., 1.], &tasks);
    close(report.signal.mean_square, 5.0);
    close(report.signal.sum_of_squares, 10. + 10. + 5.);
    close(report.signal.layer_norms[0], 5_f64.sqrt());
    close(report.gradient_norm, 5_f64.sqrt());
    // The update is 0.1 (1, 2), theta (1, 1).
    close(report.signal.update_ratio, 0.1 * (5_f64 / 2.0).sqrt());
    let observation = report.observation.unwrap();
    let expected = [6. / 10., 5. / 50_f64.sqrt(), -1. / 50_f64.sqrt()];
    for (got, expected) in observation.cosines.iter().zip(expected) {
        close(*got, expected);
    }
    assert_eq!(observation.cosines.len(), 3);
    // No way was gone, so none has a direction; and nothing is dropped from the gradient.
    let inner = observation.inner.unwrap();
    assert!(inner.coherence.is_empty());
    close(inner.bias.unwrap().difference, 0.0);
}

proptest! {
    /// `phi_K = s theta` with `s = (1 - alpha a)^K`, element by element: displacement `(s - 1) theta`, first-order
    /// meta-gradient `b s theta`, exact one `b s^2 theta`, support and query gradient at theta `a theta` and `b theta`.
    #[test]
    fn inner_observations_have_their_closed_forms(
        a in prop::collection::vec(prop::collection::vec(0.1..1.5_f64, 3), 2),
        b in prop::collection::vec(prop::collection::vec(0.1..1.5_f64, 3), 2),
        theta in prop::collection::vec(0.2..2.0_f64, 3),
        alpha in 0.05..0.5_f64, steps in 1..12_usize, is_first_order in any::<bool>(),
    ) {
        let name = if is_first_order { "fomaml" } else { "maml" };
        let learner = LearnerConfig::named(name).with("inner_lr", alpha).with("inner_steps", steps);
        let tasks = [[a[0].clone(), b[0].clone()], [a[1].clone(), b[1].clone()]];
        let report = first_step(&learner, &theta, &tasks);
        let inner = report.observation.unwrap().inner.unwrap();
        let of = |task: usize, form: &dyn Fn(f64, f64, f64) -> f64| -> Vec<f64> {
            (0..3).map(|i| {
                let shrink = (1.0 - alpha * a[task][i]).powi(steps as i32);
                theta[i] * form(a[task][i], b[task][i], shrink)
            }).collect()
        };
        for task in 0..2 {
            let (support, query) = (of(task, &|a, _, _| a), of(task, &|_, b, _| b));
            close(inner.within_task[task], cosine(&support, &query));
        }
        let [one, other] = [0, 1].map(|task| of(task, &|_, _, s| s - 1.0));
        close(inner.coherence[0], cosine(&one, &other));
        let sum = |form: &dyn Fn(f64, f64, f64) -> f64| -> Vec<f64> {
            of(0, form).iter().zip(of(1, form)).map(|(a, b)| a + b).collect()
        };
        let (exact, first) = (sum(&|_, b, s| b * s * s), sum(&|_, b, s| b * s));
        let gap: f64 = exact.iter().zip(&first).map(|(e, f)| (e - f) * (e - f)).sum();
        let size: f64 = exact.iter().map(|e| e * e).sum();
        let bias = inner.bias.unwrap();
        close(bias.cosine, cosine(&exact, &first));
        close(bias.difference, (gap / size).sqrt());
        prop_assert_eq!(inner.layers, vec![Some(bias)]);
    }
}

/// What is looked at is what trains: bit for bit MAML's and first-order MAML's meta-gradient, on a real network.
#[test]
fn an_anatomy_holds_both_meta_gradients() {
    let (network, theta) = network("conv4", Norm::Batch, Head::Linear);
    let meta_gradient = |name: &str| {
        let checked = LearnerConfig::named(name)
            .with("inner_steps", 3)
            .validate()
            .unwrap();
        let learner = checked.double();
        let task = task(1);
        let context = Context::training(&*network, &task);
        let inner = learner.inner_loop().unwrap();
        let anatomy = inner.anatomy(&context, &theta).unwrap().unwrap();
        let gradient = learner.meta_gradient(&context, &theta).unwrap().gradient;
        (gradient, anatomy)
    };
    let (exact, of_maml) = meta_gradient("maml");
    let (first_order, of_fomaml) = meta_gradient("fomaml");
    for anatomy in [of_maml, of_fomaml] {
        assert_eq!(anatomy.exact, exact);
        assert_eq!(anatomy.first_order, first_order);
        assert!(anatomy.displacement.norm() > 0.0);
    }
    assert_ne!(exact, first_order);
}

const N_STEPS: usize = 2000;

/// A filter whose shift is far below zero is off everywhere; an inner loop with step size 0 moves nothing.
#[test]
fn a_dead_unit_is_counted_and_an_inner_loop_that_stands_still_drifts_nowhere() {
    for entry in learnt() {
        let has_inner = entry.head.is_bound();
        let (network, mut theta) = network("conv4", Norm::Batch, entry.head);
        let shifts = theta.layout().find("blocks.0.norm.bias").unwrap().offset;
        theta.values_mut()[shifts + 1] = -1e3;
        let config = TrainConfig {
            outer_steps: N_STEPS,
            meta_batch: 2,
            outer_lr: 0.0,
            observe_every: 2,
            validate_every: 3,
            validation_tasks: 3,
            ..TrainConfig::default()
        };
        let mut learner = LearnerConfig::named(entry.name);
        if has_inner {
            learner = learner.with("inner_lr", 0.0).with("inner_steps", 2);
        }
        let checked = learner.validate().unwrap();
        let tasks = |index| Ok(task(index));
        // The end of a training that is long enough to look inside once.
        let mut state = TrainState::new(&*network, &config.optimizer, theta);
        state.step = N_STEPS - 5;
        let (learner, plan) = (checked.double(), config.validate().unwrap());
        // An inner loop without an adjoint has nothing to compare.
        let first = task(0);
        let context = Context::training(&*network, &first);
        let has_anatomy = learner.inner_loop().is_some_and(|inner| {
            let anatomy = inner.anatomy(&context, &state.weights.theta);
            anatomy.unwrap().is_some()
        });
        let mut trainer = Trainer::new(&*network, learner, &tasks, &tasks, plan, state).unwrap();
        let reports: Vec<StepReport> = std::iter::from_fn(|| trainer.step().unwrap()).collect();

        let observed = reports.iter().filter(|report| report.observation.is_some());
        let observed: Vec<usize> = observed.map(|report| report.step).collect();
        assert_eq!(observed, [N_STEPS - 4, N_STEPS - 2, N_STEPS]);
        for report in &reports {
            let inner = report.observation.as_ref().map(|it| it.inner.is_some());
            assert!(inner.is_none_or(|it| it == has_anatomy), "{}", entry.name);
            assert_eq!(report.inspection.is_some(), report.step == N_STEPS);
            let Some(inspection) = &report.inspection else {
                continue;
            };
            assert_eq!(inspection.n_tasks, 3);
            let dead: Vec<f64> = inspection.blocks.iter().map(|block| block.dead).collect();
            assert_eq!(dead, [0.25, 0.0], "{}", entry.name);
            for block in &inspection.blocks {
                let drift = block.drift.map(|drift| (drift.mean, drift.scale));
                assert_eq!(drift, has_inner.then_some((0.0, 0.0)), "{}", entry.name);
            }
            let curve = inspection.curve.as_ref();
            assert_eq!(curve.is_some(), has_inner, "{}", entry.name);
            if let Some(curve) = curve {
                assert_eq!(curve.query_loss.len(), 9);
                assert!(
                    curve
                        .query_loss
                        .iter()
                        .all(|loss| loss.to_bits() == curve.query_loss[0].to_bits())
                );
                assert!(curve.support_rose == 0.0);
            }
        }
    }
}

/// `alpha a = 1e20` makes `phi = -1e-10` of `theta = 1e-30`: the query loss and `b phi = 1e19` are finite, and the Hessian's
/// product with it, `1e39`, is no `f32`. The task is named.
#[test]
fn a_gradient_that_overflows_names_its_task() {
    let network = Quadratic::new(1);
    let config = TrainConfig {
        meta_batch: 3,
        validate_every: 0,
        ..TrainConfig::default()
    };
    let learner = LearnerConfig::named("maml")
        .with("inner_lr", 1.0)
        .validate()
        .unwrap();
    let tasks = |index: u64| {
        let [a, b] = if index == 1 { [1e20, 1e29] } else { [0.5, 1.0] };
        Ok(Quadratic::task(&[a], &[b]))
    };
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[1e-30_f32]));
    let (learner, plan) = (learner.single(), config.validate().unwrap());
    let mut trainer = Trainer::new(&network, learner, &tasks, &tasks, plan, state).unwrap();
    assert!(trainer.step().unwrap().is_none());
    let cause = Divergence::Gradient {
        tensor: "theta".to_owned(),
        task_idx: Some(1),
    };
    assert_eq!(cause.to_string(), "meta-gradient of theta of task 1");
    assert_eq!(
        trainer.outcome(),
        Some(Outcome::Diverged { step: 1, cause })
    );
}

/// `phi_1 = 1 - 4e308` is no `f64`: the weight is named with the inner step that made it, not the loss that it spoils next.
#[test]
fn weights_that_overflow_in_the_inner_loop_are_named() {
    let network = Quadratic::new(1);
    let config = TrainConfig::default();
    let learner = LearnerConfig::named("fomaml")
        .with("inner_lr", 1e308)
        .with("inner_steps", 5)
        .validate()
        .unwrap();
    let tasks = |_| Ok(Quadratic::task(&[4.0], &[1.0]));
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[1.0]));
    let (learner, plan) = (learner.double(), config.validate().unwrap());
    let mut trainer = Trainer::new(&network, learner, &tasks, &tasks, plan, state).unwrap();
    assert!(trainer.step().unwrap().is_none());
    let Some(Outcome::Diverged { step: 1, cause }) = trainer.outcome() else {
        panic!("{:?}", trainer.outcome());
    };
    let expected = "fast weights theta after 1 inner steps of task 0";
    assert_eq!(cause.to_string(), expected);
}
