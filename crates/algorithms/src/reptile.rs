//! Reptile: theta moves towards where plain training on a task leads.
//!
//! Nichol, Achiam & Schulman 2018, "On first-order meta-learning algorithms", arXiv 1803.02999, section 3, algorithm 2:
//! `theta <- theta + epsilon mean(phi_K - theta)` over the tasks of a meta-batch. `phi_K` is theta after K steps of SGD on
//! minibatches of a task's images, supports and queries together; at test, of the supports alone.
//!
//! The outer direction is `theta - phi_K`. With `{ kind = "sgd" }` and `outer_lr = epsilon` as outer optimizer this is the
//! paper's; another takes the direction for a gradient, as the paper proposes too. It is the gradient of no loss, and is
//! not claimed to be.
//!
//! Differs from the authors' code: the inner optimizer is plain SGD (there Adam without momentum), and minibatches are
//! taken in turn, class by class, instead of drawn.

use metastable_models::{Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adaptation::{Adaptation, Adapts};
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::{Context, InnerLoop, Learner, MetaGradient, Result, Train};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "reptile",
    summary: "Reptile: theta moves towards where plain training on a task leads",
    citation: "Nichol, Achiam & Schulman 2018, arXiv 1803.02999",
    head: Head::Linear,
    complete: complete_steps::<ReptileConfig>,
    build,
};

/// Settings as a user writes them, unchecked. Steps and minibatches are those of the authors' 5-way Omniglot in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReptileConfig {
    /// Step size of the inner SGD.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
    /// Images of an inner step; all where there are fewer.
    pub inner_batch: usize,
}

impl Default for ReptileConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.1,
            inner_steps: 5,
            test_inner_steps: None,
            inner_batch: 10,
        }
    }
}

/// Reptile with checked settings. The network has a head with `n_way` outputs.
struct Reptile(Adaptation);

impl Adapts for Reptile {
    fn adaptation(&self) -> &Adaptation {
        &self.0
    }
}

impl<T: Real> Train<T> for Reptile {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let joined = context.task.joined()?;
        let inner = self.0.training(&context.of(&joined))?;
        // phi_K = SGD(theta), on supports and queries
        let descent = inner.adapt(theta)?;
        // theta - phi_K, for an optimizer that descends
        let direction = theta.plus(T::of(-1.0), &descent.phi);
        let queries = inner.query(&descent.phi, inner.n_steps)?;
        Ok(MetaGradient::of(
            &*queries,
            context.task,
            direction,
            descent.non_finite,
        ))
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        self.0.query_loss(context, phi, labels)
    }
}

impl<T: Real> Learner<T> for Reptile {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(&self.0)
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: ReptileConfig = parse_for(ENTRY.name, settings)?;
    let adaptation = Adaptation::new(config.inner_lr, config.inner_steps, config.test_inner_steps)?;
    Ok(Box::new(Reptile(
        adaptation.in_batches(config.inner_batch)?,
    )))
}
