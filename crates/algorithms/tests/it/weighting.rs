//! The outer step descends the tasks that count, and the signal stays that of all tasks.

use metastable_algorithms::{
    OptimizerConfig, StepReport, TaskWeighting, TrainConfig, TrainState, Trainer,
};

use crate::closed_form::Quadratic;
use crate::second_order::maml;

/// One step of plain SGD on tasks of curvatures 1, 3 and 2, without inner steps.
fn step(task_weighting: TaskWeighting) -> (f64, StepReport) {
    let network = Quadratic::new(1);
    let tasks = |index: u64| Ok(Quadratic::task(&[0.0], &[[1.0, 3.0, 2.0][index as usize]]));
    let config = TrainConfig {
        outer_steps: 1,
        meta_batch: 3,
        outer_lr: 0.1,
        optimizer: OptimizerConfig::Sgd { momentum: 0.0 },
        task_weighting,
        validate_every: 0,
        ..TrainConfig::default()
    };
    let learner = maml("maml", 0.0, 0).validate().unwrap();
    let state = TrainState::new(&network, &config.optimizer, network.theta(&[1.0]));
    let plan = config.validate().unwrap();
    let mut trainer =
        Trainer::new(&network, learner.double(), &tasks, &tasks, plan, state).unwrap();
    let report = trainer.step().unwrap().unwrap();
    (trainer.state().weights.theta.values()[0], report)
}

/// `L = b theta^2 / 2`: the worst tasks are those of the largest curvature, and `theta' = theta - 0.1 mean(b) theta` over them.
#[test]
fn the_step_is_that_of_the_tasks_that_count() {
    for (weighting, mean) in [
        (TaskWeighting::Mean, 2.0),
        (TaskWeighting::Max, 3.0),
        (TaskWeighting::Cvar { share: 0.5 }, 2.5),
        (TaskWeighting::Cvar { share: 1.0 }, 2.0),
    ] {
        let (theta, report) = step(weighting);
        assert!(
            (theta - (1.0 - 0.1 * mean)).abs() < 1e-15,
            "{weighting:?}: {theta}"
        );
        assert!((report.gradient_norm - mean).abs() < 1e-15);
        // Loss and signal are those of all tasks.
        assert!((report.loss - 1.0).abs() < 1e-15);
        assert!((report.signal.mean_square - 4.0).abs() < 1e-14);
    }
}

#[test]
fn the_usual_weighting_is_not_written_down() {
    let usual = serde_json::to_value(TrainConfig::default()).unwrap();
    assert!(usual.get("task_weighting").is_none());
    let config = TrainConfig {
        task_weighting: TaskWeighting::Cvar { share: 0.25 },
        ..TrainConfig::default()
    };
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["task_weighting"]["kind"], "cvar");
    assert_eq!(
        serde_json::from_value::<TrainConfig>(written).unwrap(),
        config
    );
}
