//! MAML whose inner step sizes are learnt: what [`crate::meta_sgd`] and, with `learnt_rates`, [`crate::maml_pp`] are.
//!
//! `phi_{k+1} = phi_k - alpha_k * grad L_S(phi_k)`, with `*` elementwise and `alpha` learnt together with `phi_0`. The meta-gradient is
//! exact: `v_K = grad L_Q(phi_K)`, and backwards `dL/dalpha_k <- dL/dalpha_k - grad L_S(phi_k) * v_{k+1}`,
//! `v_k = v_{k+1} - H_S(phi_k) (alpha_k * v_{k+1})`.

use metastable_models::{Loss, Params, Real, Tape};

use crate::adaptation::{Adaptation, alone_at};
use crate::annealing::Annealing;
use crate::inner::{GradientDescent, first_bad_weight};
use crate::maml::GradientOrder;
use crate::rates::{Parts, Sharing, times};
use crate::{
    Batch, Context, Curve, Differentiable, InnerLoop, Learner, MetaGradient, NonFinite, Predict,
    Prediction, Result, Train,
};

/// Such a learner with checked settings. The network has a head with `n_way` outputs, and beside its parameters the rates.
pub(crate) struct Rated {
    /// As written in a study.
    pub(crate) name: &'static str,
    pub(crate) sharing: Sharing,
    /// What every rate is before the first outer step.
    pub(crate) inner_lr: f64,
    pub(crate) adaptation: Adaptation,
    pub(crate) annealing: Annealing,
}

impl Rated {
    /// The descent on a task in the layout of fast weights, of which it takes gradients alone.
    fn descent<'a, T: Real>(&self, context: &Context<'a, T>) -> Result<GradientDescent<'a, T>> {
        context.task.needs_classes(self.name)?;
        // Refuses another number of classes than the head has.
        let checked = self.adaptation.training(context)?;
        Ok(GradientDescent {
            context: context.headed()?,
            ..checked
        })
    }

    fn parts<T: Real>(&self, inner: &GradientDescent<'_, T>, theta: &Params<T>) -> Parts<T> {
        let layout = inner.context.network.layout();
        Parts::of(self.sharing, self.inner_lr, layout, theta)
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
            parts.step(&mut phi, k, &gradient);
        }
        Ok(phi)
    }

    /// The gradient of `sum_k w_k L_Q(phi_k)`; of `L_Q(phi_K)` without weights.
    fn gradient<T: Real>(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        order: GradientOrder,
        weights: Option<&[f64]>,
    ) -> Result<MetaGradient<T>> {
        let inner = self.descent(context)?;
        let parts = self.parts(&inner, theta);
        let mut non_finite = None;
        let mut phi = parts.start.clone();
        let mut steps = Vec::with_capacity(inner.n_steps);
        for k in 0..inner.n_steps {
            let mut tape = inner.support(&phi, k)?;
            if non_finite.is_none() && !tape.loss().is_finite() {
                let loss = NonFinite::SupportLoss { inner_step: k };
                non_finite = Some(first_bad_weight(&phi, k).unwrap_or(loss));
            }
            let gradient = tape.gradient()?;
            parts.step(&mut phi, k, &gradient);
            steps.push((tape, gradient, weights.map(|_| phi.clone())));
        }
        let non_finite = non_finite.or_else(|| first_bad_weight(&phi, inner.n_steps));
        let weight = |k: usize| weights.map_or(T::ONE, |weights| T::of(weights[k - 1]));
        // v = w_K grad L_Q(phi_K)
        let mut queries = inner.query(&phi, inner.n_steps)?;
        let mut v = queries.gradient()?;
        if weights.is_some() {
            let unweighted = std::mem::replace(&mut v, Params::zeros(parts.start.layout()));
            v.add(weight(inner.n_steps), &unweighted);
        }
        let mut of_rates = parts.no_gradient();
        while let Some((mut tape, gradient, _)) = steps.pop() {
            let k = steps.len();
            parts.pull_back(&mut of_rates, k, &gradient, &v);
            if order == GradientOrder::Second {
                let curved = tape.hessian_product(&times(parts.rates(k), &v))?;
                v.add(-T::ONE, &curved);
            }
            // `phi_k` is where the step before ended.
            if let Some((_, _, Some(phi))) = steps.last() {
                v.add(weight(k), &inner.query(phi, k)?.gradient()?);
            }
        }
        let gradient = [v.values(), &of_rates].concat();
        let gradient = Params::from_values(theta.layout(), gradient);
        Ok(MetaGradient::of(
            &*queries,
            context.task,
            gradient,
            non_finite,
        ))
    }
}

impl<T: Real> Predict<T> for Rated {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapt(context, theta)?;
        let queries = self.query_loss(context, &phi, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }

    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapt(context, theta)?;
        let headed = self.descent(context)?.context;
        alone_at(&headed, &phi, InnerLoop::<T>::test_steps(self))
    }
}

impl<T: Real> Train<T> for Rated {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        self.gradient(context, theta, GradientOrder::Second, None)
    }

    fn meta_gradient_at(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        made: usize,
    ) -> Result<MetaGradient<T>> {
        let weights = self
            .annealing
            .weights(InnerLoop::<T>::train_steps(self), made);
        let order = self.annealing.order(made);
        self.gradient(context, theta, order, weights.as_deref())
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
        headed.record(Loss::CrossEntropy, phi, Batch { images, labels }, n_steps)
    }
}

impl<T: Real> Learner<T> for Rated {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(self)
    }

    /// Of the loss after annealing.
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }
}

impl<T: Real> Differentiable<T> for Rated {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let inner = self.descent(context)?;
        let theta = theta.plus(step, direction);
        let parts = self.parts(&inner, &theta);
        let phi = Self::adapted_by(&inner, &parts, inner.n_steps)?;
        Ok(inner.query(&phi, inner.n_steps)?.loss())
    }
}

impl<T: Real> InnerLoop<T> for Rated {
    fn train_steps(&self) -> usize {
        InnerLoop::<T>::train_steps(&self.adaptation)
    }

    fn test_steps(&self) -> usize {
        InnerLoop::<T>::test_steps(&self.adaptation)
    }

    fn adapt(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let inner = self.descent(context)?;
        let parts = self.parts(&inner, theta);
        Self::adapted_by(&inner, &parts, InnerLoop::<T>::test_steps(self))
    }

    fn start(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let inner = self.descent(context)?;
        Ok(self.parts(&inner, theta).start)
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
        let parts = self.parts(&inner, theta);
        inner.curve_by(parts.start.clone(), n_steps, |phi, k, mut support| {
            let mut next = phi.clone();
            parts.step(&mut next, k, &support.gradient()?);
            Ok(next)
        })
    }
}
