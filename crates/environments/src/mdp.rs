//! Small Markov decision processes in tables, and their exact solution.
//!
//! Duan et al. 2016, arXiv 1611.02779, section 3.2: 10 states, 5 actions, 10 steps; the mean reward of a state and an action is normal
//! about 1 with variance 1, a reward is normal about it with variance 1, and what follows a state and an action is drawn uniformly over
//! all distributions of states (Dirichlet with parameters 1). A rollout starts in state 0. The oracle is backward induction on the true
//! tables.

use metastable_data::Seeds;
use rand::Rng;

use crate::draw::{normal, outcome, shares};
use crate::environment::{Action, Actions, Environment, Family, Step, of_task};

/// Random tables.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// States.
    pub n_states: usize,
    /// Actions.
    pub n_actions: usize,
    /// Steps of a rollout.
    pub horizon: usize,
}

impl Default for Tables {
    /// As published.
    fn default() -> Self {
        Self {
            n_states: 10,
            n_actions: 5,
            horizon: 10,
        }
    }
}

/// One process.
#[derive(Clone, Debug, PartialEq)]
pub struct Mdp {
    /// States.
    pub n_states: usize,
    /// Actions.
    pub n_actions: usize,
    /// Mean rewards, `(n_states, n_actions)`.
    pub rewards: Vec<f64>,
    /// Shares of the states that follow, `(n_states, n_actions, n_states)`.
    pub follows: Vec<Vec<f64>>,
    /// Steps of a rollout.
    pub horizon: usize,
    /// Standard deviation of a reward about its mean.
    pub noise: f64,
}

/// The best rule of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Expected sum of rewards from state 0.
    pub value: f64,
    /// The best action with `left` steps to go, `(horizon, n_states)`: row `left - 1`; the first of equals.
    pub actions: Vec<Vec<usize>>,
}

impl Tables {
    /// The process at an index.
    #[must_use]
    pub fn mdp(&self, seeds: &Seeds, index: u64) -> Mdp {
        let mut rng = of_task(seeds, index);
        let n_cells = self.n_states * self.n_actions;
        Mdp {
            n_states: self.n_states,
            n_actions: self.n_actions,
            rewards: (0..n_cells).map(|_| 1.0 + normal(&mut rng)).collect(),
            follows: (0..n_cells)
                .map(|_| shares(&mut rng, self.n_states))
                .collect(),
            horizon: self.horizon,
            noise: 1.0,
        }
    }
}

impl Family for Tables {
    fn name(&self) -> &'static str {
        "tabular-mdps"
    }

    fn citation(&self) -> &'static str {
        "Duan et al. 2016, arXiv 1611.02779, section 3.2"
    }

    fn task(&self, seeds: &Seeds, index: u64) -> Box<dyn Environment> {
        Box::new(self.mdp(seeds, index))
    }
}

impl Mdp {
    /// The best rule, by backward induction: `V_0 = 0`, `V_h(s) = max_a ( r(s, a) + sum_s' P(s' | s, a) V_{h-1}(s') )`.
    #[must_use]
    pub fn solve(&self) -> Solution {
        let mut values = vec![0.0; self.n_states];
        let mut actions = Vec::with_capacity(self.horizon);
        for _ in 0..self.horizon {
            let mut best = vec![0; self.n_states];
            let mut next = vec![f64::NEG_INFINITY; self.n_states];
            for state in 0..self.n_states {
                for action in 0..self.n_actions {
                    let cell = state * self.n_actions + action;
                    let rest: f64 = self.follows[cell]
                        .iter()
                        .zip(&values)
                        .map(|(share, value)| share * value)
                        .sum();
                    let value = self.rewards[cell] + rest;
                    if value > next[state] {
                        (next[state], best[state]) = (value, action);
                    }
                }
            }
            values = next;
            actions.push(best);
        }
        Solution {
            value: values[0],
            actions,
        }
    }
}

impl Environment for Mdp {
    fn actions(&self) -> Actions {
        Actions::Discrete(self.n_actions)
    }

    /// The state, as one number of `n_states` that is 1.
    fn n_observed(&self) -> usize {
        self.n_states
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    /// Mean rewards, then the shares of the states that follow.
    fn numbers(&self) -> Vec<f64> {
        let follows = self.follows.iter().flatten();
        self.rewards.iter().chain(follows).copied().collect()
    }

    /// By value iteration.
    fn best(&self) -> Option<f64> {
        Some(self.solve().value)
    }

    fn start(&self, _rng: &mut dyn Rng) -> Vec<f64> {
        vec![0.0]
    }

    fn observed(&self, state: &[f64]) -> Vec<f64> {
        let own = state[0] as usize;
        (0..self.n_states)
            .map(|at| f64::from(u8::from(at == own)))
            .collect()
    }

    fn step(&self, state: &mut Vec<f64>, action: &Action, rng: &mut dyn Rng) -> Step {
        let Action::Discrete(action) = action else {
            panic!("a table has discrete actions, and got {action:?}");
        };
        let cell = state[0] as usize * self.n_actions + action;
        let reward = self.rewards[cell] + self.noise * normal(rng);
        state[0] = outcome(rng, &self.follows[cell]) as f64;
        Step {
            reward,
            is_over: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use metastable_data::Stream;

    use super::*;
    use crate::draw::below;
    use crate::environment::rewards;

    /// Two states: state 0 pays 0 and goes to 1 by action 1, or pays 1 and stays by action 0; state 1 pays 3 and stays. Of three steps
    /// the best is to go at once, 0 + 3 + 3; of one step to stay.
    #[test]
    fn a_process_by_hand() {
        let mut mdp = Mdp {
            n_states: 2,
            n_actions: 2,
            rewards: vec![1.0, 0.0, 3.0, 3.0],
            follows: vec![
                vec![1.0, 0.0],
                vec![0.0, 1.0],
                vec![0.0, 1.0],
                vec![0.0, 1.0],
            ],
            horizon: 3,
            noise: 0.0,
        };
        let found = mdp.solve();
        assert!((found.value - 6.0).abs() < 1e-12);
        assert_eq!([found.actions[2][0], found.actions[0][0]], [1, 0]);
        mdp.horizon = 1;
        assert!((mdp.solve().value - 1.0).abs() < 1e-12);
    }

    /// Played, the best rule has its value, and a random one less: 2,000 rollouts, four standard errors.
    #[test]
    fn the_solution_is_worth_what_it_says() {
        let (family, seeds) = (Tables::default(), Seeds::all(6));
        let mdp = family.mdp(&seeds, 0);
        let solution = mdp.solve();
        let played = |told: bool| {
            let sums: Vec<f64> = (0..2000)
                .map(|at| {
                    let mut rng = seeds.rng(Stream::Query, at);
                    let rule = |state: &[f64], step: usize, rng: &mut dyn Rng| {
                        let left = mdp.horizon - step;
                        Action::Discrete(match told {
                            true => solution.actions[left - 1][state[0] as usize],
                            false => below(rng, mdp.n_actions),
                        })
                    };
                    rewards(&mdp, &mut rng, rule).iter().sum()
                })
                .collect();
            let n = sums.len() as f64;
            let mean = sums.iter().sum::<f64>() / n;
            let variance = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / n;
            (mean, (variance / n).sqrt())
        };
        let (best, error) = played(true);
        assert!(
            (best - solution.value).abs() < 4.0 * error,
            "{best} {}",
            solution.value
        );
        let (random, error) = played(false);
        assert!(random < solution.value - 4.0 * error);
    }
}
