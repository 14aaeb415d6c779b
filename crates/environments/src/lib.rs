//! Reinforcement-learning tasks that a meta-learner adapts to, their computed references, and MAML for policies.
//!
//! A [`Family`] draws tasks by index, each a pure function of its key; an [`Environment`] is one task: [`navigation`], [`bandit`]s, small
//! [`mdp`]s, [`cart_pole`]s. What can be reached on them is computed and not trained: the best return of a goal, the rules of
//! [`bandit_rules`] and the optimum that they are held against, the solution of a table.
//!
//! A [`Policy`] is a network with a Gaussian or a categorical head; [`MamlRl`] trains it so that one policy-gradient step adapts it
//! ([`maml_rl`]), by exact Hessian and Fisher products. Everything is generic over `f32` and `f64`, and gives the same bits at any number
//! of threads.
//!
//! The crate reads no files and prints nothing.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of steps, arms and rollouts are small"
)]

pub mod bandit;
pub mod bandit_rules;
pub mod baseline;
pub mod cart_pole;
pub mod draw;
pub mod environment;
mod error;
pub mod maml_rl;
pub mod mdp;
pub mod navigation;
pub mod policy;
pub mod registry;
pub mod rollout;
pub mod trust_region;

pub use environment::{Action, Actions, Elsewhere, Environment, Family, Reported, Step};
pub use error::{EnvironmentError, Result};
pub use maml_rl::{Fisher, MamlRl, MamlRlConfig, OuterStep, SamplingTerm};
pub use policy::{Activation, Policy, PolicyConfig};
pub use registry::{FAMILIES, FamilyEntry};

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
