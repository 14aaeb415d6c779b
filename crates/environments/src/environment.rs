//! What a reinforcement-learning task is: states, actions and rewards, and the distributions that tasks are drawn from.
//!
//! A task is a pure function of its key: the stream `task` draws what it is, and a rollout draws from a generator that it is handed,
//! one for each rollout.

use metastable_data::{Seeds, Stream};
use metastable_models::Params;
use rand::Rng;

use crate::error::Result;

/// What may be done in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actions {
    /// So many numbers.
    Continuous(usize),
    /// One of so many.
    Discrete(usize),
}

/// What is done in a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Numbers, in the unit of the environment; what is too large is clipped there.
    Continuous(Vec<f64>),
    /// Which of the actions, from 0.
    Discrete(usize),
}

/// What came of an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The reward.
    pub reward: f64,
    /// Whether the rollout is over, besides by its horizon.
    pub is_over: bool,
}

/// A rollout that was made elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reported {
    /// `(n_steps, n_observed)`.
    pub observed: Vec<Vec<f64>>,
    /// `(n_steps)`.
    pub actions: Vec<Action>,
    /// `(n_steps)`.
    pub rewards: Vec<f64>,
}

/// A task whose rollouts are made elsewhere, by whoever is sent the weights of the policy: a whole batch at a time.
pub trait Elsewhere: Send + Sync {
    /// A rollout for each seed, which draws its start and its actions. `network` is the name of the policy's network
    /// ([`crate::Activation::network`]), `weights` its parameters.
    ///
    /// # Errors
    /// [`crate::EnvironmentError::Elsewhere`].
    fn rollouts(
        &self,
        network: &str,
        weights: &Params<f32>,
        seeds: &[u64],
    ) -> Result<Vec<Reported>>;
}

/// One task.
pub trait Environment: Send + Sync {
    /// Where its rollouts are made, if that is elsewhere: then neither [`Self::start`] nor [`Self::step`] is asked.
    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        None
    }

    /// What may be done.
    fn actions(&self) -> Actions;

    /// Numbers that are observed of a state.
    fn n_observed(&self) -> usize;

    /// Most steps of a rollout.
    fn horizon(&self) -> usize;

    /// A state to start in.
    fn start(&self, rng: &mut dyn Rng) -> Vec<f64>;

    /// What is observed of a state, `(n_observed)`.
    fn observed(&self, state: &[f64]) -> Vec<f64> {
        state.to_vec()
    }

    /// The numbers that make the task what it is, for lists and digests; empty where a family does not tell them.
    fn numbers(&self) -> Vec<f64> {
        Vec::new()
    }

    /// The largest return that any rule can expect; none where it is not computed.
    fn best(&self) -> Option<f64> {
        None
    }

    /// Takes an action, and leaves the state that follows.
    ///
    /// # Panics
    /// On an action of the other kind: [`Self::actions`] says which there are.
    fn step(&self, state: &mut Vec<f64>, action: &Action, rng: &mut dyn Rng) -> Step;
}

/// A distribution of tasks.
pub trait Family: Send + Sync {
    /// Its name in a study.
    fn name(&self) -> &'static str;

    /// Who published it.
    fn citation(&self) -> &'static str;

    /// The task at an index, a pure function of the stream `task`.
    fn task(&self, seeds: &Seeds, index: u64) -> Box<dyn Environment>;
}

/// The generator that draws the task at an index.
pub(crate) fn of_task(seeds: &Seeds, index: u64) -> impl Rng + use<> {
    seeds.rng(Stream::Task, index)
}

/// One rollout under a rule that sees the state itself: for references that are computed, and for tests.
///
/// Returns the rewards, one for each step that was made.
pub fn rewards(
    environment: &dyn Environment,
    rng: &mut dyn Rng,
    mut rule: impl FnMut(&[f64], usize, &mut dyn Rng) -> Action,
) -> Vec<f64> {
    let mut state = environment.start(rng);
    let mut rewards = Vec::with_capacity(environment.horizon());
    for step in 0..environment.horizon() {
        let action = rule(&state, step, rng);
        let Step { reward, is_over } = environment.step(&mut state, &action, rng);
        rewards.push(reward);
        if is_over {
            break;
        }
    }
    rewards
}
