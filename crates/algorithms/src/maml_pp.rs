//! MAML++ in parts: what its authors add to MAML, each with a switch of its own.
//!
//! Antoniou, Edwards & Storkey 2019, "How to train your MAML", ICLR, arXiv 1810.09502, section 4.
//!
//! | part | switch |
//! | --- | --- |
//! | multi-step loss, annealed (MSL) | `multi_step`: outer steps until the last step's loss is alone; 0 for never |
//! | derivative-order annealing (DA) | `second_order_from`: outer steps with the first-order gradient |
//! | scale and shift of their own for each inner step (BNWB) | `network.norm = "per-step"` |
//! | cosine annealing of the outer step size (CA) | `schedule = "cosine"` |
//! | learnt step sizes of each tensor and inner step (LSLR) | `learnt_rates = true` |
//!
//! Learnt step sizes begin at `inner_lr` and lie beside the network's parameters in theta. Steps beyond those of training
//! have the sizes of the last.
//!
//! The loss of outer step `t` is `sum_k w_k L_Q(phi_k)` over `k = 1 .. K`, with the weights of the authors' public code: with
//! `s = t / multi_step`, `w_k = max((1 - s) / K, 0.03 / K)` for `k < K`, and the last has the rest. From `multi_step` on `w_K = 1`.
//! With all parts off it is MAML, to the bit; so it is at validation, test and in certificates.

use metastable_models::{Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adaptation::{Adaptation, Adapts};
use crate::annealing::Annealing;
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::inner::{GradientDescent, first_bad_weight};
use crate::maml::{GradientOrder, Maml, MamlConfig};
use crate::rated::Rated;
use crate::rates::Sharing;
use crate::{Context, Differentiable, InnerLoop, Learner, MetaGradient, NonFinite, Result, Train};

pub use crate::annealing::multi_step_weights;

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "maml-pp",
    summary: "MAML with the parts of MAML++ as switches: multi-step loss, order annealing, learnt inner step sizes",
    citation: "Antoniou, Edwards & Storkey 2019, ICLR, arXiv 1810.09502",
    head: Head::Linear,
    complete: complete_steps::<MamlPpConfig>,
    build,
};

/// Settings as a user writes them, unchecked; all parts are off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MamlPpConfig {
    /// Step size of the inner loop, alpha.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
    /// Outer steps over which the loss moves from all inner steps to the last.
    pub multi_step: usize,
    /// Outer steps that drop the Hessians, before the exact gradient is taken.
    pub second_order_from: usize,
    /// Whether each tensor has, in each inner step, a step size that is learnt.
    pub learnt_rates: bool,
}

impl Default for MamlPpConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.1,
            inner_steps: 5,
            test_inner_steps: None,
            multi_step: 0,
            second_order_from: 0,
            learnt_rates: false,
        }
    }
}

/// MAML++ with checked settings. The network has a head with `n_way` outputs.
struct MamlPp {
    exact: Maml,
    first_order: Maml,
    annealing: Annealing,
}

impl Adapts for MamlPp {
    fn adaptation(&self) -> &Adaptation {
        self.exact.adaptation()
    }
}

impl<T: Real> Train<T> for MamlPp {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        self.exact.meta_gradient(context, theta)
    }

    fn meta_gradient_at(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        made: usize,
    ) -> Result<MetaGradient<T>> {
        let inner = self.adaptation().training(context)?;
        let order = self.annealing.order(made);
        match (self.annealing.weights(inner.n_steps, made), order) {
            (Some(weights), _) => weighted(&inner, theta, order, &weights),
            (None, GradientOrder::First) => self.first_order.meta_gradient(context, theta),
            (None, GradientOrder::Second) => self.exact.meta_gradient(context, theta),
        }
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        self.exact.query_loss(context, phi, labels)
    }
}

/// `d/d theta sum_k w_k L_Q(phi_k)`: the adjoint of the descent takes in each step's query gradient on its way back.
fn weighted<T: Real>(
    inner: &GradientDescent<'_, T>,
    theta: &Params<T>,
    order: GradientOrder,
    weights: &[f64],
) -> Result<MetaGradient<T>> {
    let mut non_finite = None;
    let mut phi = theta.clone();
    let mut steps = Vec::with_capacity(weights.len());
    for k in 0..weights.len() {
        let mut tape = inner.step_loss(&phi, k)?;
        if non_finite.is_none() && !tape.loss().is_finite() {
            non_finite = Some(NonFinite::SupportLoss { inner_step: k });
        }
        phi = inner.next(theta, &phi, tape.as_mut())?;
        non_finite = non_finite.or_else(|| first_bad_weight(&phi, k + 1));
        steps.push((tape, phi.clone()));
    }
    let mut v = Params::zeros(theta.layout());
    let mut queries = inner.query(&phi, weights.len())?;
    v.add(T::of(weights[weights.len() - 1]), &queries.gradient()?);
    while let Some((mut tape, _)) = steps.pop() {
        if order == GradientOrder::Second {
            v = inner.pull_back_step(tape.as_mut(), v)?;
        }
        // `phi_k` is where the step before ended.
        if let Some((_, phi)) = steps.last() {
            let k = steps.len();
            v.add(T::of(weights[k - 1]), &inner.query(phi, k)?.gradient()?);
        }
    }
    Ok(MetaGradient::of(
        &*queries,
        inner.context.task,
        v,
        non_finite,
    ))
}

impl<T: Real> Learner<T> for MamlPp {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(self.adaptation())
    }

    /// Of the loss after annealing, which is MAML's.
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        self.exact.differentiable()
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: MamlPpConfig = parse_for(ENTRY.name, settings)?;
    let annealing = Annealing {
        multi_step: config.multi_step,
        second_order_from: config.second_order_from,
    };
    if config.learnt_rates {
        return Ok(Box::new(Rated {
            name: "maml-pp with learnt_rates",
            sharing: Sharing::PerTensorAndStep,
            inner_lr: config.inner_lr,
            adaptation: Adaptation::new(
                config.inner_lr,
                config.inner_steps,
                config.test_inner_steps,
            )?,
            annealing,
        }));
    }
    let maml = MamlConfig {
        inner_lr: config.inner_lr,
        inner_steps: config.inner_steps,
        test_inner_steps: config.test_inner_steps,
        ..MamlConfig::default()
    };
    Ok(Box::new(MamlPp {
        exact: maml.validate(GradientOrder::Second)?,
        first_order: maml.validate(GradientOrder::First)?,
        annealing,
    }))
}
