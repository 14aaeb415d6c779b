//! Averages of weights and of predictions, against what they are by definition; and switched off, nothing.

use metastable_algorithms::{
    Context, OptimizerConfig, TrainConfig, TrainState, Trainer, Weights, evaluate,
    evaluate_together,
};
use metastable_models::{Network, Params};

use crate::closed_form::LinearSoftmax;
use crate::second_order::{SHAPE, draws, maml, noise_task};

const N_PIXELS: usize = 5;

fn network() -> LinearSoftmax {
    LinearSoftmax::new(N_PIXELS, SHAPE.n_way)
}

fn weights(first: u64) -> Weights<f64> {
    let network = network();
    let layout = Network::<f64>::layout(&network);
    let theta = Params::from_values(layout, draws(first, layout.n_values()));
    Weights::new(&network, theta)
}

/// After `n` steps, the mean of the weights that were followed, with `w_t` weighing `d^(n-t)`; what was there before has no part.
#[test]
fn a_moving_average_is_the_weighted_mean_of_what_it_followed() {
    for decay in [0.1, 0.9, 0.999] {
        let followed: Vec<Weights<f64>> = (1..=9).map(|t| weights(1000 * t)).collect();
        let mut average = weights(77);
        for (t, weights) in followed.iter().enumerate() {
            average.follow(weights, decay, t + 1);
            let shares = (0..=t).map(|s| decay.powi((t - s) as i32));
            let total: f64 = shares.clone().sum();
            for (at, found) in average.theta.values().iter().enumerate() {
                let values = followed.iter().map(|it| it.theta.values()[at]);
                let sum: f64 = shares.clone().zip(values).map(|(s, w)| s * w).sum();
                assert!((found - sum / total).abs() < 1e-13, "{decay} {t}");
            }
        }
    }
}

fn config(ema: Option<f64>) -> TrainConfig {
    TrainConfig {
        outer_steps: 7,
        meta_batch: 3,
        outer_lr: 0.05,
        optimizer: OptimizerConfig::default(),
        ema,
        validate_every: 2,
        validation_tasks: 5,
        observe_every: 3,
        ..TrainConfig::default()
    }
}

/// States after each step, from one state on.
fn train(config: &TrainConfig, state: TrainState<f64>) -> Vec<TrainState<f64>> {
    let network = network();
    let checked = maml("maml", 0.5, 2).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let validation = |index| Ok(noise_task(1_000_000 + index, SHAPE, N_PIXELS));
    let plan = config.validate().unwrap();
    let learner = checked.double();
    let mut trainer = Trainer::new(&network, learner, &tasks, &validation, plan, state).unwrap();
    let mut states = Vec::new();
    while let Some(report) = trainer.step().unwrap() {
        if let Some(seen) = report.validation {
            let n_tasks = config.validation_tasks;
            let measured = trainer.state().measured();
            let again = evaluate(&network, learner, measured, &validation, n_tasks).unwrap();
            assert_eq!(seen.accuracy.to_bits(), again.accuracy().to_bits());
            assert_eq!(seen.loss.to_bits(), again.nll().to_bits());
        }
        states.push(trainer.state().clone());
    }
    states
}

/// The weights that are trained stay what they are without an average; those that are validated and kept as best are the average.
#[test]
fn an_average_is_measured_and_does_not_touch_the_training() {
    let start = || TrainState::new(&network(), &OptimizerConfig::default(), weights(1000).theta);
    let (plain, averaged) = (
        train(&config(None), start()),
        train(&config(Some(0.8)), start()),
    );
    let mut expected = weights(1000);
    for (n, (plain, averaged)) in plain.iter().zip(&averaged).enumerate() {
        assert_eq!(plain.weights, averaged.weights);
        assert_eq!(plain.moments, averaged.moments);
        assert!(plain.average.is_none());
        assert_eq!(plain.measured(), &plain.weights);
        expected.follow(&plain.weights, 0.8, n + 1);
        assert_eq!(averaged.measured(), &expected);
    }
    let best = averaged[6].best.as_ref().unwrap();
    assert_eq!(&best.weights, averaged[best.step - 1].measured());
    // A cut training goes on with the same bits.
    for cut in [0, 3] {
        let (tensors, metadata) = averaged[cut].export();
        let config = config(Some(0.8));
        let state = TrainState::import(&network(), &config.optimizer, &tensors, &metadata).unwrap();
        assert_eq!(state, averaged[cut]);
        assert_eq!(train(&config, state), averaged[cut + 1..]);
    }
    let names = |state: &TrainState<f64>| {
        let (tensors, metadata) = state.export();
        let names = tensors.layout().entries().iter();
        let tensors = names.filter(|it| it.name.contains("average")).count();
        (tensors > 0, metadata.contains_key("average.step"))
    };
    assert_eq!(names(&plain[6]), (false, false));
    assert_eq!(names(&averaged[6]), (true, true));
}

#[test]
fn no_average_is_not_written_down_and_its_share_has_bounds() {
    let usual = serde_json::to_value(TrainConfig::default()).unwrap();
    assert!(usual.get("ema").is_none());
    let written = serde_json::to_value(config(Some(0.9))).unwrap();
    assert_eq!(written["ema"], 0.9);
    for ema in [0.0, 1.0, -0.1, f64::NAN] {
        let message = config(Some(ema)).validate().unwrap_err().to_string();
        assert!(message.contains("ema"), "{message}");
    }
}

#[test]
fn a_mean_of_weights_is_one_value_by_value() {
    let members = [weights(1), weights(2000), weights(4000)];
    let mean = Weights::mean(&members.each_ref()).unwrap();
    for (at, found) in mean.theta.values().iter().enumerate() {
        let sum: f64 = members.iter().map(|it| it.theta.values()[at]).sum();
        assert!((found - sum / 3.0).abs() < 1e-15);
    }
    assert_eq!(Weights::mean(&[&members[0]]).unwrap(), members[0]);
    assert!(Weights::<f64>::mean(&[]).is_none());
}

/// Against the predictions of each member by itself.
#[test]
fn weights_together_predict_the_mean_of_their_probabilities() {
    let network = network();
    let checked = maml("maml", 0.5, 2).validate().unwrap();
    let tasks = |index| Ok(noise_task(index, SHAPE, N_PIXELS));
    let members = [weights(1), weights(2000), weights(4000)];
    let together =
        evaluate_together(&network, checked.double(), &members.each_ref(), &tasks, 4).unwrap();
    let mut at = 0;
    for index in 0..4 {
        let task = noise_task(index, SHAPE, N_PIXELS);
        let context = Context::training(&network, &task);
        let each: Vec<Vec<f64>> = members
            .iter()
            .map(|it| {
                let prediction = checked.double().predict(&context, &it.theta).unwrap();
                prediction.log_probabilities
            })
            .collect();
        let mut loss = 0.0;
        for (query, label) in task.query_labels().iter().enumerate() {
            let mean: Vec<f64> = (0..SHAPE.n_way)
                .map(|class| {
                    let cell = query * SHAPE.n_way + class;
                    each.iter().map(|logs| logs[cell].exp()).sum::<f64>() / 3.0
                })
                .collect();
            for (class, mean) in mean.iter().enumerate() {
                let found = f64::from(together.log_probabilities[at + class]).exp();
                assert!((found - mean).abs() < 1e-6);
            }
            at += SHAPE.n_way;
            loss -= mean[*label].ln();
        }
        let n_queries = task.query_labels().len() as f64;
        let found = together.task_nll[index as usize];
        assert!((found - loss / n_queries).abs() < 1e-12);
    }
    // One alone is an evaluation as ever, and as good as several of it.
    let one = evaluate(&network, checked.double(), &members[0], &tasks, 4).unwrap();
    let alone = evaluate_together(&network, checked.double(), &[&members[0]], &tasks, 4).unwrap();
    assert_eq!(one, alone);
    let copies = [&members[0]; 3];
    let copies = evaluate_together(&network, checked.double(), &copies, &tasks, 4).unwrap();
    assert_eq!(copies.predictions, one.predictions);
    assert!(evaluate_together(&network, checked.double(), &[], &tasks, 4).is_err());
}
