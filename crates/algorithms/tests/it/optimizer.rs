//! Adam, SGD, schedules and clipping against values that PyTorch computed (`tests/golden/optimizers.py`).

use std::sync::Arc;

use metastable_algorithms::{
    LearnerConfig, OptimizerConfig, ScheduleConfig, TrainConfig, TrainState, Trainer,
};
use metastable_models::{Layout, Params, Real};
use serde::Deserialize;

use crate::closed_form::Quadratic;

#[derive(Deserialize)]
struct Golden {
    source: String,
    start: Vec<f64>,
    gradients: Vec<Vec<f64>>,
    optimizer: Vec<OptimizerCase>,
    schedule: Vec<ScheduleCase>,
    clip: ClipCase,
}

#[derive(Deserialize)]
struct OptimizerCase {
    setting: OptimizerConfig,
    lr: f64,
    double: Vec<Vec<f64>>,
    single: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct ScheduleCase {
    setting: ScheduleConfig,
    lr: f64,
    n_steps: usize,
    rates: Vec<f64>,
}

#[derive(Deserialize)]
struct ClipCase {
    gradient: Vec<f64>,
    limit: f64,
    norm: f64,
    clipped: Vec<f64>,
}

fn golden() -> Golden {
    let golden: Golden = toml::from_str(include_str!("../golden/optimizers.toml")).unwrap();
    assert!(golden.source.starts_with("torch "));
    golden
}

/// Theta after each of the gradients, in precision `T`.
fn trained<T: Real>(optimizer: &OptimizerConfig, lr: f64, golden: &Golden) -> Vec<Vec<f64>> {
    let mut layout = Layout::default();
    layout.push("theta", &[golden.start.len()]);
    let layout = Arc::new(layout);
    let params =
        |values: &[f64]| Params::from_values(&layout, values.iter().map(|x| T::of(*x)).collect());
    let mut theta = params(&golden.start);
    let mut moments = vec![Params::zeros(&layout); optimizer.n_moments()];
    let gradients = golden.gradients.iter().enumerate();
    gradients
        .map(|(step, gradient)| {
            optimizer.update(step + 1, lr, &mut theta, &mut moments, &params(gradient));
            theta.values().iter().map(|x| x.wide()).collect()
        })
        .collect()
}

/// Largest difference in units of `epsilon` times the value.
fn ulps(got: &[Vec<f64>], expected: &[Vec<f64>], epsilon: f64) -> f64 {
    let pairs = got.iter().flatten().zip(expected.iter().flatten());
    pairs
        .map(|(got, expected)| (got - expected).abs() / (epsilon * expected.abs()))
        .fold(0.0, f64::max)
}

#[test]
fn optimizers_follow_pytorch() {
    let golden = golden();
    assert_eq!(golden.optimizer.len(), 4);
    for case in &golden.optimizer {
        let double = trained::<f64>(&case.setting, case.lr, &golden);
        // Cancellation near theta = 0.03 loses a few bits; contracted multiply-adds may round once less.
        assert!(
            ulps(&double, &case.double, f64::EPSILON) < 16.0,
            "{:?}",
            case.setting
        );
        let single = trained::<f32>(&case.setting, case.lr, &golden);
        let error = ulps(&single, &case.single, f64::from(f32::EPSILON));
        assert!(error < 16.0, "{:?}: {error}", case.setting);
    }
}

#[test]
fn schedules_follow_pytorch() {
    let golden = golden();
    assert_eq!(golden.schedule.len(), 3);
    for case in golden.schedule {
        for (t, expected) in case.rates.iter().enumerate() {
            let got = case.setting.lr(case.lr, t, case.n_steps);
            // PyTorch updates the rate recursively, so its rounding accumulates.
            assert!(
                (got - expected).abs() < 1e-12 * case.lr,
                "{:?} at {t}",
                case.setting
            );
        }
    }
}

/// One step of plain SGD by 1 from 0 is the negative of the clipped gradient: `L = sum_i b_i theta_i^2 / 2` has the
/// gradient `b` at `theta = 1`.
#[test]
fn clipping_follows_pytorch_and_reports_the_norm_before() {
    let clip = golden().clip;
    let network = Quadratic::new(3);
    let config = TrainConfig {
        outer_lr: 1.0,
        meta_batch: 1,
        clip_norm: Some(clip.limit),
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        validate_every: 0,
        ..TrainConfig::default()
    };
    let checked = LearnerConfig::named("fomaml").with("inner_steps", 0);
    let checked = checked.validate().unwrap();
    let tasks = |_| Ok(Quadratic::task(&clip.gradient, &clip.gradient));
    let theta = network.theta(&[1.0; 3]);
    let state = TrainState::new(&network, &config.optimizer, theta);
    let plan = config.validate().unwrap();
    let mut trainer =
        Trainer::new(&network, checked.double(), &tasks, &tasks, plan, state).unwrap();
    let report = trainer.step().unwrap().unwrap();
    assert!(report.clipped);
    assert!((report.gradient_norm - clip.norm).abs() < 1e-12);
    let theta = trainer.state().weights.theta.values();
    for (theta, clipped) in theta.iter().zip(&clip.clipped) {
        assert!((1.0 - theta - clipped).abs() < 1e-12);
    }
}
