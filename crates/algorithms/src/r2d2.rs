//! R2D2: the head of a task by ridge regression on its supports, in closed form.
//!
//! Bertinetto, Henriques, Torr & Vedaldi 2019, "Meta-learning with differentiable closed-form solvers", ICLR, arXiv 1805.08136,
//! section 3, equations 4 to 6.
//!
//! With the features `X` `(n, e)` of the supports and their one-hot labels `Y` `(n, N)`, by Woodbury's identity
//! `W = X^T (X X^T + lambda I)^-1 Y`, a system of as many equations as there are supports. The logits of a query are
//! `scale f(x) W + shift`, the loss their cross-entropy; `lambda`, `scale` and `shift` are learnt with the embedding.
//!
//! Backwards, with `A = X X^T + lambda I`, `B = A^-1 Y`, `G = dL/dW`, `H = A^-1 X G` and `M = H B^T`:
//! `dL/dX = B G^T - (M + M^T) X`, `dL/dlambda = -tr M`.
//!
//! Theta holds the network's parameters and, behind them, `ln(lambda)`, `scale` and `shift`, the first two less what the settings say:
//! all three begin at 0. Supports and queries pass through the network one after the other, as in [`crate::maml`].
//!
//! Differs from the paper: `lambda` is learnt through its logarithm, so that it stays positive; the scale begins at 10, with which
//! logits leave the flat part of the softmax at once; the embedding is the study's network.

use metastable_models::{Beside, Loss, Params, Pass, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::error::require;
use crate::features::pull_back;
use crate::small::{Cholesky, Matrix};
use crate::{
    Batch, Context, Differentiable, Learner, MetaGradient, Predict, Prediction, Result, Train,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "r2d2",
    summary: "R2D2: ridge regression on the supports, differentiated in closed form",
    citation: "Bertinetto, Henriques, Torr & Vedaldi 2019, ICLR, arXiv 1805.08136",
    head: Head::Beside(Beside::Numbers(N_LEARNT)),
    complete,
    build,
};

/// Numbers beside the network's parameters: logarithm of lambda, scale, shift.
const N_LEARNT: usize = 3;

/// Settings as a user writes them, unchecked: what the learnt numbers begin at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct R2d2Config {
    /// Strength of the ridge.
    pub lambda: f64,
    /// What multiplies the regression's outputs.
    pub scale: f64,
}

impl Default for R2d2Config {
    fn default() -> Self {
        Self {
            lambda: 1.0,
            scale: 10.0,
        }
    }
}

/// R2D2 with checked settings. The network has no head, and three numbers beside its parameters.
struct R2d2(R2d2Config);

/// The regression of one task, in double precision whatever the network's.
struct Ridge {
    /// Features of the supports, `(n, e)`.
    x: Matrix,
    /// Of `A = X X^T + lambda I`.
    factor: Cholesky,
    /// `A^-1 Y`, `(n, N)`.
    b: Matrix,
    /// `X^T B`, `(e, N)`.
    w: Matrix,
    lambda: f64,
    scale: f64,
    shift: f64,
}

impl R2d2 {
    fn ridge<T: Real>(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Ridge> {
        context.task.needs_classes("ridge regression on labels")?;
        let learnt = &theta.values()[theta.values().len() - N_LEARNT..];
        let [log, scale, shift] = [0, 1, 2].map(|at| learnt[at].wide());
        let task = context.task;
        let pass = Pass {
            inner_step: 0,
            statistics: context.statistics,
        };
        let features = context
            .network
            .outputs(theta, task.support_images(), pass)?;
        let labels = task.support_labels();
        let x = Matrix::of(labels.len(), features.iter().map(|it| it.wide()).collect());
        let lambda = self.0.lambda * log.exp();
        let mut a = x.times_transposed(&x);
        for row in 0..a.rows() {
            *a.at_mut(row, row) += lambda;
        }
        let mut y = Matrix::zeros(labels.len(), task.shape().n_way);
        for (row, label) in labels.iter().enumerate() {
            *y.at_mut(row, *label) = 1.0;
        }
        let factor = Cholesky::of(a);
        let b = factor.solve(&y);
        Ok(Ridge {
            w: x.transposed_times(&b),
            x,
            factor,
            b,
            lambda,
            scale: self.0.scale + scale,
            shift,
        })
    }

    /// The body of theta with the head of the task.
    fn phi<T: Real>(ridge: &Ridge, headed: &Context<'_, T>, theta: &Params<T>) -> Params<T> {
        let n_body = theta.values().len() - N_LEARNT;
        let n_way = headed.task.shape().n_way;
        let mut values = theta.values()[..n_body].to_vec();
        for class in 0..n_way {
            let rows = 0..ridge.w.rows();
            values.extend(rows.map(|at| T::of(ridge.scale * ridge.w.at(at, class))));
        }
        values.extend((0..n_way).map(|_| T::of(ridge.shift)));
        Params::from_values(headed.network.layout(), values)
    }
}

impl<T: Real> Predict<T> for R2d2 {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapted(context, theta)?;
        let queries = self.query_loss(context, &phi, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }

    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapted(context, theta)?;
        crate::adaptation::alone_at(&context.headed()?, &phi, 0)
    }
}

impl<T: Real> Train<T> for R2d2 {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let task = context.task;
        let headed = context.headed()?;
        let ridge = self.ridge(context, theta)?;
        let phi = Self::phi(&ridge, &headed, theta);
        let mut queries = headed.record(Loss::CrossEntropy, &phi, task.queries(), 0)?;
        let v = queries.gradient()?;
        let n_body = theta.values().len() - N_LEARNT;
        let (n_way, width) = (task.shape().n_way, ridge.w.rows());
        let (rows, biases) = v.values()[n_body..].split_at(n_way * width);
        // G = scale dL/d(head rows), (e, N)
        let (mut g, mut of_scale) = (Matrix::zeros(width, n_way), 0.0);
        for (class, row) in rows.chunks_exact(width).enumerate() {
            for (at, value) in row.iter().enumerate() {
                *g.at_mut(at, class) = ridge.scale * value.wide();
                of_scale += ridge.w.at(at, class) * value.wide();
            }
        }
        let of_shift: f64 = biases.iter().map(|it| it.wide()).sum();
        // H = A^-1 X G;  M = H B^T;  dL/dX = B G^T - (M + M^T) X;  dL/dlambda = -tr M
        let h = ridge.factor.solve(&ridge.x.times(&g));
        let m = h.times_transposed(&ridge.b);
        let of_lambda: f64 = -(0..m.rows()).map(|at| m.at(at, at)).sum::<f64>();
        let mut of_x = ridge.b.times_transposed(&g);
        of_x.subtract(&m.times(&ridge.x));
        of_x.subtract(&m.transposed_times(&ridge.x));
        let cotangents: Vec<T> = of_x.values().iter().map(|it| T::of(*it)).collect();
        let mut values = pull_back(context, &theta.values()[..n_body], &cotangents)?;
        for (own, direct) in values.iter_mut().zip(v.values()) {
            *own += *direct;
        }
        // d/d ln(lambda) = lambda d/d lambda
        values.extend([ridge.lambda * of_lambda, of_scale, of_shift].map(T::of));
        let gradient = Params::from_values(theta.layout(), values);
        Ok(MetaGradient::of(&*queries, task, gradient, None))
    }

    /// At parameters with the head that the regression gave.
    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let images = context.task.query_images();
        context
            .headed()?
            .record(Loss::CrossEntropy, phi, Batch { images, labels }, 0)
    }
}

impl<T: Real> Learner<T> for R2d2 {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }

    fn adapted(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let ridge = self.ridge(context, theta)?;
        Ok(Self::phi(&ridge, &context.headed()?, theta))
    }
}

impl<T: Real> Differentiable<T> for R2d2 {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let phi = self.adapted(context, &theta.plus(step, direction))?;
        Ok(self
            .query_loss(context, &phi, context.task.query_labels())?
            .loss())
    }
}

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(parse::<R2d2Config>(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: R2d2Config = parse_for(ENTRY.name, settings)?;
    for (name, value) in [("lambda", config.lambda), ("scale", config.scale)] {
        require(
            value.is_finite() && 0.0 < value,
            name,
            value,
            "what a learnt number begins at has to be finite and positive, e.g. 1",
        )?;
    }
    Ok(Box::new(R2d2(config)))
}
