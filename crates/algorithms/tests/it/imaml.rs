//! Implicit MAML where the implicit function theorem has a closed form, and against differences of the whole procedure where the
//! inner loop converges.

use metastable_algorithms::{Context, LearnerConfig};
use metastable_models::{Network, Params};
use proptest::prelude::*;

use crate::closed_form::{LinearSoftmax, Quadratic};
use crate::second_order::{SHAPE, central_difference, draws, noise_task};

fn imaml(inner_lr: f64, inner_steps: usize, lambda: f64, cg_steps: usize) -> LearnerConfig {
    LearnerConfig::named("imaml")
        .with("inner_lr", inner_lr)
        .with("inner_steps", inner_steps)
        .with("lambda", lambda)
        .with("cg_steps", cg_steps)
}

fn gradient(learner: &LearnerConfig, a: f64, b: f64, theta: f64) -> f64 {
    let (network, task) = (Quadratic::new(1), Quadratic::task(&[a], &[b]));
    let context = Context::training(&network, &task);
    let checked = learner.validate().unwrap();
    let got = checked
        .double()
        .meta_gradient(&context, &network.theta(&[theta]));
    got.unwrap().gradient.values()[0]
}

proptest! {
    /// `phi* = lambda theta / (a + lambda)`, and the gradient is `b phi* / (1 + a / lambda)`.
    #[test]
    fn on_a_quadratic_the_gradient_has_a_closed_form(
        a in 0.1..2.0_f64, b in 0.1..3.0_f64, theta in -2.0..2.0_f64, lambda in 0.5..2.0_f64,
    ) {
        let got = gradient(&imaml(0.2, 500, lambda, 1), a, b, theta);
        let expected = b * lambda * theta / (a + lambda) / (1.0 + a / lambda);
        prop_assert!((got - expected).abs() < 1e-10, "{got} {expected}");
    }

    /// Stopped early, it is where the steps lead: `phi_K - c = (1 - alpha (a + lambda))^K (theta - c)` around the minimum `c`.
    #[test]
    fn the_inner_loop_descends_the_proximal_loss(
        a in 0.1..2.0_f64, theta in -2.0..2.0_f64, lambda in 0.5..2.0_f64, steps in 0..6_usize,
    ) {
        let got = gradient(&imaml(0.2, steps, lambda, 0), a, 1.0, theta);
        let minimum = lambda * theta / (a + lambda);
        let rate = (1.0 - 0.2 * (a + lambda)).powi(steps as i32);
        prop_assert!((got - minimum - rate * (theta - minimum)).abs() < 1e-12);
    }
}

#[test]
fn where_the_inner_loop_converges_it_is_the_gradient_of_the_loss() {
    let network = LinearSoftmax::new(4, SHAPE.n_way);
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(100, layout.n_values()));
    let task = noise_task(0, SHAPE, 4);
    let error = |cg_steps| {
        let checked = imaml(0.5, 300, 0.5, cg_steps).validate().unwrap();
        let (learner, context) = (checked.double(), Context::training(&network, &task));
        assert!(learner.differentiable().is_none());
        let made = learner.meta_gradient(&context, &theta).unwrap().gradient;
        let of = |i: usize| {
            let mut unit = Params::zeros(layout);
            unit.values_mut()[i] = 1.0;
            let difference = central_difference(&network, learner, &theta, &task, &unit, 1e-5);
            (made.values()[i] - difference).abs()
        };
        (0..layout.n_values()).map(of).fold(0.0, f64::max) / made.norm()
    };
    assert!(error(20) < 1e-7, "{:e}", error(20));
    // Without the solver it is far from it: the differences have teeth.
    assert!(error(0) > 1e-2, "{:e}", error(0));
}

/// `I + H / lambda = 1 - 3`: no minimum, no solution; the gradient at `phi_K` is taken as it is.
#[test]
fn without_positive_curvature_the_solver_stops() {
    let got = gradient(&imaml(0.1, 2, 1.0, 5), -3.0, 2.0, 1.0);
    // phi_1 = 1 - 0.1 (-3 + 0), phi_2 = phi_1 - 0.1 (-3 phi_1 + phi_1 - 1)
    let phi = 1.3 - 0.1 * (-3.0 * 1.3 + 0.3);
    assert!((got - 2.0 * phi).abs() < 1e-12, "{got}");
}

#[test]
fn settings_out_of_bounds_are_named() {
    for (setting, value, expected) in [
        ("lambda", 0.0, "lambda = 0"),
        ("cg_steps", 2000.0, "cg_steps"),
    ] {
        let config = match setting {
            "cg_steps" => LearnerConfig::named("imaml").with(setting, value as u64),
            _ => LearnerConfig::named("imaml").with(setting, value),
        };
        let said = config.validate().unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}
