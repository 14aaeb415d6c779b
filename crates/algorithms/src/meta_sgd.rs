//! Meta-SGD: MAML whose inner step sizes are learnt, one for each parameter.
//!
//! Li, Zhou, Chen & Li 2017, "Meta-SGD: learning to learn quickly for few-shot learning", arXiv 1707.09835, equation 2 and algorithm 1.
//!
//! `phi_{k+1} = phi_k - alpha * grad L_S(phi_k)`, with `*` elementwise and `alpha` learnt together with `phi_0`. The meta-gradient is
//! exact: `v_K = grad L_Q(phi_K)`, and backwards `dL/dalpha <- dL/dalpha - grad L_S(phi_k) * v_{k+1}`,
//! `v_k = v_{k+1} - H_S(phi_k) (alpha * v_{k+1})`.
//!
//! Theta holds the network's parameters and, behind them, `alpha - inner_lr`, which begins at 0. An optimizer step changes this offset as
//! it would change the rate itself, and another `inner_lr` at test shifts every rate. Until a rate has moved, Meta-SGD is MAML.
//!
//! Differs from the paper: all rates begin at `inner_lr` (there drawn uniformly from 0.005 to 0.1), and any number of inner steps can
//! be made (one there), which share their rates.

use std::sync::Arc;

use metastable_models::{Beside, Layout, Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adaptation::Adaptation;
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::inner::{GradientDescent, first_bad_weight};
use crate::{
    Context, Curve, Differentiable, InnerLoop, Learner, MetaGradient, NonFinite, Predict,
    Prediction, Result, Train,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "meta-sgd",
    summary: "Meta-SGD: MAML with a learnt inner step size for each parameter",
    citation: "Li, Zhou, Chen & Li 2017, arXiv 1707.09835",
    head: Head::Beside(Beside::Copy),
    complete: complete_steps::<MetaSgdConfig>,
    build,
};

/// Settings as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetaSgdConfig {
    /// What every inner step size is before the first outer step.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
}

impl Default for MetaSgdConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.05,
            inner_steps: 1,
            test_inner_steps: None,
        }
    }
}

/// Meta-SGD with checked settings. The network has a head with `n_way` outputs, and beside its parameters as many rates.
struct MetaSgd {
    inner_lr: f64,
    adaptation: Adaptation,
}

/// Theta in its two parts.
struct Parts<T> {
    /// `phi_0`.
    start: Params<T>,
    /// In the same layout.
    rates: Params<T>,
}

impl MetaSgd {
    /// The descent on a task in the layout of fast weights, of which it takes gradients alone.
    fn descent<'a, T: Real>(&self, context: &Context<'a, T>) -> Result<GradientDescent<'a, T>> {
        context.task.needs_classes("meta-sgd")?;
        // Refuses another number of classes than the head has.
        let checked = self.adaptation.training(context)?;
        Ok(GradientDescent {
            context: context.headed()?,
            ..checked
        })
    }

    fn parts<T: Real>(&self, layout: &Arc<Layout>, theta: &Params<T>) -> Parts<T> {
        let n_values = layout.n_values();
        let inner_lr = T::of(self.inner_lr);
        let (start, beside) = theta.values().split_at(n_values.min(theta.values().len()));
        let rates = beside.iter().map(|offset| inner_lr + *offset);
        Parts {
            start: Params::from_values(layout, start.to_vec()),
            rates: Params::from_values(layout, rates.collect()),
        }
    }

    /// `phi_K` after so many steps, without what an adjoint needs.
    fn adapted_by<T: Real>(
        inner: &GradientDescent<'_, T>,
        parts: &Parts<T>,
        n_steps: usize,
    ) -> Result<Params<T>> {
        let mut phi = parts.start.clone();
        for k in 0..n_steps {
            let gradient = inner.support(&phi, k)?.gradient()?;
            step(&mut phi, &parts.rates, &gradient);
        }
        Ok(phi)
    }
}

/// `phi <- phi - alpha * gradient`.
fn step<T: Real>(phi: &mut Params<T>, rates: &Params<T>, gradient: &Params<T>) {
    phi.add(-T::ONE, &times(rates, gradient));
}

/// `a * b`, elementwise.
fn times<T: Real>(a: &Params<T>, b: &Params<T>) -> Params<T> {
    let values = a.values().iter().zip(b.values()).map(|(a, b)| *a * *b);
    Params::from_values(a.layout(), values.collect())
}

impl<T: Real> Predict<T> for MetaSgd {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapt(context, theta)?;
        let queries = self.query_loss(context, &phi, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }

    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapt(context, theta)?;
        let headed = self.descent(context)?.context;
        let n_steps = InnerLoop::<T>::test_steps(self);
        crate::adaptation::alone_at(&headed, &phi, n_steps)
    }
}

impl<T: Real> Train<T> for MetaSgd {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let inner = self.descent(context)?;
        let parts = self.parts(inner.context.network.layout(), theta);
        let mut non_finite = None;
        let mut phi = parts.start.clone();
        let mut steps = Vec::with_capacity(inner.n_steps);
        for k in 0..inner.n_steps {
            // phi_{k+1} = phi_k - alpha * grad L_S(phi_k)
            let mut tape = inner.support(&phi, k)?;
            if non_finite.is_none() && !tape.loss().is_finite() {
                let loss = NonFinite::SupportLoss { inner_step: k };
                non_finite = Some(first_bad_weight(&phi, k).unwrap_or(loss));
            }
            let gradient = tape.gradient()?;
            step(&mut phi, &parts.rates, &gradient);
            steps.push((tape, gradient));
        }
        let non_finite = non_finite.or_else(|| first_bad_weight(&phi, inner.n_steps));
        // v = grad L_Q(phi_K)
        let mut queries = inner.query(&phi, inner.n_steps)?;
        let mut v = queries.gradient()?;
        let mut of_rates = Params::zeros(v.layout());
        while let Some((mut tape, gradient)) = steps.pop() {
            // dL/dalpha <- dL/dalpha - grad L_S(phi_k) * v;  v <- v - H_S(phi_k) (alpha * v)
            of_rates.add(-T::ONE, &times(&gradient, &v));
            let curved = tape.hessian_product(&times(&parts.rates, &v))?;
            v.add(-T::ONE, &curved);
        }
        let gradient = [v.values(), of_rates.values()].concat();
        let gradient = Params::from_values(theta.layout(), gradient);
        Ok(MetaGradient::of(
            &*queries,
            context.task,
            gradient,
            non_finite,
        ))
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let headed = self.descent(context)?.context;
        let images = context.task.query_images();
        let n_steps = InnerLoop::<T>::test_steps(self);
        headed.record(
            metastable_models::Loss::CrossEntropy,
            phi,
            crate::Batch { images, labels },
            n_steps,
        )
    }
}

impl<T: Real> Learner<T> for MetaSgd {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(self)
    }

    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }
}

impl<T: Real> Differentiable<T> for MetaSgd {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let inner = self.descent(context)?;
        let theta = theta.plus(step, direction);
        let parts = self.parts(inner.context.network.layout(), &theta);
        let phi = Self::adapted_by(&inner, &parts, inner.n_steps)?;
        Ok(inner.query(&phi, inner.n_steps)?.loss())
    }
}

impl<T: Real> InnerLoop<T> for MetaSgd {
    fn train_steps(&self) -> usize {
        InnerLoop::<T>::train_steps(&self.adaptation)
    }

    fn test_steps(&self) -> usize {
        InnerLoop::<T>::test_steps(&self.adaptation)
    }

    fn adapt(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let inner = self.descent(context)?;
        let parts = self.parts(inner.context.network.layout(), theta);
        Self::adapted_by(&inner, &parts, InnerLoop::<T>::test_steps(self))
    }

    fn start(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let inner = self.descent(context)?;
        Ok(self.parts(inner.context.network.layout(), theta).start)
    }

    fn support_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        inner_step: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        self.descent(context)?.support(phi, inner_step)
    }

    fn curve(&self, context: &Context<'_, T>, theta: &Params<T>, n_steps: usize) -> Result<Curve> {
        let inner = self.descent(context)?;
        let parts = self.parts(inner.context.network.layout(), theta);
        inner.curve_by(parts.start, n_steps, |phi, _, mut support| {
            let mut next = phi.clone();
            step(&mut next, &parts.rates, &support.gradient()?);
            Ok(next)
        })
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: MetaSgdConfig = parse_for(ENTRY.name, settings)?;
    let adaptation = Adaptation::new(config.inner_lr, config.inner_steps, config.test_inner_steps)?;
    Ok(Box::new(MetaSgd {
        inner_lr: config.inner_lr,
        adaptation,
    }))
}
