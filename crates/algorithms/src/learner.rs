//! What a meta-learner is: it predicts the queries of a task, and says where the outer loop should go. What else it can
//! do, it claims; a certificate ([`crate::check`]) holds each claim that is made against the learner, and no other.
//!
//! A newcomer starts here, then reads [`crate::maml`].

use metastable_models::{Params, Real, Tape};

use crate::prediction::n_correct;
use crate::{Batch, Context, Curve, Prediction, Result, Targets, Task};

/// From a task to class probabilities of its queries.
pub trait Predict<T: Real>: Send + Sync {
    /// Class probabilities of the queries after adaptation to the supports, with the settings for test.
    ///
    /// # Errors
    /// [`crate::AlgorithmError::Ways`] where a head does not fit the task; errors of the network. Non-finite values are no
    /// error: they are in the prediction.
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>>;

    /// The same, but each query by itself, with the supports and without the other queries: what batch statistics take
    /// from other queries is not there (inductive, as in the code of Nichol et al. 2018). Unless a learner knows better,
    /// it predicts as many tasks of one query.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        Prediction::one_by_one(context.task, |single| {
            Ok(self.predict(&context.of(single), theta)?.log_probabilities)
        })
    }
}

/// From a task to what the outer optimizer descends.
pub trait Train<T: Real>: Send + Sync {
    /// Loss of the queries after adaptation, and the direction that the outer optimizer descends: the loss's gradient
    /// with respect to `theta` if the learner claims so ([`Learner::differentiable`]).
    ///
    /// # Errors
    /// As for [`Predict::predict`]. Non-finite values are no error: see [`MetaGradient::non_finite`].
    fn meta_gradient(&self, context: &Context<'_, T>, theta: &Params<T>)
    -> Result<MetaGradient<T>>;

    /// The same after `made` outer steps, for a learner whose training changes over time; once it no longer
    /// changes, this is [`Self::meta_gradient`], which is what certificates check.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn meta_gradient_at(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        _made: usize,
    ) -> Result<MetaGradient<T>> {
        self.meta_gradient(context, theta)
    }

    /// Loss of the queries under `labels` at adapted parameters `phi` (see [`Learner::adapted`]), kept for derivatives.
    /// The task's own labels are [`Task::query_labels`]; labels drawn from the predictions give the Fisher information.
    ///
    /// # Errors
    /// As for [`Predict::predict`]; labels that do not fit the task.
    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>>;
}

/// A meta-learner with checked settings: it predicts, it trains, and it claims what else it can do. It holds no state, so
/// one value serves every task and thread.
pub trait Learner<T: Real>: Predict<T> + Train<T> {
    /// The claim to adapt in steps.
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        None
    }

    /// The claim that [`MetaGradient::gradient`] is the gradient of a loss. Without it, it is a direction that the outer
    /// optimizer descends, and a certificate does not hold it against differences.
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        None
    }

    /// Parameters after adaptation to the supports with the settings for test: `phi_K`, or theta itself for a learner
    /// without an inner loop.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn adapted(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        match self.inner_loop() {
            Some(inner) => inner.adapt(context, theta),
            None => Ok(theta.clone()),
        }
    }
}

/// The claim of a learner that it adapts its parameters to the supports, step by step.
pub trait InnerLoop<T: Real>: Send + Sync {
    /// Inner steps in training, K.
    fn train_steps(&self) -> usize;

    /// Inner steps at validation and test.
    fn test_steps(&self) -> usize;

    /// `phi_K`, with the settings for test.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn adapt(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>>;

    /// `phi_0`: theta, or theta with the head that the task gives it, in the layout of the fast weights.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn start(&self, _context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        Ok(theta.clone())
    }

    /// Loss of all supports at `phi`, `inner_step` steps into the inner loop, kept for derivatives.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn support_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        inner_step: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>>;

    /// Losses and accuracy after `0 ..= n_steps` inner steps.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn curve(&self, context: &Context<'_, T>, theta: &Params<T>, n_steps: usize) -> Result<Curve>;

    /// Fast weights after one step on a batch alone, with `share` of this loop's step size: what the loop does on a stream, where supports
    /// come one at a time. `phi - share alpha M grad L(phi; batch)`, in the layout of `phi`, which is that of `context.network`; its head
    /// has a row for each class of the task. None for a loop whose steps are not all alike.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn step_on(
        &self,
        _context: &Context<'_, T>,
        _phi: &Params<T>,
        _batch: Batch<'_, T>,
        _share: f64,
    ) -> Result<Option<Params<T>>> {
        Ok(None)
    }

    /// The directions that MAML and its relatives differ in, on one task with the settings of training; none for an
    /// inner loop whose adjoint is not known.
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn anatomy(&self, _context: &Context<'_, T>, _theta: &Params<T>) -> Result<Option<Anatomy<T>>> {
        Ok(None)
    }
}

/// The claim of a learner that its outer direction is the gradient of a loss.
pub trait Differentiable<T: Real>: Send + Sync {
    /// The query loss of which [`Train::meta_gradient`] is the derivative, with what it is differentiated by moved by
    /// `step * direction`: theta, from which the inner loop starts, or the adapted parameters for a learner that
    /// differentiates there. Central differences of it check the meta-gradient ([`crate::check`]).
    ///
    /// # Errors
    /// As for [`Predict::predict`].
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T>;
}

/// What one task contributes to an outer step.
#[derive(Clone, Debug)]
pub struct MetaGradient<T> {
    /// Mean negative log-likelihood of the queries after adaptation, in nats; of numbers their mean squared error.
    pub query_loss: T,
    /// Queries whose most probable class is their label.
    pub n_correct: usize,
    /// Queries that can be right; none of numbers.
    pub n_queries: usize,
    /// The direction that the outer optimizer descends: for a learner that claims [`Differentiable`], the gradient of the
    /// query loss with respect to theta.
    pub gradient: Params<T>,
    /// Batch statistics of the pass that judged the queries, in the layout of [`metastable_models::Network::buffers`].
    pub statistics: Params<T>,
    /// What was first not finite on the way to the query loss, that loss included.
    pub non_finite: Option<NonFinite>,
}

impl<T: Real> MetaGradient<T> {
    /// What the pass that judged the queries says, with an outer direction and what was first not finite before that pass.
    pub fn of(
        queries: &dyn Tape<T>,
        task: &Task<T>,
        gradient: Params<T>,
        non_finite: Option<NonFinite>,
    ) -> Self {
        let (query_loss, labels) = (queries.loss(), task.query_labels());
        let spoilt = (!query_loss.is_finite()).then_some(NonFinite::QueryLoss);
        Self {
            query_loss,
            n_correct: n_correct(queries.log_probabilities(), task.shape().n_way, labels),
            n_queries: match task.targets() {
                Targets::Classes => labels.len(),
                Targets::Values(_) => 0,
            },
            gradient,
            statistics: queries.statistics(),
            non_finite: non_finite.or(spoilt),
        }
    }
}

/// The ways from theta that one task knows, for a learner with an inner loop.
#[derive(Clone, Debug)]
pub struct Anatomy<T> {
    /// Gradient of the support loss at theta.
    pub support: Params<T>,
    /// Gradient of the query loss at theta, before any adaptation.
    pub query: Params<T>,
    /// `phi_K - phi_0`; of a head that follows the task what theta has of it ([`crate::HeadStart`]).
    pub displacement: Params<T>,
    /// `grad L_Q(phi_K)`: the meta-gradient of first-order MAML.
    pub first_order: Params<T>,
    /// `d L_Q(phi_K) / d theta`: that of MAML.
    pub exact: Params<T>,
}

/// A value of one task that was NaN or infinite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NonFinite {
    /// The support loss after that many inner steps; the fast weights at which it was taken are finite.
    SupportLoss {
        /// Inner steps made.
        inner_step: usize,
    },
    /// A tensor of the fast weights after that many inner steps.
    FastWeights {
        /// Name of the tensor.
        tensor: String,
        /// Inner steps made.
        inner_step: usize,
    },
    /// The query loss.
    QueryLoss,
}
