//! The outer loop: bits at any thread count, resume, divergence, validation, evaluation.

use std::collections::BTreeMap;

use metastable_algorithms::{
    AlgorithmError, Context, Divergence, LearnerConfig, NonFinite, OptimizerConfig, Outcome,
    ScheduleConfig, StepReport, TrainConfig, TrainState, Trainer, Weights, curves, evaluate,
};
use metastable_data::EpisodeShape;
use metastable_models::{Network, Params};

use crate::closed_form::{LinearSoftmax, Quadratic};
use crate::second_order::{SHAPE, draws, maml, noise_task};

const N_PIXELS: usize = 5;

fn config(outer_steps: usize) -> TrainConfig {
    TrainConfig {
        outer_steps,
        meta_batch: 5,
        outer_lr: 0.05,
        schedule: ScheduleConfig::Cosine { final_lr: 1e-3 },
        validate_every: 2,
        validation_tasks: 7,
        observe_every: 3,
        ..TrainConfig::default()
    }
}

fn softmax_state(network: &LinearSoftmax, config: &TrainConfig) -> TrainState<f64> {
    let layout = Network::<f64>::layout(network);
    let theta = Params::from_values(layout, draws(1000, layout.n_values()));
    TrainState::new(network, &config.optimizer, theta)
}

/// Trains from `state` to step `until`.
fn train(
    config: &TrainConfig,
    learner: &LearnerConfig,
    state: TrainState<f64>,
    until: usize,
) -> (TrainState<f64>, Vec<StepReport>) {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let checked = learner.validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let validation = |index| Ok(noise_task(1_000_000 + index, SHAPE, N_PIXELS));
    let plan = config.validate().unwrap();
    let learner = checked.double();
    let mut trainer = Trainer::new(&network, learner, &tasks, &validation, plan, state).unwrap();
    let mut reports = Vec::new();
    while trainer.state().step < until {
        reports.push(trainer.step().unwrap().unwrap());
    }
    (trainer.into_state(), reports)
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let config = config(6);
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        let state = softmax_state(&network, &config);
        let learner = maml("maml", 0.5, 3);
        pool.build()
            .unwrap()
            .install(|| train(&config, &learner, state, 6))
    };
    let one = on(1);
    assert!(one.0.best.is_some());
    for n_threads in 2..=4 {
        assert_eq!(on(n_threads), one, "{n_threads} threads");
    }
}

#[test]
fn resuming_gives_the_bits_of_an_uninterrupted_run() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let sgd = OptimizerConfig::Sgd { momentum: 0.9 };
    for optimizer in [OptimizerConfig::default(), sgd] {
        let config = TrainConfig {
            optimizer,
            ..config(7)
        };
        let learner = maml("fomaml", 0.5, 2);
        let whole = train(&config, &learner, softmax_state(&network, &config), 7);
        for cut in 0..7 {
            let (state, mut reports) =
                train(&config, &learner, softmax_state(&network, &config), cut);
            let (tensors, metadata) = state.export();
            let resumed = TrainState::import(&network, &optimizer, &tensors, &metadata).unwrap();
            assert_eq!(resumed, state);
            let (state, rest) = train(&config, &learner, resumed, 7);
            reports.extend(rest);
            assert_eq!((state, reports), whole, "cut after {cut}");
        }
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused_by_name() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let config = config(3);
    let (tensors, metadata) = softmax_state(&network, &config).export();
    let problem = |network: &LinearSoftmax, metadata: &BTreeMap<String, String>| {
        TrainState::import(network, &config.optimizer, &tensors, metadata)
            .unwrap_err()
            .to_string()
    };
    let other = LinearSoftmax::new(N_PIXELS + 1, SHAPE.n_way);
    assert!(problem(&other, &metadata).contains("/weight has shape [3, 5]"));
    let mut broken = metadata.clone();
    broken.insert("step".to_owned(), "three".to_owned());
    assert!(problem(&network, &broken).contains("step is `three`"));
    broken.remove("step");
    assert!(problem(&network, &broken).contains("step is missing"));
    let sgd = OptimizerConfig::Sgd { momentum: 0.0 };
    let state = softmax_state(
        &network,
        &TrainConfig {
            optimizer: sgd,
            ..config.clone()
        },
    );
    let checked = maml("maml", 0.1, 1).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let plan = config.validate().unwrap();
    let made = Trainer::new(&network, checked.double(), &tasks, &tasks, plan, state);
    assert!(matches!(made, Err(AlgorithmError::State { .. })));
}

#[test]
fn the_best_checkpoint_is_the_first_of_the_highest() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let config = config(9);
    let (state, reports) = train(
        &config,
        &maml("maml", 0.5, 1),
        softmax_state(&network, &config),
        9,
    );
    let validated: Vec<_> = reports
        .iter()
        .filter_map(|report| report.validation.map(|v| (report.step, v)))
        .collect();
    let steps: Vec<_> = validated.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [2, 4, 6, 8, 9]);
    let highest = validated
        .iter()
        .map(|(_, v)| v.accuracy)
        .fold(0.0, f64::max);
    let first = validated
        .iter()
        .find(|(_, v)| v.accuracy >= highest)
        .unwrap();
    let best = state.best.unwrap();
    assert_eq!(
        (best.step, best.score.to_bits()),
        (first.0, highest.to_bits())
    );
    assert!(first.1.is_best);
}

/// Trains `L = b theta^2 / 2` by plain SGD and returns the outcome and the state.
fn descend(
    learner: &LearnerConfig,
    outer_lr: f64,
    outer_steps: usize,
    (a, b, start): (f32, f32, f32),
) -> (Option<Outcome>, TrainState<f32>) {
    let network = Quadratic::new(1);
    let config = TrainConfig {
        outer_steps,
        outer_lr,
        meta_batch: 2,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        validate_every: 0,
        ..TrainConfig::default()
    };
    let checked = learner.validate().unwrap();
    let tasks = |_| Ok(Quadratic::task(&[a], &[b]));
    let plan = config.validate().unwrap();
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[start]));
    let learner = checked.single();
    let mut trainer = Trainer::new(&network, learner, &tasks, &tasks, plan, state).unwrap();
    while trainer.step().unwrap().is_some() {}
    assert!(
        trainer.step().unwrap().is_none(),
        "an ended training stays ended"
    );
    (trainer.outcome(), trainer.into_state())
}

/// `alpha a = 3`: `phi_k = (-2)^k theta`, so the support loss `2^{2k-1}` first exceeds the largest `f32`, just below
/// `2^128`, at `k = 65`.
#[test]
fn an_inner_loop_above_two_over_lambda_max_diverges_at_the_predicted_inner_step() {
    let (outcome, state) = descend(&maml("maml", 3.0, 100), 0.1, 10, (1.0, 1.0, 1.0));
    let expected = Outcome::Diverged {
        step: 1,
        cause: Divergence::Task {
            task_idx: 0,
            what: NonFinite::SupportLoss { inner_step: 65 },
        },
    };
    assert_eq!(outcome, Some(expected));
    assert_eq!(state.weights.theta.values(), [1.0], "the state survives");
}

/// Without inner steps `theta_s = (1 - beta b)^s theta_0`. With `beta b = 3` and `theta_0 = 1` the loss before step
/// `s + 1` is `b 2^{2s-1}`: for `b = 1` it first overflows `f32` at `s = 65`, in step 66.
#[test]
fn an_outer_loop_above_two_over_lambda_max_diverges_at_the_predicted_step() {
    let (outcome, state) = descend(&maml("maml", 0.1, 0), 3.0, 100, (1.0, 1.0, 1.0));
    let expected = Outcome::Diverged {
        step: 66,
        cause: Divergence::Task {
            task_idx: 0,
            what: NonFinite::QueryLoss,
        },
    };
    assert_eq!(outcome, Some(expected));
    assert_eq!(state.step, 65);
    assert_eq!(state.weights.theta.values(), [-(2.0_f32.powi(65))]);
}

#[test]
fn gradients_and_parameters_that_overflow_are_told_apart() {
    // phi = (1 - alpha a) theta = 0: loss and meta-gradient are 0, nothing overflows.
    let (outcome, _) = descend(&maml("maml", 1.0, 1), 1.0, 5, (1.0, 1.0, 1.0));
    assert_eq!(outcome, Some(Outcome::Completed));
    // Loss (1e30 * 1e-20 / 2) and gradient (1e30 * 1e-10) are finite; 1e30 times the gradient is not.
    let (outcome, state) = descend(&maml("maml", 0.1, 0), 1e30, 5, (1.0, 1e30, 1e-10));
    let Some(Outcome::Diverged { step: 1, cause }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(cause.to_string(), "theta after the update");
    assert_eq!(state.weights.theta.values(), [1e-10]);
    // Two task gradients of 3e38 each are finite, their sum is not; their losses of 1.5e38 are.
    let (outcome, _) = descend(&maml("maml", 0.1, 0), 1.0, 5, (1.0, 3e38, 1.0));
    let Some(Outcome::Diverged { step: 1, cause }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(cause.to_string(), "meta-gradient of theta");
}

#[test]
fn a_head_that_does_not_fit_the_task_is_named() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way + 1);
    let layout = Network::<f64>::layout(&network);
    let checked = maml("maml", 0.1, 1).validate().unwrap();
    let error = checked
        .double()
        .meta_gradient(
            &Context::training(&network, &noise_task(0, SHAPE, N_PIXELS)),
            &Params::zeros(layout),
        )
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("4 outputs but the episode is 3-way")
    );
}

#[test]
fn evaluation_keeps_the_order_of_the_list_at_any_thread_count() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let weights: Weights<f64> = softmax_state(&network, &config(1)).weights;
    let checked = maml("maml", 0.5, 2).validate().unwrap();
    let learner = checked.double();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        pool.build().unwrap().install(|| {
            let evaluation = evaluate(&network, learner, &weights, &tasks, 23).unwrap();
            let curves = curves(&network, learner, &weights, &tasks, 5).unwrap();
            (evaluation, curves.unwrap())
        })
    };
    let (evaluation, curves) = on(1);
    for n_threads in 2..=4 {
        assert_eq!(on(n_threads), (evaluation.clone(), curves.clone()));
    }
    assert_eq!(evaluation.predictions.len(), 23 * SHAPE.n_queries());
    assert_eq!((curves.tasks.len(), curves.n_steps), (5, 8));
    // The state after K = 2 steps of the curve is the one that predicted.
    for (task, curve) in curves.tasks.iter().enumerate() {
        assert_eq!(
            curve.query_loss[2].to_bits(),
            evaluation.task_nll[task].to_bits()
        );
        let accuracy = evaluation.task_accuracies().nth(task).unwrap();
        assert_eq!(curve.query_accuracy[2].to_bits(), accuracy.to_bits());
    }
    let mixed = |index| {
        let n_query = if index == 3 { 1 } else { 4 };
        Ok(noise_task(
            index,
            EpisodeShape { n_query, ..SHAPE },
            N_PIXELS,
        ))
    };
    // Episodes may differ in size: each counts once.
    let evaluation = evaluate(&network, learner, &weights, &mixed, 5).unwrap();
    let sizes: Vec<usize> = evaluation.shapes.iter().map(|it| it.n_query).collect();
    assert_eq!(sizes, [4, 4, 4, 1, 4]);
    assert_eq!(evaluation.predictions.len(), 17 * SHAPE.n_way);
    let accuracies: Vec<f64> = evaluation.task_accuracies().collect();
    for (index, accuracy) in accuracies.iter().enumerate() {
        let alone = |_| mixed(index as u64);
        let alone = evaluate(&network, learner, &weights, &alone, 1).unwrap();
        assert_eq!(alone.accuracy().to_bits(), accuracy.to_bits());
    }
}

/// Before adaptation a head knows nothing of a task whose labels mean nothing: accuracy 1/3 on average.
///
/// The accuracies of 2,000 independent tasks lie in `[0, 1]`, so their mean leaves `1/3 +- 0.06` with a probability
/// below `2 exp(-2 * 2000 * 0.06^2) = 1.2e-6` (Hoeffding).
#[test]
fn accuracy_before_adaptation_is_chance() {
    let network = LinearSoftmax::new(N_PIXELS, SHAPE.n_way);
    let weights = softmax_state(&network, &config(1)).weights;
    let checked = maml("maml", 0.5, 1).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let curves = curves(&network, checked.double(), &weights, &tasks, 2000)
        .unwrap()
        .unwrap();
    let before = curves.tasks.iter().map(|curve| curve.query_accuracy[0]);
    let mean = before.sum::<f64>() / 2000.0;
    assert!((mean - 1.0 / 3.0).abs() < 0.06, "{mean}");
}
