//! Adaptation by gradient steps on the supports, judged by a head: what MAML and its relatives share.
//!
//! They differ in the outer direction ([`crate::maml`], [`crate::fomaml`], [`crate::reptile`], [`crate::imaml`]) and in what moves
//! ([`crate::anil`], [`crate::boil`]).

use metastable_models::{Loss, Params, Real, Tape};

use crate::error::require;
use crate::inner::GradientDescent;
use crate::{
    Anatomy, Batch, Context, Curve, HeadStart, InnerLoop, Moves, Predict, Prediction, Result,
    Trajectory,
};

/// Gradient descent on the support loss with checked settings. The network has a head with `n_way` outputs, or what [`HeadStart`] asks
/// for.
#[derive(Clone, Debug)]
pub struct Adaptation {
    inner_lr: f64,
    train_steps: usize,
    test_steps: usize,
    trajectory: Trajectory,
    moves: Moves,
    batch: Option<usize>,
    head: HeadStart,
    proximity: Option<f64>,
}

impl Adaptation {
    /// `train_steps` steps of size `inner_lr`, as many at test if none are given.
    ///
    /// # Errors
    /// [`crate::AlgorithmError::Setting`] unless `inner_lr` is finite and not negative.
    pub fn new(inner_lr: f64, train_steps: usize, test_steps: Option<usize>) -> Result<Self> {
        require(
            inner_lr.is_finite() && 0.0 <= inner_lr,
            "inner_lr",
            inner_lr,
            "the inner step size has to be finite and not negative, e.g. 0.4",
        )?;
        Ok(Self {
            inner_lr,
            train_steps,
            test_steps: test_steps.unwrap_or(train_steps),
            trajectory: Trajectory::Auto,
            moves: Moves::All,
            batch: None,
            head: HeadStart::Linear,
            proximity: None,
        })
    }

    /// The same whose head starts otherwise.
    #[must_use]
    pub fn starting(self, head: HeadStart) -> Self {
        Self { head, ..self }
    }

    /// How its head starts.
    pub(crate) fn head(&self) -> HeadStart {
        self.head
    }

    /// The same that moves other tensors.
    #[must_use]
    pub fn moving(self, moves: Moves) -> Self {
        Self { moves, ..self }
    }

    /// The same with `size` images a step, taken in turn; the support loss that is asked for stays that of all.
    ///
    /// # Errors
    /// [`crate::AlgorithmError::Setting`] if `size` is 0.
    pub fn in_batches(self, size: usize) -> Result<Self> {
        let advice = "an inner step needs an image";
        require(0 < size, "inner_batch", size, advice)?;
        let batch = Some(size);
        Ok(Self { batch, ..self })
    }

    /// The same whose steps descend `lambda |phi - theta|^2 / 2` too. Such a descent has no adjoint here.
    ///
    /// # Errors
    /// [`crate::AlgorithmError::Setting`] unless `lambda` is finite and positive.
    pub fn near(self, lambda: f64) -> Result<Self> {
        let advice = "it pulls the adapted parameters back to theta and has to be finite and positive, e.g. 2";
        let holds = lambda.is_finite() && 0.0 < lambda;
        require(holds, "lambda", lambda, advice)?;
        let proximity = Some(lambda);
        Ok(Self { proximity, ..self })
    }

    /// The same that keeps something else for its adjoint.
    #[must_use]
    pub fn keeping(self, trajectory: Trajectory) -> Self {
        Self { trajectory, ..self }
    }

    /// What the inner loop keeps for its adjoint.
    pub(crate) fn trajectory(&self) -> Trajectory {
        self.trajectory
    }

    /// The descent on a task with the settings of training.
    pub(crate) fn training<'a, T: Real>(
        &self,
        context: &Context<'a, T>,
    ) -> Result<GradientDescent<'a, T>> {
        self.descent(context, self.train_steps)
    }

    fn descent<'a, T: Real>(
        &self,
        context: &Context<'a, T>,
        n_steps: usize,
    ) -> Result<GradientDescent<'a, T>> {
        Ok(GradientDescent {
            context: self.head.context(context)?,
            outer: *context,
            head: self.head,
            inner_lr: T::of(self.inner_lr),
            n_steps,
            moves: self.moves,
            batch: self.batch,
            proximity: self.proximity.map(T::of),
        })
    }

    /// See [`crate::Train::query_loss`].
    pub(crate) fn query_loss<'a, T: Real>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let images = context.task.query_images();
        let batch = Batch { images, labels };
        let context = self.head.context(context)?;
        context.record(context.task.head_loss(), phi, batch, self.test_steps)
    }
}

/// A learner that predicts as its [`Adaptation`] does.
pub trait Adapts: Send + Sync {
    /// Its adaptation.
    fn adaptation(&self) -> &Adaptation;
}

impl<L: Adapts, T: Real> Predict<T> for L {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let own = self.adaptation();
        let phi = own.adapt(context, theta)?;
        let queries = own.query_loss(context, &phi, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }

    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        context
            .task
            .needs_classes("a prediction of one query at a time")?;
        let own = self.adaptation();
        let phi = own.adapt(context, theta)?;
        alone_at(&own.head.context(context)?, &phi, own.test_steps)
    }
}

/// Each query by itself at adapted parameters, with the supports and without the other queries; `headed` is the task before the network
/// whose head fits it.
pub(crate) fn alone_at<T: Real>(
    headed: &Context<'_, T>,
    phi: &Params<T>,
    inner_step: usize,
) -> Result<Prediction<T>> {
    let n_way = headed.task.shape().n_way;
    Prediction::one_by_one(headed.task, |single| {
        // Supports and the one query, all judged; the query's row is the last.
        let labels = [single.support_labels(), single.query_labels()].concat();
        let batch = Batch {
            images: single.images(),
            labels: &labels,
        };
        let tape = headed.record(Loss::CrossEntropy, phi, batch, inner_step)?;
        let rows = tape.log_probabilities();
        Ok(rows[rows.len() - n_way..].to_vec())
    })
}

impl<T: Real> InnerLoop<T> for Adaptation {
    fn train_steps(&self) -> usize {
        self.train_steps
    }

    fn test_steps(&self) -> usize {
        self.test_steps
    }

    fn adapt(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        Ok(self.descent(context, self.test_steps)?.adapt(theta)?.phi)
    }

    fn start(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        self.head.start(context, theta)
    }

    fn support_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        inner_step: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let context = self.head.context(context)?;
        let task = context.task;
        context.record(task.head_loss(), phi, task.supports(), inner_step)
    }

    fn curve(&self, context: &Context<'_, T>, theta: &Params<T>, n_steps: usize) -> Result<Curve> {
        self.descent(context, n_steps)?.curve(theta)
    }

    fn step_on(
        &self,
        context: &Context<'_, T>,
        phi: &Params<T>,
        batch: Batch<'_, T>,
        share: f64,
    ) -> Result<Option<Params<T>>> {
        // What pulls back to theta needs theta in the layout of the stream's network.
        if self.proximity.is_some() {
            return Ok(None);
        }
        let mut tape = context.record(context.task.head_loss(), phi, batch, 0)?;
        let mut gradient = tape.gradient()?;
        self.moves.project(&mut gradient);
        Ok(Some(phi.plus(T::of(-share * self.inner_lr), &gradient)))
    }

    fn anatomy(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Option<Anatomy<T>>> {
        if self.proximity.is_some() {
            return Ok(None);
        }
        let inner = self.training(context)?;
        let descent = inner.adapt_for_adjoint(theta, self.trajectory)?;
        let start = inner.start(theta)?;
        let displacement = descent.phi.plus(T::of(-1.0), &start);
        let at_phi = inner.query(&descent.phi, self.train_steps)?.gradient()?;
        let [support, query] = [
            inner.support(&start, 0)?.gradient()?,
            inner.query(&start, 0)?.gradient()?,
        ];
        Ok(Some(Anatomy {
            support: inner.at_theta(&start, support)?,
            query: inner.at_theta(&start, query)?,
            displacement: self.head.shared(theta, displacement),
            exact: inner.pull_back(descent, at_phi.clone())?,
            first_order: inner.at_theta(&start, at_phi)?,
        }))
    }
}
