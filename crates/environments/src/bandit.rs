//! Bandits: one state, `k` arms, `n` pulls.
//!
//! Duan, Schulman, Chen, Bartlett, Sutskever & Abbeel 2016, "RL^2: Fast reinforcement learning via slow reinforcement learning",
//! arXiv 1611.02779, section 3.1: of Bernoulli arms each pays 1 with a probability uniform in `[0, 1]`. Gaussian arms, which are not in the paper, pay a normal reward of
//! variance 1 about a mean that is standard normal.

use metastable_data::Seeds;
use rand::Rng;

use crate::draw::{normal, unit};
use crate::environment::{Action, Actions, Environment, Family, Step, of_task};

/// What an arm pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arms {
    /// 1 with a probability, else 0.
    Bernoulli,
    /// A mean and normal noise of variance 1.
    Gaussian,
}

/// Bandits of so many arms and pulls.
#[derive(Clone, Copy, Debug)]
pub struct Bandits {
    /// What the arms pay.
    pub arms: Arms,
    /// Arms, k.
    pub n_arms: usize,
    /// Pulls, n.
    pub n_pulls: usize,
}

/// One bandit.
#[derive(Clone, Debug, PartialEq)]
pub struct Bandit {
    /// What its arms pay.
    pub arms: Arms,
    /// Mean reward of each arm.
    pub means: Vec<f64>,
    /// Pulls.
    pub n_pulls: usize,
}

impl Bandits {
    /// The bandit at an index.
    #[must_use]
    pub fn bandit(&self, seeds: &Seeds, index: u64) -> Bandit {
        let mut rng = of_task(seeds, index);
        let mean = |_| match self.arms {
            Arms::Bernoulli => unit(&mut rng),
            Arms::Gaussian => normal(&mut rng),
        };
        Bandit {
            arms: self.arms,
            means: (0..self.n_arms).map(mean).collect(),
            n_pulls: self.n_pulls,
        }
    }
}

impl Family for Bandits {
    fn name(&self) -> &'static str {
        match self.arms {
            Arms::Bernoulli => "bernoulli-bandits",
            Arms::Gaussian => "gaussian-bandits",
        }
    }

    fn citation(&self) -> &'static str {
        match self.arms {
            Arms::Bernoulli => "Duan et al. 2016, arXiv 1611.02779, section 3.1",
            Arms::Gaussian => {
                "this crate, after the Bernoulli bandits of Duan et al. 2016, arXiv 1611.02779"
            }
        }
    }

    fn task(&self, seeds: &Seeds, index: u64) -> Box<dyn Environment> {
        Box::new(self.bandit(seeds, index))
    }
}

impl Bandit {
    /// What an arm pays this time.
    pub fn pull(&self, arm: usize, rng: &mut dyn Rng) -> f64 {
        match self.arms {
            Arms::Bernoulli => f64::from(u8::from(unit(rng) < self.means[arm])),
            Arms::Gaussian => self.means[arm] + normal(rng),
        }
    }
}

impl Environment for Bandit {
    fn actions(&self) -> Actions {
        Actions::Discrete(self.means.len())
    }

    fn n_observed(&self) -> usize {
        1
    }

    fn horizon(&self) -> usize {
        self.n_pulls
    }

    /// Mean reward of each arm.
    fn numbers(&self) -> Vec<f64> {
        self.means.clone()
    }

    /// That of a rule that is told which arm is best.
    fn best(&self) -> Option<f64> {
        let best = self.means.iter().copied().reduce(f64::max)?;
        Some(self.n_pulls as f64 * best)
    }

    /// One state, which says nothing.
    fn start(&self, _rng: &mut dyn Rng) -> Vec<f64> {
        vec![1.0]
    }

    fn step(&self, _state: &mut Vec<f64>, action: &Action, rng: &mut dyn Rng) -> Step {
        let Action::Discrete(arm) = action else {
            panic!("a bandit has arms, and got {action:?}");
        };
        Step {
            reward: self.pull(*arm, rng),
            is_over: false,
        }
    }
}
