//! An environment speaks the same frames: a message moves a whole batch of rollouts.

use metastable_guests::{
    ActionSpace, Cancel, EnvironmentConfig, Environments, GuestError, SentPolicy,
};

use super::support::built;

/// Rollouts of a task, and tasks, of an outer step of the paper.
const N_ROLLOUTS: u64 = 20;
const N_TASKS: u64 = 40;

fn config(words: &[&str]) -> EnvironmentConfig {
    let words = words.iter().map(|word| (*word).to_owned());
    EnvironmentConfig {
        command: std::iter::once(built("environment")).chain(words).collect(),
        observed: 2,
        actions: ActionSpace::Continuous(2),
        horizon: 100,
        timeout_seconds: 20,
        ..EnvironmentConfig::default()
    }
}

fn start(words: &[&str]) -> Result<Environments, GuestError> {
    Environments::start(&config(words), 1, Cancel::never())
}

/// A policy without hidden units that moves by `to` a step whatever it sees, with hardly any noise.
fn straight(to: [f32; 2]) -> SentPolicy {
    let tensor =
        |name: &str, shape: &[usize], values: Vec<f32>| (name.to_owned(), shape.to_vec(), values);
    SentPolicy {
        activation: "relu",
        tensors: vec![
            tensor("blocks.0.linear.weight", &[1, 2], vec![0.0; 2]),
            tensor("blocks.0.linear.bias", &[1], vec![1.0]),
            tensor("head.weight", &[4, 1], vec![to[0], to[1], 0.0, 0.0]),
            tensor("head.bias", &[4], vec![0.0, 0.0, -20.0, -20.0]),
        ],
    }
}

#[test]
fn a_message_moves_a_batch_of_rollouts() {
    let mut process = start(&[]).unwrap();
    assert_eq!(process.ready().task, ["goal_x", "goal_y"]);
    let keys: Vec<u64> = (0..N_TASKS).collect();
    let tasks = process.tasks(&keys).unwrap();
    assert_eq!(tasks, process.tasks(&keys).unwrap());
    assert_eq!(tasks[7], process.tasks(&[7]).unwrap()[0]);
    assert!(tasks.iter().flatten().all(|at| at.abs() <= 0.5));
    let seeds: Vec<u64> = (0..N_ROLLOUTS).collect();
    for goal in &tasks {
        // A tenth of an action is a move: a quarter of the way each time, at most 0.125, which is cut to 0.1.
        let to = [goal[0], goal[1]].map(|at| (2.5 * at) as f32);
        let moves = to.map(|by| (0.1 * f64::from(by)).clamp(-0.1, 0.1));
        for it in process.rollouts(goal, &straight(to), &seeds).unwrap() {
            let n = it.rewards.len();
            assert_eq!((it.observed.len(), it.actions.len()), (2 * n, 2 * n));
            for (step, reward) in it.rewards.iter().enumerate().take(4) {
                let gap = |axis: usize| (step + 1) as f64 * moves[axis] - goal[axis];
                assert!((reward + gap(0).hypot(gap(1))).abs() < 1e-6, "{reward}");
            }
            let at_most = to.iter().all(|by| by.abs() <= 1.0);
            assert!(!at_most || n == 4, "{n} steps");
        }
    }
    process.bye();
}

#[test]
fn equal_seeds_have_equal_rollouts_and_others_have_others() {
    let mut process = start(&[]).unwrap();
    let mut policy = straight([0.3, 0.1]);
    policy.tensors[3].2 = vec![0.0, 0.0, -1.0, -1.0];
    let task = [0.4, -0.2];
    let made = process.rollouts(&task, &policy, &[3, 4, 3]).unwrap();
    assert_eq!(made[0], made[2]);
    assert_ne!(made[0], made[1]);
    let mut other = start(&[]).unwrap();
    assert_eq!(made, other.rollouts(&task, &policy, &[3, 4, 3]).unwrap());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let told = |error: GuestError| error.to_string();
    let found = told(start(&["other"]).unwrap_err());
    for expected in ["it observes 3", "observed = 2", "continuous-2"] {
        assert!(found.contains(expected), "{found}");
    }
    let policy = straight([0.1, 0.1]);
    let mut process = start(&["long"]).unwrap();
    let found = told(process.rollouts(&[0.0, 0.4], &policy, &[1]).unwrap_err());
    assert!(found.contains("1 to 100 can be right"), "{found}");
    // What is not finite is a result.
    let mut process = start(&["nan"]).unwrap();
    let made = process.rollouts(&[0.0, 0.4], &policy, &[1]).unwrap();
    assert!(made[0].rewards[0].is_nan());
    let mut process = start(&["dies"]).unwrap();
    process.rollouts(&[0.0, 0.4], &policy, &[1]).unwrap();
    let found = told(process.rollouts(&[0.0, 0.4], &policy, &[1]).unwrap_err());
    for expected in ["rollouts (1)", "exit status: 3", "the wheel came off"] {
        assert!(found.contains(expected), "{found}");
    }
    let absent = EnvironmentConfig::default();
    let found = told(Environments::start(&absent, 1, Cancel::never()).unwrap_err());
    assert!(
        found.contains("command") && found.contains("my_environment.py"),
        "{found}"
    );
}
