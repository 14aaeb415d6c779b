//! Validations made again: those of a training that had asked for them from the start.

use metastable_algorithms::{
    AlgorithmError, Inspection, TrainConfig, TrainState, Trainer, Validation, Weights, revalidate,
};
use metastable_models::{Network, Params};

use crate::closed_form::LinearSoftmax;
use crate::second_order::{SHAPE, draws, maml, noise_task};

const N_PIXELS: usize = 5;

type Seen = Vec<(usize, Validation, Option<Inspection>)>;

/// Weights, each with the outer steps that made them.
type WeightsAfter = Vec<(usize, Weights<f64>)>;

fn config(validation_tasks: usize, inspected_tasks: usize) -> TrainConfig {
    TrainConfig {
        outer_steps: 40,
        meta_batch: 30,
        outer_lr: 0.5,
        validate_every: 7,
        validation_tasks,
        inspected_tasks,
        observe_every: 0,
        ..TrainConfig::default()
    }
}

/// A training with validation tasks from `first` on: its end, its validations, and the weights that it had at each.
fn train(config: &TrainConfig, first: u64) -> (TrainState<f64>, Seen, WeightsAfter) {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let checked = maml("maml", 0.5, 3).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let validation = |index| Ok(noise_task(first + index, SHAPE, N_PIXELS));
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(1000, layout.n_values()));
    let state = TrainState::new(&network, &config.optimizer, theta);
    let plan = config.validate().unwrap();
    let mut trainer =
        Trainer::new(&network, checked.double(), &tasks, &validation, plan, state).unwrap();
    let (mut seen, mut weights) = (Vec::new(), Vec::new());
    while let Some(report) = trainer.step().unwrap() {
        if let Some(validation) = report.validation {
            seen.push((report.step, validation, report.inspection));
            weights.push((report.step, trainer.state().weights.clone()));
        }
    }
    (trainer.into_state(), seen, weights)
}

#[test]
fn other_validations_of_a_training_are_those_it_would_have_made() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let checked = maml("maml", 0.5, 3).validate().unwrap();
    let (mut n_inspected, mut choices) = (0, Vec::new());
    let (trained, _, weights) = train(&config(3, 0), 5_000);
    for (n_tasks, n_looks, first) in [(3, 0, 5_000), (5, 4, 5_000), (5, 2, 9_000), (2, 2, 7_000)] {
        let config = config(n_tasks, n_looks);
        let (expected, seen, _) = train(&config, first);
        assert_eq!(
            expected.weights, trained.weights,
            "validation does not train"
        );
        let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
        let validation = |index| Ok(noise_task(first + index, SHAPE, N_PIXELS));
        let again = revalidate(
            &network,
            checked.double(),
            [&tasks, &validation],
            &config.validate().unwrap(),
            weights.iter().cloned().map(Ok::<_, AlgorithmError>),
        )
        .unwrap();
        assert_eq!(again.seen, seen);
        assert_eq!(again.best, expected.best);
        n_inspected += seen.iter().filter(|it| it.2.is_some()).count();
        choices.push(expected.best.unwrap().step);
    }
    // Else the test would show nothing.
    assert!(n_inspected > 0);
    choices.dedup();
    assert!(choices.len() > 1, "{choices:?}");
}

#[test]
fn weights_of_another_network_are_refused() {
    let network = LinearSoftmax::new(N_PIXELS + 1, SHAPE.n_way);
    let checked = maml("maml", 0.5, 3).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS + 1));
    let (_, _, weights) = train(&config(3, 0), 5_000);
    let refused = revalidate(
        &network,
        checked.double(),
        [&tasks, &tasks],
        &config(3, 0).validate().unwrap(),
        weights.into_iter().map(Ok::<_, AlgorithmError>),
    );
    assert!(matches!(refused, Err(AlgorithmError::State { .. })));
}
