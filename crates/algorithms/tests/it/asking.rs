//! What can be asked of a trained learner agrees with how it predicts.

use metastable_algorithms::{Context, LEARNERS, Learner, LearnerConfig};
use metastable_models::{Norm, Params};

use crate::networks::{learnt, network, task};

#[test]
fn the_query_loss_at_adapted_parameters_is_that_of_the_prediction() {
    for entry in LEARNERS {
        let (network, theta) = network("conv4", Norm::Batch, entry.head);
        let learner = LearnerConfig::named(entry.name).validate().unwrap();
        let (learner, task) = (learner.double(), task(1));
        let predicted = learner
            .predict(&Context::training(&*network, &task), &theta)
            .unwrap();
        let phi = learner
            .adapted(&Context::training(&*network, &task), &theta)
            .unwrap();
        let tape = learner
            .query_loss(
                &Context::training(&*network, &task),
                &phi,
                task.query_labels(),
            )
            .unwrap();
        assert_eq!(
            tape.log_probabilities(),
            predicted.log_probabilities,
            "{}",
            entry.name
        );
        let n_right = task.query_labels().iter().zip(predicted.labels());
        let n_right = n_right.filter(|(label, own)| *label == own).count();
        let share = n_right as f64 / task.query_labels().len() as f64;
        assert!((predicted.accuracy(task.query_labels()) - share).abs() < 1e-15);
    }
}

#[test]
fn the_support_loss_is_the_one_that_the_inner_loop_descends() {
    let alpha = 0.3;
    let (network, theta) = network("conv4", Norm::Batch, metastable_algorithms::Head::Linear);
    let learner = LearnerConfig::named("maml")
        .with("inner_lr", alpha)
        .with("test_inner_steps", 2)
        .validate()
        .unwrap();
    let (inner, task) = (learner.double().inner_loop().unwrap(), task(2));
    let context = Context::training(&*network, &task);
    let mut phi: Params<f64> = theta.clone();
    for step in 0..2 {
        let tape = inner.support_loss(&context, &phi, step);
        phi.add(-alpha, &tape.unwrap().gradient().unwrap());
    }
    let adapted = inner.adapt(&context, &theta);
    assert_eq!(adapted.unwrap(), phi);
}

#[test]
fn without_batch_statistics_queries_are_judged_the_same_alone_and_with_them_they_are_not() {
    for entry in learnt() {
        let mut gaps = [Norm::None, Norm::Batch].map(|norm| {
            let (network, theta) = network("conv4", norm, entry.head);
            let learner = LearnerConfig::named(entry.name).validate().unwrap();
            let (learner, task) = (learner.double(), task(3));
            let together = learner
                .predict(&Context::training(&*network, &task), &theta)
                .unwrap();
            let alone = learner
                .predict_alone(&Context::training(&*network, &task), &theta)
                .unwrap();
            assert_eq!(
                alone.log_probabilities.len(),
                together.log_probabilities.len()
            );
            let rows = alone
                .log_probabilities
                .iter()
                .zip(&together.log_probabilities);
            rows.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        });
        gaps.sort_by(f64::total_cmp);
        assert!(gaps[0] < 1e-12 && 1e-6 < gaps[1], "{} {gaps:?}", entry.name);
    }
}

/// Two supports of a class that are the same image: its mean is that image, with one or two of them; and it has twice the
/// attention of one.
#[test]
fn leaving_out_one_of_two_equal_supports() {
    let shape = crate::networks::SHAPE;
    assert_eq!(shape.k_shot, 2);
    let n_pixels = task(5).images().len() / (shape.n_support() + shape.n_queries());
    let mut images = task(5).images().to_vec();
    let (first, second) = images.split_at_mut(n_pixels);
    second[..n_pixels].copy_from_slice(first);
    let twice = metastable_algorithms::Task::new(shape, images).unwrap();
    let once = twice.without_support(1).unwrap();
    for (name, weight) in [("protonet", 1.0), ("matching", 2.0_f64)] {
        let entry = LEARNERS.iter().find(|entry| entry.name == name).unwrap();
        let (network, theta) = network("conv4", Norm::None, entry.head);
        let learner = LearnerConfig::named(name).validate().unwrap();
        let predict = |task| {
            let learner: &dyn Learner<f64> = learner.double();
            let prediction = learner.predict(&Context::training(&*network, task), &theta);
            prediction.unwrap().log_probabilities
        };
        let (twice, once) = (predict(&twice), predict(&once));
        for (twice, once) in twice.chunks_exact(3).zip(once.chunks_exact(3)) {
            // p_0 of two is w p_0 / (w p_0 + p_1 + p_2) of one.
            let total = once.iter().map(|p| p.exp()).sum::<f64>() + (weight - 1.0) * once[0].exp();
            let expected = (weight * once[0].exp() / total).ln();
            assert!(
                (twice[0] - expected).abs() < 1e-9,
                "{name} {} {expected}",
                twice[0]
            );
        }
    }
}

/// The order of the classes is nothing to a metric learner, and something to a head.
#[test]
fn only_a_head_sees_the_order_of_the_classes() {
    for entry in LEARNERS {
        let (network, theta) = network("conv4", Norm::Batch, entry.head);
        let config = LearnerConfig::named(entry.name);
        // Of minibatches the order of the classes says which supports come first.
        let config = match entry.defaults().contains_key("head_batch") {
            true => config.with("head_batch", 1000),
            false => config,
        };
        let learner = config.validate().unwrap();
        let predict = |task| {
            let learner: &dyn Learner<f64> = learner.double();
            let prediction = learner.predict(&Context::training(&*network, &task), &theta);
            prediction.unwrap()
        };
        let order = [2, 0, 1];
        let plain = predict(task(4));
        let turned = predict(task(4).relabeled(&order).unwrap());
        let n_query = crate::networks::SHAPE.n_query;
        let mut gap = 0.0_f64;
        for (label, class) in order.iter().enumerate() {
            for query in 0..n_query {
                for (other, other_class) in order.iter().enumerate() {
                    let new = turned.log_probabilities[(label * n_query + query) * 3 + other];
                    let old = plain.log_probabilities[(class * n_query + query) * 3 + other_class];
                    gap = gap.max((new - old).abs());
                }
            }
        }
        let has_head = entry.head.is_bound();
        assert_eq!(1e-9 < gap, has_head, "{} {gap}", entry.name);
    }
}
