//! R2D2: the regression against the system it stands for, its gradient against differences, any number of classes and supports.

use metastable_algorithms::check::{Finding, certify, meta_gradient};
use metastable_algorithms::{Context, Head, LearnerConfig};
use metastable_data::{EpisodeShape, Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{Backend, Beside, DeviceSpec, Norm, Pass, build};

use crate::networks::{SHAPE, network, network_config, shake, task};
use crate::second_order::noise_task;

const NUMBERS: Head = Head::Beside(Beside::Numbers(3));

fn learner() -> metastable_algorithms::CheckedLearner {
    LearnerConfig::named("r2d2").validate().unwrap()
}

/// The head solves `(X^T X + lambda I) W = X^T Y`, the equation before Woodbury's identity, in the space of the features.
#[test]
fn the_head_is_the_ridge_regression_of_the_supports() {
    let (network, mut theta) = network("conv4", Norm::None, NUMBERS);
    let n_body = theta.values().len() - 3;
    let (log, scale, shift) = (-1.5_f64, 2.0, 0.25);
    theta.values_mut()[n_body..].copy_from_slice(&[log, scale, shift]);
    let task = task(1);
    let context = Context::training(&*network, &task);
    let phi = learner().double().adapted(&context, &theta).unwrap();
    let width = network.n_outputs();
    let x = network
        .outputs(&theta, task.support_images(), Pass::batch(0))
        .unwrap();
    let (lambda, scale) = (log.exp(), 10.0 + scale);
    let head = &phi.values()[n_body..];
    let mut largest = 0.0_f64;
    for class in 0..SHAPE.n_way {
        let w: Vec<f64> = head[class * width..][..width]
            .iter()
            .map(|it| it / scale)
            .collect();
        // X^T (X w - y) + lambda w = 0
        let mut gradient: Vec<f64> = w.iter().map(|it| lambda * it).collect();
        for (row, label) in x.chunks_exact(width).zip(task.support_labels()) {
            let predicted: f64 = row.iter().zip(&w).map(|(a, b)| a * b).sum();
            let residual = predicted - f64::from(u8::from(*label == class));
            for (sum, value) in gradient.iter_mut().zip(row) {
                *sum += residual * value;
            }
        }
        largest = gradient.iter().fold(largest, |most, it| most.max(it.abs()));
        assert!(w.iter().any(|it| it.abs() > 1e-6));
    }
    assert!(largest < 1e-10, "{largest}");
    assert_eq!(head[SHAPE.n_way * width..], [shift; SHAPE.n_way]);
}

#[test]
fn embedding_and_learnt_numbers_have_the_gradient_of_the_query_loss() {
    for (backend, name, norm) in [
        (Backend::Fused, "conv4", Norm::Batch),
        (Backend::Graph, "conv4", Norm::Batch),
        (Backend::Fused, "conv4", Norm::None),
        (Backend::Fused, "conv4-strided", Norm::Running),
        (Backend::Fused, "mlp", Norm::None),
    ] {
        let config = network_config(name, norm, NUMBERS);
        let double = build::<f64>(&config, backend, DeviceSpec::Cpu).unwrap();
        let single = build::<f32>(&config, backend, DeviceSpec::Cpu).unwrap();
        let (_, mut theta) = network(name, norm, NUMBERS);
        let n_body = theta.values().len() - 3;
        shake(&mut theta);
        theta.values_mut()[n_body..].copy_from_slice(&[0.7, -3.0, 0.1]);
        let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
        let checked = learner();
        let found = meta_gradient(checked.double(), &*double, &theta, &task(0), &mut rng).unwrap();
        let what = format!("{backend:?} {name} {norm:?}: {found:?}");
        assert!(
            matches!(found, Finding::Error(error) if error < TOLERANCE),
            "{what}"
        );
        let task = task(0);
        let context = Context::training(&*double, &task);
        let gradient = checked
            .double()
            .meta_gradient(&context, &theta)
            .unwrap()
            .gradient;
        assert!(gradient.values()[n_body] != 0.0 && gradient.values()[n_body + 1] != 0.0);
        let found = certify(&checked, (&*single, &*double), SHAPE, &mut rng).unwrap();
        for finding in [found.blindness, found.adaptation] {
            assert!(
                matches!(finding, Finding::Error(error) if error < TOLERANCE),
                "{what}: {found:?}"
            );
        }
    }
}

/// More supports than one product takes: the derivative of the features is put together.
#[test]
fn many_supports_are_differentiated_in_parts() {
    let shape = EpisodeShape {
        n_way: 3,
        k_shot: 90,
        n_query: 1,
    };
    let config = network_config("mlp", Norm::Batch, NUMBERS);
    let network = build::<f64>(&config, Backend::default(), DeviceSpec::Cpu).unwrap();
    let (_, theta) = crate::networks::network("mlp", Norm::Batch, NUMBERS);
    let task = noise_task(5, shape, 64);
    let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
    let found = meta_gradient(learner().double(), &*network, &theta, &task, &mut rng).unwrap();
    assert!(
        matches!(found, Finding::Error(error) if error < TOLERANCE),
        "{found:?}"
    );
}

#[test]
fn what_learnt_numbers_begin_at_is_positive() {
    for (name, value) in [("lambda", 0.0), ("scale", -1.0), ("lambda", f64::INFINITY)] {
        let config = LearnerConfig::named("r2d2").with(name, value);
        assert!(config.validate().is_err(), "{name} {value}");
    }
}
