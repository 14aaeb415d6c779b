//! Implicit MAML: the meta-gradient of where the inner loop ends, not of the way there.
//!
//! Rajeswaran, Finn, Kakade & Levine 2019, "Meta-learning with implicit gradients", NeurIPS, arXiv 1909.04630, algorithm 2 and
//! equation 6.
//!
//! The inner loop descends `L_S(phi) + lambda |phi - theta|^2 / 2`. At its minimum `phi*`, the implicit function theorem gives
//! `d L_Q(phi*) / d theta = (I + H_S(phi*) / lambda)^-1 grad L_Q(phi*)`. The system is solved by conjugate gradients, one Hessian
//! product a step; memory does not grow with the inner steps.
//!
//! The inner loop stops before the minimum, and the solver before the solution, so the direction is not the gradient of the loss that
//! is reached, and is not claimed to be. Where `I + H_S / lambda` is not positive definite, the solver stops at the direction that shows
//! it, with what it has.
//!
//! Differs from the authors' Hessian-free variant: the inner loop is gradient descent with a fixed step size.

use metastable_models::{Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adaptation::{Adaptation, Adapts};
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::error::require;
use crate::{Context, InnerLoop, Learner, MetaGradient, Result, Train};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "imaml",
    summary: "implicit MAML: the gradient at the end of the inner loop, by conjugate gradients",
    citation: "Rajeswaran, Finn, Kakade & Levine 2019, NeurIPS, arXiv 1909.04630",
    head: Head::Linear,
    complete: complete_steps::<ImamlConfig>,
    build,
};

/// Settings as a user writes them, unchecked. `lambda`, `cg_steps` and `inner_steps` are those of the paper's 5-way Omniglot (caption
/// of table 2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImamlConfig {
    /// Step size of the inner loop.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
    /// Strength of the pull back to theta.
    pub lambda: f64,
    /// Steps of the conjugate gradients; 0 takes the gradient at `phi*` as it is.
    pub cg_steps: usize,
}

impl Default for ImamlConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.1,
            inner_steps: 16,
            test_inner_steps: None,
            lambda: 2.0,
            cg_steps: 5,
        }
    }
}

/// Implicit MAML with checked settings. The network has a head with `n_way` outputs.
struct Imaml {
    adaptation: Adaptation,
    lambda: f64,
    cg_steps: usize,
}

impl Adapts for Imaml {
    fn adaptation(&self) -> &Adaptation {
        &self.adaptation
    }
}

impl<T: Real> Train<T> for Imaml {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let inner = self.adaptation.training(context)?;
        let descent = inner.adapt(theta)?;
        let mut queries = inner.query(&descent.phi, inner.n_steps)?;
        let b = queries.gradient()?;
        let mut supports = inner.support(&descent.phi, inner.n_steps)?;
        // (I + H_S / lambda) x = grad L_Q
        let product = |v: &Params<T>| -> Result<Params<T>> {
            let hessian_v = supports.hessian_product(v)?;
            Ok(v.plus(T::of(1.0 / self.lambda), &hessian_v))
        };
        let x = conjugate_gradients(b, self.cg_steps, product)?;
        Ok(MetaGradient::of(
            &*queries,
            context.task,
            x,
            descent.non_finite,
        ))
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        self.adaptation.query_loss(context, phi, labels)
    }
}

impl<T: Real> Learner<T> for Imaml {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(&self.adaptation)
    }
}

/// `A^-1 b` by at most `n_steps` conjugate gradients from `x = b` (Hestenes & Stiefel 1952); what there is where a direction has no
/// positive curvature, or nothing is left to solve.
fn conjugate_gradients<T: Real>(
    b: Params<T>,
    n_steps: usize,
    mut product: impl FnMut(&Params<T>) -> Result<Params<T>>,
) -> Result<Params<T>> {
    if n_steps == 0 {
        return Ok(b);
    }
    let mut residual = b.plus(T::of(-1.0), &product(&b)?);
    let mut x = b;
    let mut direction = residual.clone();
    let mut square = residual.dot(&residual);
    for _ in 0..n_steps {
        let image = product(&direction)?;
        let curvature = direction.dot(&image);
        // Stated so that NaN ends it too; what is not finite is seen by the trainer.
        let goes_on = square > 0.0 && curvature > 0.0;
        if !goes_on {
            break;
        }
        let step = T::of(square / curvature);
        x.add(step, &direction);
        residual.add(-step, &image);
        let next = residual.dot(&residual);
        direction.scale(T::of(next / square));
        direction.add(T::ONE, &residual);
        square = next;
    }
    Ok(x)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: ImamlConfig = parse_for(ENTRY.name, settings)?;
    require(
        config.cg_steps <= 1000,
        "cg_steps",
        config.cg_steps,
        "each is a Hessian product of a task; 5 is usual, 1000 the most",
    )?;
    let adaptation = Adaptation::new(config.inner_lr, config.inner_steps, config.test_inner_steps)?;
    Ok(Box::new(Imaml {
        adaptation: adaptation.near(config.lambda)?,
        lambda: config.lambda,
        cg_steps: config.cg_steps,
    }))
}
