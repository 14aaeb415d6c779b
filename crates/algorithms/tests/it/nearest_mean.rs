//! Floors: nearest mean by hand, and nothing that is learnt.

use metastable_algorithms::{Context, Head, LearnerConfig, Task, TrainConfig, TrainState, Trainer};
use metastable_data::EpisodeShape;
use metastable_models::Norm;

use crate::networks::{network, task};

fn floor(features: &str) -> metastable_algorithms::CheckedLearner {
    let config = LearnerConfig::named("nearest-mean").with("features", features);
    config.validate().unwrap()
}

/// Class means (0.1, 0) and (0, 1), queries (0, 0) and (0.2, 1): `p = softmax(-d^2 / 2)` with d^2 = 0.01 and 1; 1.01 and 0.04.
#[test]
fn pixels_are_compared_with_the_mean_of_each_class() {
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 2,
        n_query: 1,
    };
    let (network, theta) = network("mlp", Norm::None, Head::None);
    let images = [
        [0.0, 0.0],
        [0.2, 0.0],
        [0.0, 0.8],
        [0.0, 1.2],
        [0.0, 0.0],
        [0.2, 1.0],
    ];
    let task = Task::new(shape, images.concat()).unwrap();
    let checked = floor("pixels").with("temperature", 2.0).unwrap();
    let context = Context::training(&*network, &task);
    let found = checked.double().predict(&context, &theta).unwrap();
    let expected = [[0.01, 1.0], [1.01, 0.04]].map(|squares: [f64; 2]| {
        let weights = squares.map(|square| (-square / 2.0).exp());
        weights.map(|weight| (weight / (weights[0] + weights[1])).ln())
    });
    for (found, expected) in found.log_probabilities.iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 1e-14);
    }
    let loss = -(expected[0][0] + expected[1][1]) / 2.0;
    assert!((found.query_loss - loss).abs() < 1e-14);
}

/// On the features of the network as it is, it is a Prototypical Network that does not train.
#[test]
fn random_features_are_those_of_the_untrained_network() {
    let (network, theta) = network("conv4", Norm::Batch, Head::None);
    let task = task(4);
    let context = Context::training(&*network, &task);
    let protonet = LearnerConfig::named("protonet").validate().unwrap();
    assert_eq!(
        floor("random").double().predict(&context, &theta).unwrap(),
        protonet.double().predict(&context, &theta).unwrap()
    );
}

#[test]
fn a_floor_leaves_every_weight_where_it_was_drawn() {
    for features in ["pixels", "random"] {
        let (network, theta) = network("conv4", Norm::Batch, Head::None);
        let checked = floor(features);
        let config = TrainConfig {
            outer_steps: 3,
            validate_every: 1,
            validation_tasks: 2,
            observe_every: 1,
            ..TrainConfig::default()
        };
        let tasks = |index| Ok(task(index));
        let state = TrainState::new(&*network, &config.optimizer, theta.clone());
        let plan = config.validate().unwrap();
        let learner = checked.double();
        let mut trainer = Trainer::new(&*network, learner, &tasks, &tasks, plan, state).unwrap();
        let mut losses = Vec::new();
        while let Some(report) = trainer.step().unwrap() {
            losses.push(report.loss);
        }
        assert_eq!(losses.len(), 3);
        assert_eq!(trainer.state().weights.theta, theta);
    }
    let unknown = LearnerConfig::named("nearest-mean").with("features", "edges");
    assert!(unknown.validate().is_err());
}
