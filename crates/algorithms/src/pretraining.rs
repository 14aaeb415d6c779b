//! Training by classification: an embedding under one linear map for all training classes. At test the map is not looked at.
//!
//! `L = -1/n sum_i ln softmax(V f(x_i) + b)_{y_i}` over all images of a task, supports and queries in one pass, with `y_i` the number of
//! the class among all training classes ([`crate::Task::class_number`]). Of directions (`unit`), `V` has unit rows times a scale, features
//! are divided by their length, and there is no `b`: `s cos(v_k, f(x_i))`.
//!
//! A meta-batch is then a batch of images drawn by classes: `way` classes, `shot + query` images of each, times its tasks. A learner's
//! own row of the map may stand for something else than a class ([`crate::Head::Classes`]).
//!
//! Differs from training on single images drawn at random: a batch holds several images of each of its classes, as many of one as of
//! another, and batch statistics are those of a task. A large `way` with few images of a class is nearest to it.

use metastable_models::{Loss, Params, Real, Tape};

use crate::head_descent::unit;
use crate::prediction::n_correct;
use crate::{AlgorithmError, Batch, Context, MetaGradient, NonFinite, Result};

/// How all training classes are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pretraining {
    /// Rows of the map behind those of the classes.
    pub(crate) spare: usize,
    /// What multiplies cosines; logits of a plain linear map if absent.
    pub(crate) scale: Option<f64>,
}

/// Where the parts of theta are.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    /// Values of the embedding.
    pub(crate) n_body: usize,
    /// Length of a row of the map.
    pub(crate) width: usize,
    /// Rows that stand for classes.
    pub(crate) n_classes: usize,
    /// All rows.
    rows: usize,
}

impl Parts {
    /// Where row `at` of the map is.
    pub(crate) fn row(self, at: usize) -> std::ops::Range<usize> {
        let start = self.n_body + at * self.width;
        start..start + self.width
    }

    /// Where the shifts of the classes are.
    fn shifts(self) -> std::ops::Range<usize> {
        let start = self.n_body + self.rows * self.width;
        start..start + self.n_classes
    }
}

/// A recorded pass with the numbers of the classes.
struct Told<'a, T> {
    tape: Box<dyn Tape<T> + 'a>,
    labels: Vec<usize>,
    parts: Parts,
}

impl Pretraining {
    /// Where the parts of theta are.
    ///
    /// # Errors
    /// [`AlgorithmError::State`] for parameters without such a map beside them.
    pub(crate) fn parts<T: Real>(self, theta: &Params<T>) -> Result<Parts> {
        let map = theta.layout().find("beside.weight");
        let known = map.and_then(|map| match map.shape[..] {
            [rows, width] => Some(Parts {
                n_body: map.offset,
                width,
                n_classes: rows.checked_sub(self.spare)?,
                rows,
            }),
            _ => None,
        });
        known.ok_or_else(|| AlgorithmError::State {
            what: "the parameters".to_owned(),
            problem: "have no map of the training classes beside them".to_owned(),
        })
    }

    fn record<'a, T: Real>(
        self,
        context: &Context<'a, T>,
        theta: &Params<T>,
    ) -> Result<Told<'a, T>> {
        let task = context.task;
        task.needs_classes("a classifier of all training classes")?;
        let parts = self.parts(theta)?;
        let labels = task.support_labels().iter().chain(task.query_labels());
        let labels: Vec<usize> = labels.map(|label| task.class_number(*label)).collect();
        let most = labels.iter().copied().max().unwrap_or(0);
        crate::error::require(
            most < parts.n_classes,
            "the number of a class",
            most,
            "a learner that is trained on all training classes knows those alone: such a task can be predicted, and not trained on",
        )?;
        let mut values = theta.values()[..parts.n_body].to_vec();
        let rows = (0..parts.n_classes).map(|class| &theta.values()[parts.row(class)]);
        let network = match self.scale {
            None => {
                values.extend(rows.flatten());
                values.extend_from_slice(&theta.values()[parts.shifts()]);
                context.network.with_head(parts.n_classes)?
            }
            Some(scale) => {
                values.extend(rows.flat_map(|row| directed(row, scale)));
                // Neither shifts nor a centre.
                values.resize(values.len() + parts.n_classes + parts.width, T::ZERO);
                context.network.with_unit_head(parts.n_classes)?
            }
        };
        let phi = Params::from_values(network.layout(), values);
        let batch = Batch {
            images: task.images(),
            labels: &labels,
        };
        let headed = Context {
            network,
            ..*context
        };
        let tape = headed.record_as(Loss::CrossEntropy, &phi, batch, 0, parts.n_classes)?;
        Ok(Told {
            tape,
            labels,
            parts,
        })
    }

    /// Loss and gradient of one task.
    ///
    /// # Errors
    /// Those of the network; a task whose classes are not among those trained on.
    pub(crate) fn meta_gradient<T: Real>(
        self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let mut told = self.record(context, theta)?;
        let (parts, found) = (told.parts, told.tape.gradient()?);
        let mut gradient = Params::zeros(theta.layout());
        let values = gradient.values_mut();
        values[..parts.n_body].copy_from_slice(&found.values()[..parts.n_body]);
        let rows = found.values()[parts.n_body..].chunks_exact(parts.width);
        for (class, at_row) in rows.take(parts.n_classes).enumerate() {
            let own = &theta.values()[parts.row(class)];
            match self.scale {
                None => values[parts.row(class)].copy_from_slice(at_row),
                Some(scale) => {
                    let through = pulled(own, at_row, scale);
                    values[parts.row(class)].copy_from_slice(&through);
                }
            }
        }
        if self.scale.is_none() {
            let start = parts.n_body + parts.n_classes * parts.width;
            let shifts = &found.values()[start..start + parts.n_classes];
            values[parts.shifts()].copy_from_slice(shifts);
        }
        let query_loss = told.tape.loss();
        let right = n_correct(told.tape.log_probabilities(), parts.n_classes, &told.labels);
        Ok(MetaGradient {
            query_loss,
            n_correct: right,
            n_queries: told.labels.len(),
            gradient,
            statistics: told.tape.statistics(),
            non_finite: (!query_loss.is_finite()).then_some(NonFinite::QueryLoss),
        })
    }

    /// The loss alone.
    ///
    /// # Errors
    /// As for [`Self::meta_gradient`].
    pub(crate) fn loss<T: Real>(self, context: &Context<'_, T>, theta: &Params<T>) -> Result<T> {
        Ok(self.record(context, theta)?.tape.loss())
    }
}

fn wide<T: Real>(row: &[T]) -> Vec<f64> {
    row.iter().map(|value| value.wide()).collect()
}

/// `s v / |v|`.
fn directed<T: Real>(row: &[T], scale: f64) -> Vec<T> {
    let (direction, _) = unit(&wide(row));
    direction.iter().map(|u| T::of(scale * u)).collect()
}

/// A gradient at `s v / |v|`, carried over to `v`: `s n (g - u (u.g))`.
fn pulled<T: Real>(row: &[T], gradient: &[T], scale: f64) -> Vec<T> {
    let (u, n) = unit(&wide(row));
    let g = wide(gradient);
    let along: f64 = u.iter().zip(&g).map(|(u, g)| u * g).sum();
    let each = u.iter().zip(&g);
    each.map(|(u, g)| T::of(scale * n * (g - u * along)))
        .collect()
}
