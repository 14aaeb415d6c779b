//! MAML for reinforcement learning: a policy from which one policy-gradient step leads to a good one.
//!
//! Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, algorithm 3, as the authors' code has it (`maml_trpo_point.py` of cbfinn/maml_rl):
//! the inner step is a policy gradient with the linear feature baseline, the outer step is that of trust-region policy optimization
//! (Schulman, Levine, Abbeel, Jordan & Moritz 2015, ICML), with the mean divergence of the *adapted* policies as its constraint.
//!
//! - pre: `theta`, rollouts `D`, `L(theta) = -(1/n) sum_D A ln pi_theta(a | s)`, `phi = theta - alpha M grad L(theta)`;
//! - post: rollouts `D'` of `pi_phi`, `S(theta') = -(1/n) sum_D' A' pi_phi'(a | s) / pi_phi(a | s)` with `phi'` from `theta'` by the same `D`;
//! - `grad S = (I - alpha H M) grad_phi`, with the exact Hessian `H` of `L`, and the Fisher product `J^T F J` by the same.
//!
//! What the pre-adaptation rollouts themselves do is a setting ([`SamplingTerm`]): the plain gradient takes them as given, as the code does.

use metastable_data::{Seeds, Stream};
use metastable_models::{Params, Real, Tape};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::environment::{Environment, Family};
use crate::error::{Result, require};
use crate::policy::{Policy, Rows};
use crate::rollout::{Key, Rollout, advantages, mean_return, roll, rows};
use crate::trust_region::{Region, Searched, conjugate_gradients, search};

/// Whether the outer gradient knows that theta chose the rollouts that it adapts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingTerm {
    /// It does not: they are taken as given.
    #[default]
    Plain,
    /// It does: `- (R'_i - mean R') / H sum_D ln pi_theta(a | s)` is added, with `R'_i` the mean return of task `i` after adaptation and
    /// `H` its mean number of steps (Stadie, Yang, Houthooft, Chen, Duan, Wu, Abbeel & Sutskever 2018, "Some considerations on learning to
    /// explore via meta-reinforcement learning", arXiv 1803.01118, equation 5; with the mean over tasks as baseline).
    EMaml,
}

/// How the curvature of the divergence is told to conjugate gradients. Whatever is chosen here shapes the direction and the first length of a
/// step; its bound is held by the line search, on all rollouts and through the inner step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fisher {
    /// Through the inner step, `J^T F J`: three products a task.
    #[default]
    Exact,
    /// As if adaptation moved with theta, `J = I`: one product a task.
    FirstOrder,
}

/// Settings as a user writes them, unchecked; the defaults are those of the code, but for the meta-batch (40 there, 20 in what its test reads).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MamlRlConfig {
    /// Step size of the inner loop, alpha.
    pub inner_lr: f64,
    /// Tasks of an outer step.
    pub meta_batch: usize,
    /// Rollouts of each task, before and after adaptation.
    pub n_rollouts: usize,
    /// Discount of returns.
    pub discount: f64,
    /// Largest mean divergence of an outer step, in nats; 0 for no step at all: theta stays as it was drawn.
    pub max_divergence: f64,
    /// Steps of conjugate gradients.
    pub cg_steps: usize,
    /// Added to the Fisher information, times the identity.
    pub damping: f64,
    /// Most times that a step is shortened.
    pub backtracks: usize,
    /// What it is shortened by.
    pub backtrack_factor: f64,
    /// What is known of the pre-adaptation rollouts.
    pub sampling: SamplingTerm,
    /// What is known of the curvature of the divergence.
    pub fisher: Fisher,
    /// Of the rows after adaptation every so many-th tells it; 1 for all.
    pub fisher_every: usize,
}

impl Default for MamlRlConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.5,
            meta_batch: 20,
            n_rollouts: 20,
            discount: 0.99,
            max_divergence: 0.01,
            cg_steps: 10,
            damping: 1e-5,
            // 15 tries there, the full step among them.
            backtracks: 14,
            backtrack_factor: 0.8,
            sampling: SamplingTerm::Plain,
            fisher: Fisher::Exact,
            fisher_every: 1,
        }
    }
}

impl MamlRlConfig {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`crate::EnvironmentError::Setting`] with the first that does not hold.
    pub fn check(&self) -> Result<()> {
        let share = |value: f64| 0.0 < value && value < 1.0;
        require(
            self.inner_lr.is_finite() && 0.0 <= self.inner_lr,
            "inner_lr",
            self.inner_lr,
            "the inner step size has to be finite and not negative, e.g. 0.5",
        )?;
        for (setting, value) in [
            ("meta_batch", self.meta_batch),
            ("n_rollouts", self.n_rollouts),
            ("fisher_every", self.fisher_every),
        ] {
            require(0 < value, setting, value, "at least 1, e.g. 20")?;
        }
        let advice = "has to lie in (0, 1]";
        let holds = 0.0 < self.discount && self.discount <= 1.0;
        require(holds, "discount", self.discount, advice)?;
        let advice = "has to be finite and not negative, e.g. 0.01; 0 leaves theta as it was drawn";
        let (name, value) = ("max_divergence", self.max_divergence);
        require(value.is_finite() && 0.0 <= value, name, value, advice)?;
        require(
            0 < self.cg_steps,
            "cg_steps",
            self.cg_steps,
            "at least 1, e.g. 10",
        )?;
        let holds = self.damping.is_finite() && 0.0 <= self.damping;
        require(
            holds,
            "damping",
            self.damping,
            "finite and not negative, e.g. 1e-5",
        )?;
        let (name, value) = ("backtrack_factor", self.backtrack_factor);
        require(share(value), name, value, "has to lie in (0, 1), e.g. 0.8")
    }
}

/// A meta-training on a family of tasks.
pub struct MamlRl<'a, T> {
    /// What is learnt.
    pub policy: &'a Policy<T>,
    /// Where tasks come from.
    pub family: &'a dyn Family,
    /// How.
    pub config: MamlRlConfig,
    /// Every draw.
    pub seeds: Seeds,
}

/// What an outer step did.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterStep<T> {
    /// Mean return before adaptation, over tasks and rollouts, without discount.
    pub before: f64,
    /// The same after it, of the policy that the step started from.
    pub after: f64,
    /// The outer gradient.
    pub gradient: Params<T>,
    /// Its Euclidean norm.
    pub gradient_norm: f64,
    /// Sum of the squared norms of the gradients of the tasks.
    pub sum_of_squares: f64,
    /// What the line search found; none if no step lowered the surrogate within the bound, and theta stays.
    pub searched: Option<Searched>,
}

/// What one task brings to an outer step.
pub struct Adapted<T> {
    /// The pre-adaptation rollouts, with `A / n` as weights.
    pub pre: Rows<T>,
    /// The adapted parameters.
    pub phi: Params<T>,
    /// The post-adaptation rollouts, with `A' / n` as weights.
    pub post: Rows<T>,
    /// Outputs of the adapted policy there.
    pub outputs: Vec<T>,
    /// Mean returns before and after.
    pub returns: [f64; 2],
    /// Mean number of steps after adaptation.
    pub n_steps: f64,
}

/// Rows with `advantages / n` as weights.
fn weighted<T: Real>(rollouts: &[Rollout], discount: f64) -> Rows<T> {
    let mut weights = advantages(rollouts, discount);
    let n = weights.len() as f64;
    weights.iter_mut().for_each(|weight| *weight /= n);
    rows(rollouts, weights)
}

impl<T: Real> MamlRl<'_, T> {
    /// `phi` from `theta` by these rows, and the tape of the inner loss at theta.
    ///
    /// # Errors
    /// Those of the network.
    pub fn inner<'p>(
        &'p self,
        theta: &Params<T>,
        pre: &Rows<T>,
        step: f64,
    ) -> Result<(Params<T>, Box<dyn Tape<T> + 'p>)> {
        let mut tape = self.policy.record(theta, pre)?;
        let mut direction = tape.gradient()?;
        self.policy.project(&mut direction);
        Ok((theta.plus(T::of(-step), &direction), tape))
    }

    /// Adapts to the task at an index of an outer step, and rolls the adapted policy out.
    ///
    /// # Errors
    /// Those of the network.
    pub fn adapt(&self, theta: &Params<T>, index: u64) -> Result<Adapted<T>> {
        let task = self.family.task(&self.seeds, index);
        let rolled = |params: &Params<T>, stream: Stream| {
            let key = Key {
                seeds: &self.seeds,
                stream,
                index,
                set: 0,
            };
            roll(&*task, self.policy, params, self.config.n_rollouts, key)
        };
        let discount = self.config.discount;
        let before = rolled(theta, Stream::Support)?;
        let pre = weighted(&before, discount);
        let (phi, tape) = self.inner(theta, &pre, self.config.inner_lr)?;
        drop(tape);
        let after = rolled(&phi, Stream::Query)?;
        let post = weighted(&after, discount);
        let outputs = self.policy.outputs(&phi, &post.observed)?;
        let n_steps: usize = after.iter().map(|it| it.rewards.len()).sum();
        Ok(Adapted {
            pre,
            phi,
            post,
            outputs,
            returns: [mean_return(&before), mean_return(&after)],
            n_steps: n_steps as f64 / after.len() as f64,
        })
    }

    /// One outer step: `made` have been made before. Theta is moved in place.
    ///
    /// Tasks are spread over rayon's threads, and what they bring is added in their order: the same bits at any number of threads.
    ///
    /// # Errors
    /// Those of the network.
    pub fn step(&self, theta: &mut Params<T>, made: u64) -> Result<OuterStep<T>> {
        self.config.check()?;
        let first = made * self.config.meta_batch as u64;
        let tasks = (first..first + self.config.meta_batch as u64)
            .into_par_iter()
            .map(|index| self.adapt(theta, index))
            .collect::<Result<Vec<_>>>()?;
        let mean =
            |of: usize| tasks.iter().map(|task| task.returns[of]).sum::<f64>() / tasks.len() as f64;
        let (before, after) = (mean(0), mean(1));
        let mut curved = self.curved(theta, &tasks)?;
        let parts = self.gradients(theta, &tasks, &mut curved)?;
        let sum_of_squares = parts.iter().map(|part| part.dot(part).wide()).sum();
        let gradient = average(theta, &parts);
        let gradient_norm = gradient.norm();
        let region = Region {
            max_divergence: self.config.max_divergence,
            backtracks: self.config.backtracks,
            factor: self.config.backtrack_factor,
        };
        let damping = T::of(self.config.damping);
        let mut product = |v: &Params<T>| -> Result<Params<T>> {
            let mut product = self.fisher_product(&mut curved, v)?;
            product.add(damping, v);
            Ok(product)
        };
        let direction = conjugate_gradients(&mut product, &gradient, self.config.cg_steps)?;
        let curvature = direction.dot(&product(&direction)?).wide();
        drop(curved);
        let from = self.surrogate(theta, &tasks)?;
        let searched = search(region, theta, &direction, curvature, from, |at| {
            self.surrogate(at, &tasks)
        })?;
        let searched = searched.map(|(moved, searched)| {
            *theta = moved;
            searched
        });
        Ok(OuterStep {
            before,
            after,
            gradient,
            gradient_norm,
            sum_of_squares,
            searched,
        })
    }

    /// What both the gradient and the Fisher product go through, task by task: the tapes of the inner loss at theta and of the
    /// divergence at phi.
    ///
    /// # Errors
    /// Those of the network.
    pub fn curved<'p>(
        &'p self,
        theta: &Params<T>,
        tasks: &[Adapted<T>],
    ) -> Result<Vec<Curved<'p, T>>> {
        tasks
            .par_iter()
            .map(|task| {
                let width = self.policy.network().n_outputs();
                let n_seen = task.post.observed.len() * width / task.outputs.len();
                let every = self.config.fisher_every;
                let of = task.outputs.chunks_exact(width).step_by(every);
                let seen = task.post.observed.chunks_exact(n_seen).step_by(every);
                let n_rows = of.len();
                let distributions = Rows {
                    observed: seen.flatten().copied().collect(),
                    brought: of.flat_map(|row| self.policy.of_outputs(row)).collect(),
                    weights: vec![1.0 / n_rows as f64; n_rows],
                };
                Ok(Curved {
                    inner: self.policy.record(theta, &task.pre)?,
                    divergence: self.policy.record(&task.phi, &distributions)?,
                })
            })
            .collect()
    }

    /// The gradient of the mean of [`Self::surrogate`] at theta.
    ///
    /// # Errors
    /// Those of the network.
    pub fn gradient(
        &self,
        theta: &Params<T>,
        tasks: &[Adapted<T>],
        curved: &mut [Curved<'_, T>],
    ) -> Result<Params<T>> {
        Ok(average(theta, &self.gradients(theta, tasks, curved)?))
    }

    /// What each task brings to it, in order.
    fn gradients(
        &self,
        theta: &Params<T>,
        tasks: &[Adapted<T>],
        curved: &mut [Curved<'_, T>],
    ) -> Result<Vec<Params<T>>> {
        let sampled = self.sampling_weights(tasks);
        tasks
            .par_iter()
            .zip(curved.par_iter_mut())
            .zip(sampled)
            .map(|((task, curved), weight)| {
                let at_phi = self.policy.record(&task.phi, &task.post)?.gradient()?;
                let mut part = self.pull_back(&mut *curved.inner, at_phi)?;
                if let Some(weight) = weight {
                    let rows = Rows {
                        weights: vec![weight; task.pre.weights.len()],
                        ..task.pre.clone()
                    };
                    part.add(T::ONE, &self.policy.record(theta, &rows)?.gradient()?);
                }
                self.policy.project(&mut part);
                Ok(part)
            })
            .collect()
    }

    /// The product of `v` with the mean Fisher information of the adapted policies as functions of theta, `J^T F J`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn fisher_product(&self, curved: &mut [Curved<'_, T>], v: &Params<T>) -> Result<Params<T>> {
        let parts = curved
            .par_iter_mut()
            .map(|curved| {
                let mut part = match self.config.fisher {
                    Fisher::FirstOrder => curved.divergence.hessian_product(v)?,
                    Fisher::Exact => {
                        // J v = v - alpha M H v
                        let mut moved = curved.inner.hessian_product(v)?;
                        self.policy.project(&mut moved);
                        let along = v.plus(T::of(-self.config.inner_lr), &moved);
                        let bent = curved.divergence.hessian_product(&along)?;
                        self.pull_back(&mut *curved.inner, bent)?
                    }
                };
                self.policy.project(&mut part);
                Ok(part)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(average(v, &parts))
    }

    /// `J^T v = v - alpha H M v`.
    fn pull_back(&self, inner: &mut (dyn Tape<T> + '_), v: Params<T>) -> Result<Params<T>> {
        let mut moved = v.clone();
        self.policy.project(&mut moved);
        let mut back = v;
        back.add(
            T::of(-self.config.inner_lr),
            &inner.hessian_product(&moved)?,
        );
        Ok(back)
    }

    /// The weight of every pre-adaptation row in the sampling term, task by task; none without the term.
    fn sampling_weights(&self, tasks: &[Adapted<T>]) -> Vec<Option<f64>> {
        let mean = tasks.iter().map(|task| task.returns[1]).sum::<f64>() / tasks.len() as f64;
        tasks
            .iter()
            .map(|task| match self.config.sampling {
                SamplingTerm::Plain => None,
                SamplingTerm::EMaml => Some((task.returns[1] - mean) / task.n_steps),
            })
            .collect()
    }

    /// The surrogate at other parameters, and the mean divergence of the adapted policies from those that made the rollouts.
    ///
    /// # Errors
    /// Those of the network.
    pub fn surrogate(&self, theta: &Params<T>, tasks: &[Adapted<T>]) -> Result<[f64; 2]> {
        let sampled = self.sampling_weights(tasks);
        let parts = tasks
            .par_iter()
            .zip(sampled)
            .map(|(task, weight)| {
                let (phi, _) = self.inner(theta, &task.pre, self.config.inner_lr)?;
                let outputs = self.policy.outputs(&phi, &task.post.observed)?;
                let width = self.policy.network().n_outputs();
                let pairs = outputs
                    .chunks_exact(width)
                    .zip(task.outputs.chunks_exact(width));
                let brought = task.post.brought.chunks_exact(width);
                let (mut surrogate, mut divergence) = (0.0, 0.0);
                for (((new, old), action), weight) in pairs.zip(brought).zip(&task.post.weights) {
                    let ratio = self.policy.log_likelihood(new, action)
                        - self.policy.log_likelihood(old, action);
                    surrogate -= weight * ratio.exp();
                    divergence += self.policy.divergence(old, new);
                }
                if let Some(weight) = weight {
                    let rows = Rows {
                        weights: vec![weight; task.pre.weights.len()],
                        ..task.pre.clone()
                    };
                    surrogate += self.policy.record(theta, &rows)?.loss().wide();
                }
                Ok([surrogate, divergence / task.post.weights.len() as f64])
            })
            .collect::<Result<Vec<[f64; 2]>>>()?;
        let n = parts.len() as f64;
        Ok([0, 1].map(|at| parts.iter().map(|part| part[at]).sum::<f64>() / n))
    }

    /// Mean returns on one task after `0 ..= step_sizes.len()` policy-gradient steps, each on `n_rollouts` new rollouts: the test of the
    /// authors' code has 40, and steps of 0.5 and then 0.25.
    ///
    /// # Errors
    /// Those of the network.
    pub fn test(
        &self,
        theta: &Params<T>,
        task: &dyn Environment,
        step_sizes: &[f64],
        n_rollouts: usize,
        index: u64,
    ) -> Result<Vec<Vec<f64>>> {
        let seeds = self.seeds.evaluation();
        let mut params = theta.clone();
        let mut returns = Vec::with_capacity(step_sizes.len() + 1);
        for set in 0..=step_sizes.len() {
            let key = Key {
                seeds: &seeds,
                stream: Stream::Query,
                index,
                set: set as u64,
            };
            let rollouts = roll(task, self.policy, &params, n_rollouts, key)?;
            returns.push(rollouts.iter().map(Rollout::sum).collect());
            if let Some(step) = step_sizes.get(set) {
                let rows = weighted(&rollouts, self.config.discount);
                let (next, tape) = self.inner(&params, &rows, *step)?;
                drop(tape);
                params = next;
            }
        }
        Ok(returns)
    }
}

/// The tapes of one task.
pub struct Curved<'p, T> {
    /// The inner loss at theta.
    pub inner: Box<dyn Tape<T> + 'p>,
    /// The cross-entropy of the adapted policy against itself, whose Hessian is the Fisher information.
    pub divergence: Box<dyn Tape<T> + 'p>,
}

/// The mean, added in order.
fn average<T: Real>(like: &Params<T>, parts: &[Params<T>]) -> Params<T> {
    let mut sum = Params::zeros(like.layout());
    for part in parts {
        sum.add(T::ONE, part);
    }
    sum.scale(T::of(1.0 / parts.len() as f64));
    sum
}
