//! Meta-SGD: MAML while no rate has moved, and the gradient of the rates against differences and a closed form.

use metastable_algorithms::check::{Finding, certify, meta_gradient};
use metastable_algorithms::{Context, Head, LEARNERS, LearnerConfig};
use metastable_data::{Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{Backend, Beside, DeviceSpec, Norm, Params, build};

use crate::networks::{SHAPE, network, network_config, shake, task};
use crate::second_order::{draws, maml};

const RATES: Head = Head::Beside(Beside::Copy);

fn learner(steps: usize) -> LearnerConfig {
    maml("meta-sgd", 0.2, steps)
}

/// With all rates at the one of MAML, predictions, curves and the gradient of the start are MAML's.
#[test]
fn before_a_rate_has_moved_it_is_maml() {
    for norm in [Norm::None, Norm::Batch, Norm::PerStep { n_steps: 3 }] {
        let (plain, theta) = network("conv4", norm, Head::Linear);
        let (rated, with_rates) = network("conv4", norm, RATES);
        let n = theta.values().len();
        assert_eq!(with_rates.values().len(), 2 * n);
        assert_eq!(with_rates.values()[..n], *theta.values());
        assert!(with_rates.values()[n..].iter().all(|rate| *rate == 0.0));
        let task = task(3);
        for steps in [0, 1, 3] {
            let (maml, meta_sgd) = (
                maml("maml", 0.2, steps).validate().unwrap(),
                learner(steps).validate().unwrap(),
            );
            let on_plain = Context::training(&*plain, &task);
            let on_rated = Context::training(&*rated, &task);
            let expected = maml.double().meta_gradient(&on_plain, &theta).unwrap();
            let found = meta_sgd.double().meta_gradient(&on_rated, &with_rates);
            let found = found.unwrap();
            assert!((found.query_loss - expected.query_loss).abs() < 1e-12);
            let gaps = found.gradient.values()[..n].iter();
            let gaps = gaps.zip(expected.gradient.values());
            let far = gaps.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(
                far < 1e-12 * expected.gradient.norm(),
                "{norm:?} {steps}: {far}"
            );
            assert_eq!(
                steps == 0,
                found.gradient.values()[n..].iter().all(|it| *it == 0.0)
            );
            let inner =
                |it: &metastable_algorithms::CheckedLearner, context, theta: &Params<f64>| {
                    it.double()
                        .inner_loop()
                        .unwrap()
                        .curve(context, theta, 4)
                        .unwrap()
                };
            let (curve, other) = (
                inner(&maml, &on_plain, &theta),
                inner(&meta_sgd, &on_rated, &with_rates),
            );
            for (a, b) in curve.query_loss.iter().zip(&other.query_loss) {
                assert!((a - b).abs() < 1e-12);
            }
        }
    }
}

/// Central differences at rates that have moved, some of them below zero.
#[test]
fn start_and_rates_have_the_gradient_of_the_query_loss() {
    for (backend, name, norm) in [
        (Backend::Fused, "conv4", Norm::Batch),
        (Backend::Graph, "conv4", Norm::None),
        (
            Backend::Fused,
            "conv4-strided",
            Norm::PerStep { n_steps: 3 },
        ),
        (Backend::Fused, "mlp", Norm::None),
    ] {
        let config = network_config(name, norm, RATES);
        let double = build::<f64>(&config, backend, DeviceSpec::Cpu).unwrap();
        let single = build::<f32>(&config, backend, DeviceSpec::Cpu).unwrap();
        let (_, mut theta) = network(name, norm, RATES);
        let n = theta.values().len() / 2;
        shake(&mut theta);
        let moves = draws(31, n);
        for (rate, by) in theta.values_mut()[n..].iter_mut().zip(moves) {
            *rate = 0.3 * by;
        }
        let checked = learner(2).validate().unwrap();
        let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
        let found = meta_gradient(checked.double(), &*double, &theta, &task(0), &mut rng).unwrap();
        let what = format!("{backend:?} {name} {norm:?}: {found:?}");
        assert!(
            matches!(found, Finding::Error(error) if error < TOLERANCE),
            "{what}"
        );
        let found = certify(&checked, (&*single, &*double), SHAPE, &mut rng).unwrap();
        for finding in [found.blindness, found.adaptation] {
            assert!(
                matches!(finding, Finding::Error(error) if error < TOLERANCE),
                "{what}"
            );
        }
    }
}

/// Another `inner_lr` at test shifts all rates: with no rate moved it is MAML of that step size.
#[test]
fn the_setting_shifts_all_rates() {
    let (rated, theta) = network("conv4", Norm::Batch, RATES);
    let task = task(2);
    let context = Context::training(&*rated, &task);
    let adapted = |rate: f64, by: f64| {
        let mut theta = theta.clone();
        let n = theta.values().len() / 2;
        theta.values_mut()[n..].fill(by);
        let checked = maml("meta-sgd", rate, 2).validate().unwrap();
        checked.double().adapted(&context, &theta).unwrap()
    };
    let (a, b) = (adapted(0.5, 0.0), adapted(0.2, 0.3));
    assert!(a.plus(-1.0, &b).norm() < 1e-12 * a.norm());
    assert!(LEARNERS.iter().any(|entry| entry.name == "meta-sgd"));
}
