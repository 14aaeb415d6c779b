//! Where a gradient learner's classifier starts: at its own rows, at the prototypes of the task, or at one row for all classes.
//!
//! A *linear* head has a row for each label, learnt with the rest, and is bound to one number of classes. The others know any:
//!
//! - *prototypes* (Proto-MAML): `w_k = 2 c_k`, `b_k = -|c_k|^2`, with `c_k` the mean feature of the supports of class `k` at theta, so
//!   that before any step the network is a Prototypical Network. Theta has no head; the meta-gradient flows through `c_k`.
//!   Triantafillou et al. 2020, "Meta-Dataset", ICLR, arXiv 1903.03096, section 4.
//! - *tied* (UNICORN-MAML): one row `w` and one bias, learnt, are copied for each class. What a copy's gradient is, the row's is in sum.
//!   No label stands out, so that the order of the classes cannot matter. Ye & Chao 2022, "How to train your MAML to excel in few-shot
//!   classification", ICLR, arXiv 2106.16245, section 5.
//!
//! Theta and the fast weights then have different layouts: equal before the head, which comes last.

use std::sync::Arc;

use metastable_models::{Layout, Loss, Params, Pass, Real};
use serde::{Deserialize, Serialize};

use crate::{AlgorithmError, Batch, Context, Result, Task};

/// The start of the head in each task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadStart {
    /// A learnt row for each label.
    #[default]
    Linear,
    /// The prototypes of the supports.
    Prototypes,
    /// One learnt row, copied for each class.
    Tied,
}

impl HeadStart {
    /// The task before the network whose head has its number of classes.
    pub(crate) fn context<'a, T: Real>(self, context: &Context<'a, T>) -> Result<Context<'a, T>> {
        match self {
            Self::Linear => {
                let (n_outputs, n_way) = (context.network.n_outputs(), context.task.shape().n_way);
                if n_outputs != n_way {
                    return Err(AlgorithmError::Ways { n_outputs, n_way });
                }
                Ok(*context)
            }
            Self::Prototypes | Self::Tied => {
                context
                    .task
                    .needs_classes("a head that follows the classes (`head`)")?;
                context.headed()
            }
        }
    }

    /// `phi_0`, in the layout of the task's network. `context` is that of theta.
    pub(crate) fn start<T: Real>(
        self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<Params<T>> {
        if self == Self::Linear {
            return Ok(theta.clone());
        }
        let n_way = context.task.shape().n_way;
        let layout = context.network.with_head(n_way)?.layout();
        let body = body(layout);
        let mut values = theta.values()[..body].to_vec();
        match self {
            Self::Linear => {}
            Self::Tied => {
                let (row, bias) = theta.values()[body..].split_at(theta.values().len() - body - 1);
                values.extend((0..n_way).flat_map(|_| row));
                values.extend((0..n_way).flat_map(|_| bias));
            }
            Self::Prototypes => {
                let prototypes = Prototypes::of(context, theta)?;
                let two = T::of(2.0);
                values.extend(prototypes.means.iter().map(|c| two * *c));
                let rows = prototypes.means.chunks_exact(prototypes.width);
                values.extend(rows.map(|c| T::of(-T::dot(c, c))));
            }
        }
        Ok(Params::from_values(layout, values))
    }

    /// `(d phi_0 / d theta)^T v`: from the layout of the task's network to that of theta; `start` is `phi_0`.
    pub(crate) fn pull_back<T: Real>(
        self,
        context: &Context<'_, T>,
        start: &Params<T>,
        v: Params<T>,
    ) -> Result<Params<T>> {
        let (body, layout) = (body(v.layout()), context.network.layout());
        match self {
            Self::Linear => Ok(v),
            Self::Tied => Ok(folded(layout, &v, body)),
            Self::Prototypes => {
                let mut through = Prototypes::at(context, start).pull_back(context, start, &v)?;
                let own = Params::from_values(layout, v.values()[..body].to_vec());
                through.add(T::ONE, &own);
                Ok(through)
            }
        }
    }

    /// A displacement of fast weights in the layout of theta: of a tied head the mean over its copies, of prototypes nothing.
    pub(crate) fn shared<T: Real>(self, theta: &Params<T>, v: Params<T>) -> Params<T> {
        let body = body(v.layout());
        match self {
            Self::Linear => v,
            Self::Prototypes => Params::from_values(theta.layout(), v.values()[..body].to_vec()),
            Self::Tied => {
                let n_way = n_rows(v.layout());
                let mut mean = folded(theta.layout(), &v, body);
                let share = T::of(1.0 / n_way as f64);
                let head = &mut mean.values_mut()[body..];
                head.iter_mut().for_each(|value| *value *= share);
                mean
            }
        }
    }
}

/// Values before the head.
fn body(layout: &Layout) -> usize {
    let head = layout.find("head.weight");
    head.map_or(layout.n_values(), |entry| entry.offset)
}

/// Rows of the head.
fn n_rows(layout: &Layout) -> usize {
    let head = layout.find("head.weight");
    head.map_or(0, |entry| entry.shape[0])
}

/// The body of `v`, and the sum over the rows of its head.
fn folded<T: Real>(layout: &Arc<Layout>, v: &Params<T>, body: usize) -> Params<T> {
    let mut sum = Params::zeros(layout);
    let values = sum.values_mut();
    values[..body].copy_from_slice(&v.values()[..body]);
    let (row, bias) = values[body..].split_at_mut(layout.n_values() - body - 1);
    let n_way = n_rows(v.layout());
    let (rows, biases) = v.values()[body..].split_at(n_way * row.len());
    for (own, one) in rows.chunks_exact(row.len()).zip(biases) {
        T::add_scaled(row, T::ONE, own);
        bias[0] += *one;
    }
    sum
}

/// Supports of each class.
fn shots<T: Real>(task: &Task<T>) -> Vec<usize> {
    let mut shots = vec![0; task.shape().n_way];
    for label in task.support_labels() {
        shots[*label] += 1;
    }
    shots
}

/// Mean features of the supports of each class at theta.
struct Prototypes<T> {
    /// `(n_way, width)`.
    means: Vec<T>,
    width: usize,
    /// Supports of each class.
    shots: Vec<usize>,
}

impl<T: Real> Prototypes<T> {
    fn of(context: &Context<'_, T>, theta: &Params<T>) -> Result<Self> {
        let task = context.task;
        let width = context.network.n_outputs();
        let pass = Pass {
            inner_step: 0,
            statistics: context.statistics,
        };
        let features = context
            .network
            .outputs(theta, task.support_images(), pass)?;
        let shots = shots(task);
        let mut means = vec![T::ZERO; shots.len() * width];
        for (row, label) in features.chunks_exact(width).zip(task.support_labels()) {
            T::add_scaled(&mut means[label * width..][..width], T::ONE, row);
        }
        for (mean, n) in means.chunks_exact_mut(width).zip(&shots) {
            <T as metastable_models::Vector>::scale(mean, T::of(1.0 / *n as f64));
        }
        Ok(Self {
            means,
            width,
            shots,
        })
    }

    /// Those that a descent started from: its rows are `2 c_k`.
    fn at(context: &Context<'_, T>, start: &Params<T>) -> Self {
        let shots = shots(context.task);
        let width = context.network.n_outputs();
        let rows = &start.values()[body(start.layout())..][..shots.len() * width];
        let half = T::of(0.5);
        Self {
            means: rows.iter().map(|w| half * *w).collect(),
            width,
            shots,
        }
    }

    /// `sum_i (df(x_i) / d theta)^T u_{y_i}` over the supports, with `u_k = (2 v_{w_k} - 2 c_k v_{b_k}) / n_k`: the part of
    /// `v` that belongs to the head, carried over to theta.
    ///
    /// The seam gives gradients of losses and products with their Hessians, and no other derivative of features; a product does.
    /// Under a cross-entropy whose head is zero every class has probability `1 / (N + 1)`, whatever the features, so that
    /// the mixed part of the Hessian along a head `V` whose rows add up to zero is `-1/n sum_i (df(x_i) / d theta)^T V_{y_i}`: with
    /// `V_k = -n u_k` the sum that is asked for. The last of `N + 1` rows, which no support has for a label, makes them add up to zero.
    fn pull_back(
        &self,
        context: &Context<'_, T>,
        start: &Params<T>,
        v: &Params<T>,
    ) -> Result<Params<T>> {
        let (n_way, width) = (self.shots.len(), self.width);
        let n_body = context.network.layout().n_values();
        let labels = context.task.support_labels();
        let (rows, biases) = v.values()[n_body..].split_at(n_way * width);
        let network = context.network.with_head(n_way + 1)?;
        let mut along = Params::zeros(network.layout());
        let head = &mut along.values_mut()[n_body..][..(n_way + 1) * width];
        let (own, last) = head.split_at_mut(n_way * width);
        let n = labels.len() as f64;
        for (class, u) in own.chunks_exact_mut(width).enumerate() {
            let factor = T::of(-2.0 * n / self.shots[class] as f64);
            let of_class = class * width..(class + 1) * width;
            T::add_scaled(u, factor, &rows[of_class.clone()]);
            T::add_scaled(u, -(factor * biases[class]), &self.means[of_class]);
            T::add_scaled(last, -T::ONE, u);
        }
        let mut point = Params::zeros(network.layout());
        point.values_mut()[..n_body].copy_from_slice(&start.values()[..n_body]);
        let task = Context {
            network,
            ..*context
        };
        let batch = Batch {
            images: context.task.support_images(),
            labels,
        };
        let mut tape = task.record_as(Loss::CrossEntropy, &point, batch, 0, n_way + 1)?;
        let product = tape.hessian_product(&along)?;
        Ok(Params::from_values(
            context.network.layout(),
            product.values()[..n_body].to_vec(),
        ))
    }
}
