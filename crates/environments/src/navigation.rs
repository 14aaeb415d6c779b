//! Two-dimensional navigation: a point goes to a goal that it is not told.
//!
//! Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, section 5.3.1, as the authors' code has it (`point_env_randgoal.py` of
//! cbfinn/maml_rl, behind its `normalize`): the state is the place, from (0, 0); an action moves it by a tenth of what it says, at most by
//! 0.1 along each axis; the goal is uniform in `[-0.5, 0.5]^2`; the reward is minus the distance after the move; a rollout is over within
//! 0.01 of the goal along both axes, or after 100 steps.

use metastable_data::Seeds;
use rand::Rng;

use crate::draw::uniform;
use crate::environment::{Action, Actions, Environment, Family, Step, of_task};

/// What one unit of an action moves by, and the most that it moves by, along an axis.
const REACH: f64 = 0.1;

/// A rollout is over so near to the goal, along both axes.
const NEAR: f64 = 0.01;

/// Goals anywhere in the square.
#[derive(Clone, Copy, Debug)]
pub struct Navigation {
    /// Most steps of a rollout; 100 as published.
    pub horizon: usize,
}

impl Default for Navigation {
    fn default() -> Self {
        Self { horizon: 100 }
    }
}

/// One goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// Where it is.
    pub place: [f64; 2],
    /// Most steps of a rollout.
    pub horizon: usize,
}

impl Navigation {
    /// The goal at an index.
    #[must_use]
    pub fn goal(&self, seeds: &Seeds, index: u64) -> Goal {
        let mut rng = of_task(seeds, index);
        Goal {
            place: [uniform(&mut rng, -0.5, 0.5), uniform(&mut rng, -0.5, 0.5)],
            horizon: self.horizon,
        }
    }
}

impl Family for Navigation {
    fn name(&self) -> &'static str {
        "navigation"
    }

    fn citation(&self) -> &'static str {
        "Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, section 5.3.1"
    }

    fn task(&self, seeds: &Seeds, index: u64) -> Box<dyn Environment> {
        Box::new(self.goal(seeds, index))
    }
}

impl Goal {
    /// The largest sum of rewards that any rule can reach, and the rule that reaches it is told the goal: both axes go towards it as fast
    /// as they may. No other rule is nearer after any number of steps, and none is done sooner.
    #[must_use]
    pub fn best_return(&self) -> f64 {
        let mut rest = self.place.map(f64::abs);
        let mut sum = 0.0;
        for _ in 0..self.horizon {
            rest = rest.map(|rest| (rest - REACH).max(0.0));
            sum -= rest[0].hypot(rest[1]);
            if rest.iter().all(|rest| *rest < NEAR) {
                break;
            }
        }
        sum
    }

    /// The action of that rule.
    #[must_use]
    pub fn best_action(&self, state: &[f64]) -> Action {
        let towards = |axis: usize| ((self.place[axis] - state[axis]) / REACH).clamp(-1.0, 1.0);
        Action::Continuous(vec![towards(0), towards(1)])
    }
}

impl Environment for Goal {
    fn actions(&self) -> Actions {
        Actions::Continuous(2)
    }

    fn n_observed(&self) -> usize {
        2
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn start(&self, _rng: &mut dyn Rng) -> Vec<f64> {
        vec![0.0, 0.0]
    }

    fn numbers(&self) -> Vec<f64> {
        self.place.to_vec()
    }

    fn best(&self) -> Option<f64> {
        Some(self.best_return())
    }

    fn step(&self, state: &mut Vec<f64>, action: &Action, _rng: &mut dyn Rng) -> Step {
        let Action::Continuous(moves) = action else {
            panic!("navigation takes continuous actions, and got {action:?}");
        };
        for (place, by) in state.iter_mut().zip(moves) {
            *place += (REACH * by).clamp(-REACH, REACH);
        }
        let gaps = [0, 1].map(|axis| state[axis] - self.place[axis]);
        Step {
            reward: -gaps[0].hypot(gaps[1]),
            is_over: gaps.iter().all(|gap| gap.abs() < NEAR),
        }
    }
}

#[cfg(test)]
mod tests {
    use metastable_data::Stream;

    use super::*;
    use crate::draw::normal;
    use crate::environment::rewards;

    /// A goal at (0.25, 0): the distances are 0.15, 0.05, 0, by hand.
    #[test]
    fn the_best_return_of_a_goal_by_hand() {
        let goal = Goal {
            place: [0.25, 0.0],
            horizon: 100,
        };
        assert!((goal.best_return() + 0.2).abs() < 1e-12);
    }

    #[test]
    fn the_rule_that_is_told_the_goal_reaches_the_best_and_a_random_rule_does_not() {
        let (family, seeds) = (Navigation::default(), Seeds::all(4));
        for index in 0..20 {
            let goal = family.goal(&seeds, index);
            let mut rng = seeds.rng(Stream::Query, index);
            let told = rewards(&goal, &mut rng, |state, _, _| goal.best_action(state));
            let (told, best) = (told.iter().sum::<f64>(), goal.best_return());
            assert!((told - best).abs() < 1e-9, "{told} {best}");
            let any = rewards(&goal, &mut rng, |_, _, rng| {
                Action::Continuous(vec![normal(rng), normal(rng)])
            });
            assert!(any.iter().sum::<f64>() <= best);
        }
    }

    #[test]
    fn a_move_is_clipped_and_a_goal_is_its_key() {
        let (family, seeds) = (Navigation::default(), Seeds::all(4));
        let goal = family.goal(&seeds, 3);
        assert_eq!(goal, family.goal(&seeds, 3));
        assert_ne!(goal, family.goal(&seeds, 4));
        let mut state = vec![0.0, 0.0];
        let mut rng = seeds.rng(Stream::Query, 0);
        goal.step(&mut state, &Action::Continuous(vec![7.0, -0.5]), &mut rng);
        assert_eq!(state, [0.1, -0.05]);
    }
}
