//! Rollouts of a policy on one task, and the advantages of what was done.
//!
//! All rollouts of a task go on side by side, one pass of the network a step. Each has a generator of its own: the nonce is its number.

use metastable_data::{Seeds, Stream};
use metastable_models::{Params, Real};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::baseline::LinearBaseline;
use crate::environment::{Elsewhere, Environment, Step};
use crate::error::Result;
use crate::policy::{Policy, Rows};

/// One rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// `(n_steps, n_observed)`.
    pub observed: Vec<Vec<f64>>,
    /// What each action brings to the likelihood ([`Policy::of_action`]).
    pub actions: Vec<Vec<f64>>,
    /// `(n_steps)`.
    pub rewards: Vec<f64>,
}

impl Rollout {
    /// Sum of the rewards.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.rewards.iter().sum()
    }

    /// `R_t = sum_{s >= t} discount^(s - t) r_s`, `(n_steps)`.
    #[must_use]
    pub fn returns(&self, discount: f64) -> Vec<f64> {
        let mut rest = 0.0;
        let mut returns: Vec<f64> = self
            .rewards
            .iter()
            .rev()
            .map(|reward| {
                rest = reward + discount * rest;
                rest
            })
            .collect();
        returns.reverse();
        returns
    }
}

/// Which draws a set of rollouts is made of.
#[derive(Clone, Copy, Debug)]
pub struct Key<'s> {
    /// The seeds.
    pub seeds: &'s Seeds,
    /// `support` before adaptation, `query` after it.
    pub stream: Stream,
    /// Index of the task among all tasks, and of the update within the task.
    pub index: u64,
    /// Which of the rollouts of the task these are, counted in sets.
    pub set: u64,
}

/// Makes `n` rollouts at these parameters.
///
/// # Errors
/// Those of the network, and of whoever makes rollouts elsewhere.
pub fn roll<T: Real>(
    environment: &dyn Environment,
    policy: &Policy<T>,
    params: &Params<T>,
    n: usize,
    key: Key<'_>,
) -> Result<Vec<Rollout>> {
    let mut generators: Vec<ChaCha8Rng> = (0..n as u64)
        .map(|rollout| {
            let mut rng = key.seeds.rng(key.stream, key.index);
            rng.set_stream((key.set << 32) | rollout);
            rng
        })
        .collect();
    if let Some(elsewhere) = environment.elsewhere() {
        let seeds: Vec<u64> = generators.iter_mut().map(|rng| rng.next_u64()).collect();
        return made_elsewhere(elsewhere, policy, params, &seeds);
    }
    let mut states: Vec<Vec<f64>> = generators
        .iter_mut()
        .map(|rng| environment.start(rng))
        .collect();
    let mut rollouts = vec![Rollout::default(); n];
    let mut going: Vec<usize> = (0..n).collect();
    for _ in 0..environment.horizon() {
        if going.is_empty() {
            break;
        }
        let mut observed = Vec::with_capacity(going.len() * environment.n_observed());
        for at in &going {
            let seen = environment.observed(&states[*at]);
            observed.extend(seen.iter().map(|value| T::of(*value)));
            rollouts[*at].observed.push(seen);
        }
        let outputs = policy.outputs(params, &observed)?;
        let width = outputs.len() / going.len();
        let mut left = Vec::with_capacity(going.len());
        for (at, row) in going.iter().zip(outputs.chunks_exact(width)) {
            let rng = &mut generators[*at];
            let action = policy.draw(row, rng);
            let Step { reward, is_over } = environment.step(&mut states[*at], &action, rng);
            rollouts[*at].actions.push(policy.of_action(&action));
            rollouts[*at].rewards.push(reward);
            if !is_over {
                left.push(*at);
            }
        }
        going = left;
    }
    Ok(rollouts)
}

/// Rollouts by somebody who is sent the weights.
fn made_elsewhere<T: Real>(
    elsewhere: &dyn Elsewhere,
    policy: &Policy<T>,
    params: &Params<T>,
    seeds: &[u64],
) -> Result<Vec<Rollout>> {
    let network = policy.config().activation.network();
    let reported = elsewhere.rollouts(network, &params.cast(), seeds)?;
    let rollouts = reported.into_iter().map(|it| Rollout {
        actions: it.actions.iter().map(|of| policy.of_action(of)).collect(),
        observed: it.observed,
        rewards: it.rewards,
    });
    Ok(rollouts.collect())
}

/// Mean of the sums of rewards.
#[must_use]
pub fn mean_return(rollouts: &[Rollout]) -> f64 {
    rollouts.iter().map(Rollout::sum).sum::<f64>() / rollouts.len() as f64
}

/// Advantages of the steps of these rollouts, one after the other: returns less the linear baseline that is fitted to them, brought to mean
/// 0 and standard deviation 1, as rllab does.
#[must_use]
pub fn advantages(rollouts: &[Rollout], discount: f64) -> Vec<f64> {
    let returns: Vec<Vec<f64>> = rollouts.iter().map(|it| it.returns(discount)).collect();
    let baseline = LinearBaseline::fit(rollouts, &returns);
    let mut advantages: Vec<f64> = rollouts
        .iter()
        .zip(&returns)
        .flat_map(|(rollout, returns)| {
            let expected = baseline.predict(rollout);
            returns
                .iter()
                .zip(expected)
                .map(|(of, expected)| of - expected)
                .collect::<Vec<f64>>()
        })
        .collect();
    let n = advantages.len() as f64;
    let mean = advantages.iter().sum::<f64>() / n;
    let variance = advantages.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / n;
    let deviation = variance.sqrt() + 1e-8;
    for advantage in &mut advantages {
        *advantage = (*advantage - mean) / deviation;
    }
    advantages
}

/// The steps of rollouts as rows that count so much each.
#[must_use]
pub fn rows<T: Real>(rollouts: &[Rollout], weights: Vec<f64>) -> Rows<T> {
    let steps = rollouts.iter().flat_map(|it| it.observed.iter().flatten());
    Rows {
        observed: steps.map(|value| T::of(*value)).collect(),
        brought: rollouts
            .iter()
            .flat_map(|it| it.actions.iter().flatten().copied())
            .collect(),
        weights,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use metastable_models::Backend;
    use rand::Rng;

    use super::*;
    use crate::environment::{Action, Actions, Reported};
    use crate::policy::PolicyConfig;

    /// Notes the seeds that it is asked for, and rewards each rollout with its number.
    #[derive(Default)]
    struct Far(Mutex<Vec<u64>>);

    impl Elsewhere for Far {
        fn rollouts(
            &self,
            network: &str,
            weights: &Params<f32>,
            seeds: &[u64],
        ) -> Result<Vec<Reported>> {
            assert_eq!(network, "mlp");
            assert!(weights.get("head.weight").is_some());
            self.0.lock().unwrap().extend(seeds);
            let each = (0..seeds.len()).map(|at| Reported {
                observed: vec![vec![0.5]],
                actions: vec![Action::Discrete(at % 2)],
                rewards: vec![at as f64],
            });
            Ok(each.collect())
        }
    }

    impl Environment for Far {
        fn elsewhere(&self) -> Option<&dyn Elsewhere> {
            Some(self)
        }

        fn actions(&self) -> Actions {
            Actions::Discrete(2)
        }

        fn n_observed(&self) -> usize {
            1
        }

        fn horizon(&self) -> usize {
            1
        }

        fn start(&self, _: &mut dyn Rng) -> Vec<f64> {
            unreachable!("it is elsewhere")
        }

        fn step(&self, _: &mut Vec<f64>, _: &Action, _: &mut dyn Rng) -> Step {
            unreachable!("it is elsewhere")
        }
    }

    #[test]
    fn rollouts_elsewhere_have_a_seed_each_and_equal_keys_have_equal_seeds() {
        let config = PolicyConfig {
            width: 4,
            ..PolicyConfig::default()
        };
        let policy = Policy::<f64>::new(config, 1, Actions::Discrete(2), Backend::Fused).unwrap();
        let seeds = Seeds::all(3);
        let theta = policy.initial(&mut seeds.rng(Stream::Init, 0)).unwrap();
        let far = Far::default();
        let rolled = |set| {
            let key = Key {
                seeds: &seeds,
                stream: Stream::Query,
                index: 5,
                set,
            };
            roll(&far, &policy, &theta, 3, key).unwrap()
        };
        let made = rolled(0);
        assert_eq!(made[1].actions, [[0.0, 1.0]]);
        assert!((mean_return(&made) - 1.0).abs() < 1e-12);
        rolled(0);
        rolled(1);
        let asked = far.0.lock().unwrap().clone();
        assert_eq!(asked[..3], asked[3..6]);
        let mut distinct = [&asked[..3], &asked[6..]].concat();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 6);
    }
}
