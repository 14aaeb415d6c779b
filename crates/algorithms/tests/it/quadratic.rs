//! On a quadratic everything has a closed form:
//!
//! `L_S = a theta^2 / 2`, `L_Q = b theta^2 / 2`  =>  `phi_K = (1 - alpha a)^K theta`, so that
//! MAML's meta-gradient is `b (1 - alpha a)^{2K} theta` and FOMAML's is `b (1 - alpha a)^K theta`.

use metastable_algorithms::{Context, LearnerConfig, MetaGradient};
use proptest::prelude::*;

use crate::closed_form::Quadratic;

/// Rounding of a few hundred operations in double precision.
const TOLERANCE: f64 = 1e-12;

fn learner(name: &str, inner_lr: f64, inner_steps: usize) -> LearnerConfig {
    LearnerConfig::named(name)
        .with("inner_lr", inner_lr)
        .with("inner_steps", inner_steps)
}

fn meta_gradient(config: &LearnerConfig, a: f64, b: f64, theta: f64) -> MetaGradient<f64> {
    let network = Quadratic::new(1);
    let learner = config.validate().unwrap();
    let task = Quadratic::task(&[a], &[b]);
    learner
        .double()
        .meta_gradient(
            &Context::training(&network, &task),
            &network.theta(&[theta]),
        )
        .unwrap()
}

fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
}

proptest! {
    #[test]
    fn meta_gradients_have_their_closed_forms(
        a in 0.1..3.0_f64, b in 0.1..3.0_f64, theta in -2.0..2.0_f64,
        alpha in 0.0..0.7_f64, steps in 0..40_usize,
    ) {
        let shrink = (1.0 - alpha * a).powi(steps as i32);
        let phi = shrink * theta;
        for trajectory in ["auto", "stored", "recompute"] {
            let config = learner("maml", alpha, steps).with("trajectory", trajectory);
            let maml = meta_gradient(&config, a, b, theta);
            prop_assert!(close(maml.query_loss, b * phi * phi / 2.0));
            prop_assert!(close(maml.gradient.values()[0], b * shrink * shrink * theta));
        }
        let fomaml = meta_gradient(&learner("fomaml", alpha, steps), a, b, theta);
        prop_assert!(close(fomaml.gradient.values()[0], b * shrink * theta));
    }
}

#[test]
fn without_inner_steps_both_are_plain_descent_on_the_query_loss() {
    for name in ["maml", "fomaml"] {
        let got = meta_gradient(&learner(name, 0.4, 0), 3.0, 2.0, 5.0);
        assert!(close(got.gradient.values()[0], 2.0 * 5.0), "{name}");
    }
}

#[test]
fn test_steps_are_separate_from_training_steps() {
    let network = Quadratic::new(1);
    let task = Quadratic::task(&[0.5], &[2.0]);
    let config = learner("maml", 1.0, 1).with("test_inner_steps", 3);
    let checked = config.validate().unwrap();
    let theta = network.theta(&[1.0]);
    let prediction = checked
        .double()
        .predict(&Context::training(&network, &task), &theta)
        .unwrap();
    // phi_3 = (1 - 0.5)^3 = 1/8, L_Q = phi_3^2 = 1/64.
    assert!(close(prediction.query_loss, 1.0 / 64.0));
}

#[test]
fn the_curve_follows_the_closed_form() {
    let network = Quadratic::new(1);
    let task = Quadratic::task(&[0.5], &[2.0]);
    let checked = learner("fomaml", 1.0, 2).validate().unwrap();
    let theta = network.theta(&[1.0]);
    let curve = checked
        .double()
        .inner_loop()
        .unwrap()
        .curve(&Context::training(&network, &task), &theta, 8)
        .unwrap();
    assert_eq!(curve.support_loss.len(), 9);
    for k in 0..=8 {
        let phi = 0.5_f64.powi(k);
        assert!(close(curve.support_loss[k as usize], 0.25 * phi * phi));
        assert!(close(curve.query_loss[k as usize], phi * phi));
    }
}

/// The inner loop descends exactly below `2 / lambda_max`: on `a = (1, 4)` that is 0.5.
#[test]
fn the_inner_loop_descends_below_two_over_lambda_max_and_not_above() {
    let network = Quadratic::new(2);
    let task = Quadratic::task(&[1.0, 4.0], &[1.0, 4.0]);
    let theta = network.theta(&[1.0, 1.0]);
    for (inner_lr, descends) in [(0.1, true), (0.49, true), (0.51, false), (0.9, false)] {
        let checked = learner("maml", inner_lr, 50).validate().unwrap();
        let curve = checked
            .double()
            .inner_loop()
            .unwrap()
            .curve(&Context::training(&network, &task), &theta, 50)
            .unwrap();
        let ended_lower = curve.support_loss[50] < curve.support_loss[0];
        assert_eq!(ended_lower, descends, "inner_lr {inner_lr}");
    }
}
