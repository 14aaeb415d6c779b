//! One task of a finite pool exchanged, on quadratics, where it moves theta by a known amount.
//!
//! Task `i` has curvature `b_i` at its queries and `a` at its supports, so MAML's meta-gradient is `c_i theta` with
//! `c_i = b_i (1 - alpha a)^{2K}`, and plain descent multiplies theta by `1 - beta c_i`:
//!
//! - a whole pool in each step: `theta_T = theta_0 (1 - beta mean c)^T`, and exchanging task `i` moves the mean by
//!   `(c'_i - c_i) / n`;
//! - a task a step, in whatever order: after `E` passes `theta = theta_0 prod (1 - beta c_i)^E`, and exchanging task `i`
//!   multiplies it by `((1 - beta c'_i) / (1 - beta c_i))^E`, however many tasks there are.

use metastable_algorithms::{
    LearnerConfig, OptimizerConfig, ScheduleConfig, TrainConfig, TrainState, Trainer,
};
use metastable_data::{Seeds, TaskPool};

use crate::closed_form::Quadratic;

const A: f64 = 0.8;
const ALPHA: f64 = 0.5;
const INNER_STEPS: i32 = 2;
const BETA: f64 = 0.05;
const START: f64 = 1.7;
/// The task that is exchanged.
const MEMBER: usize = 3;

/// Curvature of the queries of an episode; what stands in for the member has a number of its own, beyond all pools.
fn curvature(episode: u64) -> f64 {
    if episode > 1 << 40 {
        2.5
    } else {
        0.5 + (episode as f64 * 0.37).fract()
    }
}

/// `c_i`.
fn rate(curvature: f64) -> f64 {
    curvature * (1.0 - ALPHA * A).powi(2 * INNER_STEPS)
}

/// Theta after so many outer steps.
fn trained(pool: TaskPool, meta_batch: usize, outer_steps: usize) -> f64 {
    let config = TrainConfig {
        outer_steps,
        meta_batch,
        outer_lr: BETA,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        schedule: ScheduleConfig::Constant,
        validate_every: 0,
        ..TrainConfig::default()
    };
    let checked = LearnerConfig::named("maml")
        .with("inner_lr", ALPHA)
        .with("inner_steps", INNER_STEPS)
        .validate()
        .unwrap();
    let network = Quadratic::new(1);
    let seeds = Seeds::all(4);
    let tasks = |index| {
        Ok(Quadratic::task(
            &[A],
            &[curvature(pool.episode(&seeds, index))],
        ))
    };
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[START]));
    let plan = config.validate().unwrap();
    let learner = checked.double();
    let mut trainer = Trainer::new(&network, learner, &tasks, &tasks, plan, state).unwrap();
    while trainer.step().unwrap().is_some() {}
    assert_eq!(trainer.state().step, outer_steps);
    trainer.into_state().weights.theta.values()[0]
}

fn pools(n: usize) -> (TaskPool, TaskPool) {
    let replaced = TaskPool::new(n, Some(MEMBER)).unwrap();
    (replaced.whole(), replaced)
}

fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 1e-10 * expected.abs()
}

#[test]
fn with_the_whole_pool_in_each_step_the_move_falls_like_one_over_n() {
    let n_steps = 30;
    let mut moves = Vec::new();
    for n in [8, 80] {
        let (whole, replaced) = pools(n);
        let mean = (0..n as u64).map(|i| rate(curvature(i))).sum::<f64>() / n as f64;
        let shift = (rate(2.5) - rate(curvature(MEMBER as u64))) / n as f64;
        let (before, after) = (trained(whole, n, n_steps), trained(replaced, n, n_steps));
        assert!(close(
            before,
            START * (1.0 - BETA * mean).powi(n_steps as i32)
        ));
        assert!(close(
            after,
            START * (1.0 - BETA * (mean + shift)).powi(n_steps as i32)
        ));
        moves.push((after / before - 1.0).abs());
        // The same training again ends in the same bits.
        assert_eq!(before.to_bits(), trained(whole, n, n_steps).to_bits());
    }
    let slope = (moves[1] / moves[0]).log10();
    assert!((slope + 1.0).abs() < 0.03, "{slope}");
}

#[test]
fn with_a_task_a_step_the_move_is_that_of_the_task_whatever_the_order() {
    let n_passes = 5;
    let (was, is) = (rate(curvature(MEMBER as u64)), rate(2.5));
    let expected = ((1.0 - BETA * is) / (1.0 - BETA * was)).powi(n_passes);
    for n in [5, 12, 100] {
        let (whole, replaced) = pools(n);
        let n_steps = n * n_passes as usize;
        let (before, after) = (trained(whole, 1, n_steps), trained(replaced, 1, n_steps));
        assert!(close(after / before, expected), "{n}: {}", after / before);
    }
}
