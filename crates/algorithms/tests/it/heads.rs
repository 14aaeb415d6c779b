//! Heads that know any way: against differences, against learners that they have to equal, under every order of the classes.

use metastable_algorithms::check::{Finding, certify};
use metastable_algorithms::{
    AlgorithmError, CheckedLearner, Context, Head, LearnerConfig, Prediction, Task,
};
use metastable_data::{EpisodeShape, Seeds, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{Backend, DeviceSpec, Network, Norm, Params, build};

use crate::networks::{ORDERS, SHAPE, network, network_config, task};
use crate::second_order::{maml, noise_task};

const N_PIXELS: usize = 64;

fn learner(algorithm: &str, head: &str, inner_steps: usize) -> CheckedLearner {
    let config = maml(algorithm, 0.1, inner_steps).with("head", head);
    config.validate().unwrap()
}

/// Central differences through the start of the head, the descent and the queries.
#[test]
fn meta_gradients_flow_through_the_start_of_the_head() {
    for algorithm in ["maml", "anil", "fomaml"] {
        for head in ["prototypes", "tied"] {
            for (backend, name, norm) in [
                (Backend::Fused, "conv4", Norm::Batch),
                (Backend::Graph, "conv4", Norm::Batch),
                (Backend::Fused, "conv4", Norm::PerStep { n_steps: 3 }),
                (Backend::Fused, "conv4-strided", Norm::Running),
                (Backend::Fused, "mlp", Norm::None),
            ] {
                let checked = learner(algorithm, head, 2);
                let config = network_config(name, norm, checked.head());
                let single = build::<f32>(&config, backend, DeviceSpec::Cpu).unwrap();
                let double = build::<f64>(&config, backend, DeviceSpec::Cpu).unwrap();
                let mut rng = Seeds::all(3).rng(Stream::Eval, 0);
                let found = certify(&checked, (&*single, &*double), SHAPE, &mut rng).unwrap();
                let what = format!("{algorithm} {head} on {backend:?} {name} {norm:?}: {found:?}");
                for (finding, limit) in [
                    (found.meta_gradient, TOLERANCE),
                    (found.single_precision, 1e-2),
                    (found.blindness, TOLERANCE),
                    (found.adaptation, TOLERANCE),
                ] {
                    assert!(matches!(finding, Finding::Error(e) if e < limit), "{what}");
                }
            }
        }
    }
}

fn predict(
    checked: &CheckedLearner,
    (network, theta): &(Box<dyn Network<f64>>, Params<f64>),
    task: &Task<f64>,
) -> Prediction<f64> {
    let context = Context::training(&**network, task);
    checked.double().predict(&context, theta).unwrap()
}

fn far(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let gaps = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    gaps.fold(0.0, f64::max)
}

/// `2 c.x - |c|^2 = |x|^2 - |x - c|^2` (Snell et al. 2017, section 2.4): before any step the network is a Prototypical Network. Without
/// normalisation, which would let queries into the batch of the supports there.
#[test]
fn before_any_step_prototypes_are_a_prototypical_network() {
    let subject = network("conv4", Norm::None, Head::None);
    let protonet = LearnerConfig::named("protonet").validate().unwrap();
    let proto_maml = learner("maml", "prototypes", 0);
    for index in 0..5 {
        let whole = task(index);
        let unequal = whole.without_support(1).unwrap();
        for task in [whole, unequal] {
            let expected = predict(&protonet, &subject, &task);
            let got = predict(&proto_maml, &subject, &task);
            assert!(far(&expected.log_probabilities, &got.log_probabilities) < 1e-10);
        }
    }
}

/// MAML whose head has equal rows is the same function, and its gradient of the head is that of the row in parts.
#[test]
fn a_tied_head_is_maml_from_equal_rows() {
    let (tied, theta) = network("conv4", Norm::Batch, Head::Tied);
    let (linear, _) = network("conv4", Norm::Batch, Head::Linear);
    let n_body = linear.layout().find("head.weight").unwrap().offset;
    let (row, bias) = theta.values()[n_body..].split_at(theta.values().len() - n_body - 1);
    let rows: Vec<f64> = [
        &theta.values()[..n_body],
        &row.repeat(SHAPE.n_way),
        &bias.repeat(SHAPE.n_way),
    ]
    .concat();
    let copied = Params::from_values(linear.layout(), rows);
    let task = task(0);
    let own = learner("maml", "tied", 2);
    let other = learner("maml", "linear", 2);
    let tied_gradient = own
        .double()
        .meta_gradient(&Context::training(&*tied, &task), &theta)
        .unwrap();
    let expected = other
        .double()
        .meta_gradient(&Context::training(&*linear, &task), &copied)
        .unwrap();
    assert_eq!(
        tied_gradient.query_loss.to_bits(),
        expected.query_loss.to_bits()
    );
    let (own, parts) = (tied_gradient.gradient.values(), expected.gradient.values());
    assert!(far(&own[..n_body], &parts[..n_body]) < 1e-15);
    for at in 0..row.len() {
        let sum: f64 = (0..SHAPE.n_way)
            .map(|class| parts[n_body + class * row.len() + at])
            .sum();
        assert!((own[n_body + at] - sum).abs() < 1e-12);
    }
}

/// Over all orders of the classes the accuracy of a task has standard deviation 0, and every probability stays with its class; a learnt
/// row for each label has neither.
#[test]
fn the_order_of_classes_moves_a_linear_head_alone() {
    for (head, moves) in [("tied", false), ("prototypes", false), ("linear", true)] {
        let checked = learner("maml", head, 3);
        let subject = network("conv4", Norm::Batch, checked.head());
        let (mut variance, mut largest) = (0.0, 0.0_f64);
        for index in 0..20 {
            let task = task(index);
            let plain = predict(&checked, &subject, &task);
            let accuracies = ORDERS.map(|order| {
                let relabeled = task.relabeled(&order).unwrap();
                let found = predict(&checked, &subject, &relabeled);
                // Row of a query: class `order[label]` has its new label, and its queries moved with it.
                for (label, class) in order.iter().enumerate() {
                    for query in 0..SHAPE.n_query {
                        let new = &found.log_probabilities[(label * SHAPE.n_query + query) * 3..];
                        let old = &plain.log_probabilities[(class * SHAPE.n_query + query) * 3..];
                        for (to, from) in order.iter().enumerate() {
                            largest = largest.max((new[to] - old[*from]).abs());
                        }
                    }
                }
                found.accuracy(relabeled.query_labels())
            });
            let mean = accuracies.iter().sum::<f64>() / 6.0;
            variance += accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>();
        }
        if moves {
            assert!(
                variance > 0.01 && largest > 0.01,
                "{head}: {variance} {largest}"
            );
        } else {
            assert!(
                variance < 1e-20 && largest < 1e-9,
                "{head}: {variance} {largest}"
            );
        }
    }
}

/// One set of weights, tasks of 2 to 6 classes with unequal supports; a linear head says why it cannot.
#[test]
fn any_way_any_shot() {
    for head in ["tied", "prototypes"] {
        let checked = learner("maml", head, 2);
        let subject = network("conv4", Norm::Batch, checked.head());
        for n_way in 2..=6 {
            let shape = EpisodeShape { n_way, ..SHAPE };
            let whole = noise_task(n_way as u64, shape, N_PIXELS);
            let task = whole.without_support(0).unwrap();
            let found = predict(&checked, &subject, &task);
            assert_eq!(found.log_probabilities.len(), n_way * n_way * SHAPE.n_query);
            assert!(found.query_loss.is_finite());
            let context = Context::training(&*subject.0, &task);
            let made = checked
                .double()
                .meta_gradient(&context, &subject.1)
                .unwrap();
            assert_eq!(made.gradient.layout(), subject.1.layout());
        }
    }
    let linear = learner("maml", "linear", 2);
    let (network, theta) = network("conv4", Norm::Batch, Head::Linear);
    let wider = noise_task(0, EpisodeShape { n_way: 5, ..SHAPE }, N_PIXELS);
    let refused = linear
        .double()
        .predict(&Context::training(&*network, &wider), &theta)
        .unwrap_err();
    assert!(matches!(
        refused,
        AlgorithmError::Ways {
            n_outputs: 3,
            n_way: 5
        }
    ));
    let said = refused.to_string();
    assert!(
        said.contains("prototypes") && said.contains("tied"),
        "{said}"
    );
}
