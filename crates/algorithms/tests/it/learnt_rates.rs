//! MAML++ with learnt inner step sizes: MAML while no rate has moved, and the gradient of the rates against differences and sums.

use metastable_algorithms::check::{Finding, certify, meta_gradient};
use metastable_algorithms::maml_pp::multi_step_weights;
use metastable_algorithms::{Context, Head, LearnerConfig};
use metastable_data::{Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{Backend, Beside, DeviceSpec, Norm, Params, build};

use crate::networks::{SHAPE, network, network_config, shake, task};
use crate::second_order::{draws, maml};

const K: usize = 3;
const RATES: Head = Head::Beside(Beside::PerTensor(K));

fn learner(steps: usize) -> LearnerConfig {
    maml("maml-pp", 0.2, steps).with("learnt_rates", true)
}

/// Start and rates off their first values, some rates below zero.
fn moved(name: &str, norm: Norm) -> (Box<dyn metastable_models::Network<f64>>, Params<f64>) {
    let (_, plain) = network(name, norm, Head::Linear);
    let n = plain.values().len();
    let (rated, mut theta) = network(name, norm, RATES);
    shake(&mut theta);
    let rates = &mut theta.values_mut()[n..];
    let moves = draws(31, rates.len());
    for (rate, by) in rates.iter_mut().zip(moves) {
        *rate = 0.3 * by;
    }
    (rated, theta)
}

#[test]
fn the_network_has_a_rate_for_each_tensor_and_step() {
    for steps in [1, K, 5] {
        let head = learner(steps).validate().unwrap().head();
        assert_eq!(head, Head::Beside(Beside::PerTensor(steps)));
    }
    let none = learner(0).validate().unwrap().head();
    assert_eq!(none, Head::Beside(Beside::PerTensor(1)));
    let fixed = maml("maml-pp", 0.2, K).validate().unwrap().head();
    assert_eq!(fixed, Head::Linear);
    let (plain, _) = network("conv4", Norm::Batch, Head::Linear);
    let (rated, theta) = network("conv4", Norm::Batch, RATES);
    let tensors = plain.layout().entries().len();
    let n = plain.layout().n_values();
    assert_eq!(rated.layout().n_values(), n + K * tensors);
    assert!(theta.values()[n..].iter().all(|rate| *rate == 0.0));
}

/// With all rates at the one of MAML, losses, curves and the gradient of the start are MAML's.
#[test]
fn before_a_rate_has_moved_it_is_maml() {
    for norm in [Norm::None, Norm::Batch, Norm::PerStep { n_steps: K }] {
        let (plain, theta) = network("conv4", norm, Head::Linear);
        let (rated, with_rates) = network("conv4", norm, RATES);
        let n = theta.values().len();
        let task = task(3);
        let on_plain = Context::training(&*plain, &task);
        let on_rated = Context::training(&*rated, &task);
        for steps in [0, 1, K] {
            let fixed = maml("maml", 0.2, steps).validate().unwrap();
            let learnt = learner(steps).validate().unwrap();
            let expected = fixed.double().meta_gradient(&on_plain, &theta).unwrap();
            let found = learnt.double().meta_gradient(&on_rated, &with_rates);
            let found = found.unwrap();
            assert!((found.query_loss - expected.query_loss).abs() < 1e-12);
            let pairs = found.gradient.values()[..n]
                .iter()
                .zip(expected.gradient.values());
            let far = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(
                far < 1e-12 * expected.gradient.norm(),
                "{norm:?} {steps}: {far}"
            );
            let used = found.gradient.values()[n..].iter().filter(|it| **it != 0.0);
            let n_tensors = plain.layout().entries().len();
            // A rate is used in the step that it belongs to, and in no other.
            assert!(used.count() <= steps * n_tensors);
            let curve = |it: &metastable_algorithms::CheckedLearner, context, theta| {
                let inner = it.double().inner_loop().unwrap();
                inner.curve(context, theta, K).unwrap().query_loss
            };
            let [a, b] = [
                curve(&fixed, &on_plain, &theta),
                curve(&learnt, &on_rated, &with_rates),
            ];
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}

/// Central differences at rates that have moved.
#[test]
fn start_and_rates_have_the_gradient_of_the_query_loss() {
    for (backend, name, norm) in [
        (Backend::Fused, "conv4", Norm::Batch),
        (Backend::Graph, "conv4", Norm::None),
        (
            Backend::Fused,
            "conv4-strided",
            Norm::PerStep { n_steps: K },
        ),
        (Backend::Fused, "mlp", Norm::None),
    ] {
        let config = network_config(name, norm, RATES);
        let double = build::<f64>(&config, backend, DeviceSpec::Cpu).unwrap();
        let single = build::<f32>(&config, backend, DeviceSpec::Cpu).unwrap();
        let (_, theta) = moved(name, norm);
        let checked = learner(K).validate().unwrap();
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

/// With every part on, the gradient is the weighted sum of those for each number of steps.
#[test]
fn the_multi_step_gradient_is_the_weighted_sum_over_numbers_of_steps() {
    let (rated, theta) = moved("conv4", Norm::Batch);
    let task = task(1);
    let context = Context::training(&*rated, &task);
    let weights = multi_step_weights(K, 10, 40);
    let made = 10;
    for second_order_from in [0, 11] {
        let at = |learner: LearnerConfig| {
            let learner = learner.with("second_order_from", second_order_from);
            let checked = learner.validate().unwrap();
            checked
                .double()
                .meta_gradient_at(&context, &theta, made)
                .unwrap()
        };
        let mut expected = Params::zeros(theta.layout());
        for (k, weight) in weights.iter().enumerate() {
            expected.add(*weight, &at(learner(k + 1)).gradient);
        }
        let got = at(learner(K).with("multi_step", 40));
        let error = got.gradient.plus(-1.0, &expected).norm() / expected.norm();
        assert!(error < 1e-12, "{second_order_from}: {error:e}");
        let last = at(learner(K));
        assert!((got.query_loss - last.query_loss).abs() < 1e-12);
        assert!(last.gradient.plus(-1.0, &expected).norm() > 1e-3 * expected.norm());
    }
}

/// Beyond the steps of training the last rates hold: as if their row were repeated.
#[test]
fn further_steps_have_the_rates_of_the_last() {
    let (rated, theta) = moved("conv4", Norm::Batch);
    let longer = Head::Beside(Beside::PerTensor(K + 2));
    let (longer, mut repeated) = network("conv4", Norm::Batch, longer);
    let n = theta.values().len();
    let n_tensors = (longer.layout().n_values() - n) / 2;
    let (last, values) = (
        theta.values()[n - n_tensors..].to_vec(),
        repeated.values_mut(),
    );
    values[..n].copy_from_slice(theta.values());
    values[n..][..n_tensors].copy_from_slice(&last);
    values[n + n_tensors..].copy_from_slice(&last);
    let task = task(2);
    let checked = learner(K).with("test_inner_steps", K + 2);
    let checked = checked.validate().unwrap();
    let adapted = |network, theta| {
        let context = Context::training(network, &task);
        checked.double().adapted(&context, theta).unwrap()
    };
    let [a, b] = [adapted(&*rated, &theta), adapted(&*longer, &repeated)];
    assert_eq!(a.values(), b.values());
}
