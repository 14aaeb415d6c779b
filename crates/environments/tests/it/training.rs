//! Meta-training: the same bits at any number of threads, and adaptation that is learnt.

use metastable_data::{Seeds, Stream};
use metastable_environments::navigation::Navigation;
use metastable_environments::{
    Actions, Family, MamlRl, MamlRlConfig, OuterStep, Policy, PolicyConfig,
};
use metastable_models::{Backend, Params};

fn policy(width: usize) -> Policy<f32> {
    let config = PolicyConfig {
        width,
        ..PolicyConfig::default()
    };
    Policy::new(config, 2, Actions::Continuous(2), Backend::Fused).unwrap()
}

fn trained(
    policy: &Policy<f32>,
    family: &dyn Family,
    config: &MamlRlConfig,
    n_steps: u64,
) -> (Params<f32>, Vec<OuterStep<f32>>) {
    let seeds = Seeds::all(2);
    let mut theta = policy.initial(&mut seeds.rng(Stream::Init, 0)).unwrap();
    let training = MamlRl {
        policy,
        family,
        config: config.clone(),
        seeds,
    };
    let steps = (0..n_steps).map(|made| training.step(&mut theta, made).unwrap());
    let steps = steps.collect();
    (theta, steps)
}

#[test]
fn one_two_and_seven_threads_leave_the_same_bits() {
    let (policy, family) = (policy(6), Navigation { horizon: 10 });
    let config = MamlRlConfig {
        meta_batch: 5,
        n_rollouts: 4,
        ..MamlRlConfig::default()
    };
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        pool.build().unwrap().install(|| {
            let (theta, steps) = trained(&policy, &family, &config, 3);
            let bits: Vec<u32> = theta.values().iter().map(|value| value.to_bits()).collect();
            (bits, steps)
        })
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(7));
    assert!(one.1.iter().any(|step| step.searched.is_some()));
}

/// After one inner step on goals that no training has seen, the trained policy is better than the initial one by more than 0.5.
#[test]
fn training_improves_the_adapted_policy() {
    let (policy, family) = (policy(16), Navigation { horizon: 20 });
    let config = MamlRlConfig {
        meta_batch: 8,
        n_rollouts: 8,
        ..MamlRlConfig::default()
    };
    let (theta, steps) = trained(&policy, &family, &config, 12);
    let made: Vec<_> = steps.iter().filter_map(|step| step.searched).collect();
    assert!(made.len() >= 8, "{} of 12 steps were made", made.len());
    let seeds = Seeds::all(2);
    let initial = policy.initial(&mut seeds.rng(Stream::Init, 0)).unwrap();
    let adapted = |theta: &Params<f32>| {
        let training = MamlRl {
            policy: &policy,
            family: &family,
            config: config.clone(),
            seeds,
        };
        let goals = seeds.evaluation();
        let means: Vec<[f64; 2]> = (0..20)
            .map(|index| {
                let goal = family.goal(&goals, index);
                let returns = training.test(theta, &goal, &[0.5], 20, index).unwrap();
                [0, 1].map(|at| returns[at].iter().sum::<f64>() / 20.0)
            })
            .collect();
        [0, 1].map(|at| means.iter().map(|it| it[at]).sum::<f64>() / 20.0)
    };
    let (initially, trained) = (adapted(&initial), adapted(&theta));
    assert!(trained[1] > initially[1] + 0.5, "{initially:?} {trained:?}");
}
