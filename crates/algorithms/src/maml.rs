//! Model-agnostic meta-learning with the exact meta-gradient.
//!
//! Finn, Abbeel & Levine 2017, "Model-agnostic meta-learning for fast adaptation of deep networks", ICML,
//! arXiv 1703.03400, algorithm 2.
//!
//! Differs from the paper: it writes one inner step; here are any number, each on the whole support set.

use metastable_models::{Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adaptation::{Adaptation, Adapts};
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::{
    Context, Differentiable, HeadStart, InnerLoop, Learner, MetaGradient, Moves, Result, Train,
    Trajectory,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "maml",
    summary: "MAML, exact second-order meta-gradient",
    citation: "Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400",
    head: Head::Linear,
    complete: complete_steps::<MamlConfig>,
    build,
};

/// Whether the meta-gradient contains the Hessians of the support loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GradientOrder {
    /// They are dropped: `d phi_K / d theta` is taken for the identity (FOMAML).
    First,
    /// Exact.
    Second,
}

/// Settings of MAML as a user writes them, unchecked. The defaults are those of the authors' code for 5-way Omniglot,
/// but for the steps at test (3 there).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MamlConfig {
    /// Step size of the inner loop, alpha.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
    /// What the inner loop keeps for the meta-gradient; memory against time, the same bits.
    pub trajectory: Trajectory,
    /// Where the head starts in each task: `linear` is learnt and bound to one way, `prototypes` (Proto-MAML) and `tied` (UNICORN) know
    /// any.
    pub head: HeadStart,
}

impl Default for MamlConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.4,
            inner_steps: 1,
            test_inner_steps: None,
            trajectory: Trajectory::Auto,
            head: HeadStart::Linear,
        }
    }
}

impl MamlConfig {
    /// The learner with these settings.
    ///
    /// # Errors
    /// [`crate::AlgorithmError::Setting`] unless `inner_lr` is finite and not negative.
    pub fn validate(&self, order: GradientOrder) -> Result<Maml> {
        let adaptation = Adaptation::new(self.inner_lr, self.inner_steps, self.test_inner_steps)?
            .keeping(self.trajectory)
            .starting(self.head);
        Ok(Maml { adaptation, order })
    }
}

/// MAML with checked settings. The network has a head with `n_way` outputs, or what [`HeadStart`] asks for.
#[derive(Clone, Debug)]
pub struct Maml {
    adaptation: Adaptation,
    order: GradientOrder,
}

impl Maml {
    /// The same, of which the inner loop moves other tensors.
    #[must_use]
    pub fn moving(self, moves: Moves) -> Self {
        let adaptation = self.adaptation.moving(moves);
        Self { adaptation, ..self }
    }
}

impl Adapts for Maml {
    fn adaptation(&self) -> &Adaptation {
        &self.adaptation
    }
}

impl<T: Real> Train<T> for Maml {
    /// `d L_Q(phi_K) / d theta` with `phi_0 = theta`, `phi_{k+1} = phi_k - alpha grad L_S(phi_k)`.
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let inner = self.adaptation.training(context)?;
        // phi_{k+1} = phi_k - alpha grad L_S(phi_k)
        let mut descent = match self.order {
            GradientOrder::First => inner.adapt(theta)?,
            GradientOrder::Second => {
                inner.adapt_for_adjoint(theta, self.adaptation.trajectory())?
            }
        };
        // v = grad L_Q(phi_K)
        let mut queries = inner.query(&descent.phi, inner.n_steps)?;
        let v = queries.gradient()?;
        let non_finite = descent.non_finite.take();
        let at_phi = MetaGradient::of(&*queries, context.task, v, non_finite);
        drop(queries);
        // v <- v - alpha H_S(phi_k) v,  k = K-1 .. 0
        Ok(MetaGradient {
            gradient: inner.pull_back(descent, at_phi.gradient)?,
            ..at_phi
        })
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

impl<T: Real> Learner<T> for Maml {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(&self.adaptation)
    }

    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }
}

impl<T: Real> Differentiable<T> for Maml {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let inner = self.adaptation.training(context)?;
        let phi = match self.order {
            GradientOrder::First => {
                let phi = inner.adapt(theta)?.phi;
                if self.adaptation.head() == HeadStart::Linear {
                    phi.plus(step, direction)
                } else {
                    // What is differentiated by is where the descent starts; its steps stay what they were.
                    let (here, there) = (
                        inner.start(theta)?,
                        inner.start(&theta.plus(step, direction))?,
                    );
                    phi.plus(T::ONE, &there).plus(T::of(-1.0), &here)
                }
            }
            GradientOrder::Second => inner.adapt(&theta.plus(step, direction))?.phi,
        };
        Ok(inner.query(&phi, inner.n_steps)?.loss())
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: MamlConfig = parse_for(ENTRY.name, settings)?;
    Ok(Box::new(config.validate(GradientOrder::Second)?))
}
