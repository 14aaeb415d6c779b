//! Prototypical and Matching Networks' losses as one composition.
//!
//! Embeddings; supports averaged by class (prototypes) or left alone (matching); rows divided by their length (cosine)
//! or left alone (Euclidean); similarity of each query with each *reference*; softmax over the references, summed by
//! class. A prototype is a reference that is alone in its class. Each piece has a value, a pull-back, a tangent, and a
//! tangent of the pull-back, and the composition follows the same order.

use std::ops::Range;

use super::judged::Judged;
use super::softmax::{log_softmax, log_sum_exp, softmax_tangent};
use super::unit_rows::UnitRows;
use crate::{Metric, Objective, Real};

/// Sums of a similarity that go side by side: a single one would wait for itself at every addition.
const LANES: usize = 8;

/// The loss at a point.
pub(super) struct MetricLoss<T> {
    metric: Metric,
    temperature: T,
    /// Whether supports are averaged by class.
    averages: bool,
    /// Rows of the supports of each class.
    classes: Vec<Range<usize>>,
    width: usize,
    labels: Vec<usize>,
    /// References and queries as they are compared, `(n, width)` each.
    references: Rows<T>,
    queries: Rows<T>,
    /// Softmax over the references, `(n_queries, n_references)`.
    attention: Vec<T>,
    /// The same restricted to the references of the query's own class.
    own_attention: Vec<T>,
    judged: Judged<T>,
}

/// Rows that are compared: as they came, or of unit length.
enum Rows<T> {
    Plain(Vec<T>),
    Unit(UnitRows<T>),
}

/// Gradients or tangents at the references and at the queries.
struct Sides<T> {
    references: Vec<T>,
    queries: Vec<T>,
}

impl<T: Real> MetricLoss<T> {
    /// Judges `outputs`, `(n_support + n_queries, width)`; returns the trace and the gradient at the outputs.
    pub(super) fn forward(
        objective: &Objective<'_>,
        metric: Metric,
        temperature: f64,
        averages: bool,
        outputs: &[T],
        width: usize,
    ) -> (Self, Vec<T>) {
        let classes: Vec<Range<usize>> = objective.classes().collect();
        let (support, query) = outputs.split_at(objective.n_support() * width);
        let references = if averages {
            class_means(support, &classes, width)
        } else {
            support.to_vec()
        };
        let mut trace = Self {
            metric,
            temperature: T::of(temperature),
            averages,
            classes,
            width,
            labels: objective.labels.to_vec(),
            references: Rows::new(metric, references, width),
            queries: Rows::new(metric, query.to_vec(), width),
            attention: Vec::new(),
            own_attention: Vec::new(),
            judged: Judged {
                loss: T::ZERO,
                log_probabilities: Vec::new(),
            },
        };
        trace.attend();
        let at_scores = trace.score_gradient();
        let sides = trace.pull_scores(&at_scores);
        let sides = Sides {
            references: trace.references.pull(&sides.references),
            queries: trace.queries.pull(&sides.queries),
        };
        let gradient = trace.pull_references(sides);
        (trace, gradient)
    }

    pub(super) fn judged(&self) -> &Judged<T> {
        &self.judged
    }

    /// Tangent of the gradient at the outputs, where the outputs have the tangent `d_outputs`.
    pub(super) fn gradient_tangent(&self, d_outputs: &[T]) -> Vec<T> {
        let (d_support, d_query) = d_outputs.split_at(self.n_support() * self.width);
        let d_references = if self.averages {
            class_means(d_support, &self.classes, self.width)
        } else {
            d_support.to_vec()
        };
        let d = Sides {
            references: self.references.push(&d_references),
            queries: self.queries.push(d_query),
        };

        let at_scores = self.score_gradient();
        let d_at_scores = self.score_gradient_tangent(&self.push_scores(&d));
        let sides = self.pull_scores(&at_scores);
        let d_sides = self.pull_scores_tangent(&at_scores, &d_at_scores, &d);
        self.pull_references(Sides {
            references: self.references.pull_tangent(
                &sides.references,
                &d_sides.references,
                &d_references,
            ),
            queries: self
                .queries
                .pull_tangent(&sides.queries, &d_sides.queries, d_query),
        })
    }

    fn n_support(&self) -> usize {
        self.classes.last().map_or(0, |class| class.end)
    }

    fn n_references(&self) -> usize {
        self.references.values().len() / self.width
    }

    /// The references of each class.
    fn of_classes(&self) -> Vec<Range<usize>> {
        if self.averages {
            (0..self.classes.len())
                .map(|class| class..class + 1)
                .collect()
        } else {
            self.classes.clone()
        }
    }

    /// Scores, attention, and what is judged.
    fn attend(&mut self) {
        let (width, n_references) = (self.width, self.n_references());
        let classes = self.of_classes();
        let (references, queries) = (self.references.values(), self.queries.values());
        let mut log_probabilities = Vec::with_capacity(self.labels.len() * classes.len());
        for (query, label) in queries.chunks_exact(width).zip(&self.labels) {
            let mut scores: Vec<T> = references
                .chunks_exact(width)
                .map(|reference| similarity(self.metric, query, reference) / self.temperature)
                .collect();
            log_softmax(&mut scores);
            let by_class = classes
                .iter()
                .map(|class| log_sum_exp(scores[class.clone()].iter().copied()));
            let first = log_probabilities.len();
            log_probabilities.extend(by_class);
            let own = log_probabilities[first + label];
            let own_range = &classes[*label];
            self.own_attention.extend((0..n_references).map(|r| {
                if own_range.contains(&r) {
                    (scores[r] - own).exp()
                } else {
                    T::ZERO
                }
            }));
            self.attention
                .extend(scores.iter().map(|score| score.exp()));
        }
        self.judged = Judged::new(log_probabilities, classes.len(), &self.labels);
    }

    fn share(&self) -> T {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let n = self.labels.len() as f64;
        T::of(1.0 / n)
    }

    /// Gradient at the scores: `(attention - own_attention) / n`.
    fn score_gradient(&self) -> Vec<T> {
        let share = self.share();
        self.attention
            .iter()
            .zip(&self.own_attention)
            .map(|(all, own)| (*all - *own) * share)
            .collect()
    }

    /// Its tangent, where the scores have the tangent `d_scores`.
    fn score_gradient_tangent(&self, d_scores: &[T]) -> Vec<T> {
        let (share, n) = (self.share(), self.n_references());
        let rows = self
            .attention
            .chunks_exact(n)
            .zip(self.own_attention.chunks_exact(n));
        rows.zip(d_scores.chunks_exact(n))
            .flat_map(|((all, own), dz)| {
                let both = softmax_tangent(all, dz).zip(softmax_tangent(own, dz));
                both.map(|(all, own)| (all - own) * share)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Tangent of the scores.
    fn push_scores(&self, d: &Sides<T>) -> Vec<T> {
        let mut d_scores = Vec::with_capacity(self.attention.len());
        self.each_pair(|q, r, query, reference| {
            let (dq, dr) = (
                &d.queries[q..][..self.width],
                &d.references[r..][..self.width],
            );
            let mut sum = T::ZERO;
            for j in 0..self.width {
                sum += match self.metric {
                    Metric::Euclidean => T::of(-2.0) * (query[j] - reference[j]) * (dq[j] - dr[j]),
                    Metric::Cosine => dq[j] * reference[j] + query[j] * dr[j],
                };
            }
            d_scores.push(sum / self.temperature);
        });
        d_scores
    }

    /// Pulls a gradient at the scores back to the compared rows.
    fn pull_scores(&self, at_scores: &[T]) -> Sides<T> {
        let mut sides = self.no_sides();
        let mut weights = at_scores.iter();
        self.each_pair(|q, r, query, reference| {
            let weight = *weights.next().expect("one weight for each pair") / self.temperature;
            let (at_query, at_reference) = sides.rows(q, r, self.width);
            for j in 0..self.width {
                let (to_query, to_reference) = slope(self.metric, query[j], reference[j]);
                at_query[j] += weight * to_query;
                at_reference[j] += weight * to_reference;
            }
        });
        sides
    }

    /// Tangent of [`Self::pull_scores`].
    fn pull_scores_tangent(&self, at_scores: &[T], d_at_scores: &[T], d: &Sides<T>) -> Sides<T> {
        let mut sides = self.no_sides();
        let mut weights = at_scores.iter().zip(d_at_scores);
        self.each_pair(|q, r, query, reference| {
            let (weight, d_weight) = weights.next().expect("one weight for each pair");
            let (weight, d_weight) = (*weight / self.temperature, *d_weight / self.temperature);
            let (dq, dr) = (
                &d.queries[q..][..self.width],
                &d.references[r..][..self.width],
            );
            let (at_query, at_reference) = sides.rows(q, r, self.width);
            for j in 0..self.width {
                let (to_query, to_reference) = slope(self.metric, query[j], reference[j]);
                // The slopes are linear in the two rows, so their tangents are the slopes of the tangents.
                let (d_to_query, d_to_reference) = slope(self.metric, dq[j], dr[j]);
                at_query[j] += d_weight * to_query + weight * d_to_query;
                at_reference[j] += d_weight * to_reference + weight * d_to_reference;
            }
        });
        sides
    }

    /// From references and queries to all output rows.
    fn pull_references(&self, sides: Sides<T>) -> Vec<T> {
        let mut rows = Vec::with_capacity(self.n_support() * self.width + sides.queries.len());
        if self.averages {
            let prototypes = sides.references.chunks_exact(self.width);
            for (prototype, class) in prototypes.zip(&self.classes) {
                for _ in class.clone() {
                    rows.extend(prototype.iter().map(|value| *value * share(class)));
                }
            }
        } else {
            rows.extend(sides.references);
        }
        rows.extend(sides.queries);
        rows
    }

    fn no_sides(&self) -> Sides<T> {
        Sides {
            references: vec![T::ZERO; self.references.values().len()],
            queries: vec![T::ZERO; self.queries.values().len()],
        }
    }

    /// Calls `f(start of query, start of reference, query, reference)` for every pair, queries outermost.
    fn each_pair(&self, mut f: impl FnMut(usize, usize, &[T], &[T])) {
        for (q, query) in self.queries.values().chunks_exact(self.width).enumerate() {
            for (r, reference) in self
                .references
                .values()
                .chunks_exact(self.width)
                .enumerate()
            {
                f(q * self.width, r * self.width, query, reference);
            }
        }
    }
}

impl<T: Real> Sides<T> {
    fn rows(&mut self, query: usize, reference: usize, width: usize) -> (&mut [T], &mut [T]) {
        (
            &mut self.queries[query..][..width],
            &mut self.references[reference..][..width],
        )
    }
}

impl<T: Real> Rows<T> {
    fn new(metric: Metric, rows: Vec<T>, width: usize) -> Self {
        match metric {
            Metric::Euclidean => Self::Plain(rows),
            Metric::Cosine => Self::Unit(UnitRows::new(rows, width)),
        }
    }

    fn values(&self) -> &[T] {
        match self {
            Self::Plain(rows) => rows,
            Self::Unit(rows) => rows.values(),
        }
    }

    fn pull(&self, gradient: &[T]) -> Vec<T> {
        match self {
            Self::Plain(_) => gradient.to_vec(),
            Self::Unit(rows) => rows.jacobian_product(gradient),
        }
    }

    fn push(&self, tangent: &[T]) -> Vec<T> {
        match self {
            Self::Plain(_) => tangent.to_vec(),
            Self::Unit(rows) => rows.jacobian_product(tangent),
        }
    }

    fn pull_tangent(&self, gradient: &[T], d_gradient: &[T], d_rows: &[T]) -> Vec<T> {
        match self {
            Self::Plain(_) => d_gradient.to_vec(),
            Self::Unit(rows) => rows.pull_tangent(gradient, d_gradient, d_rows),
        }
    }
}

fn similarity<T: Real>(metric: Metric, a: &[T], b: &[T]) -> T {
    let mut sums = [T::ZERO; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += match metric {
                Metric::Euclidean => -((*a - *b) * (*a - *b)),
                Metric::Cosine => *a * *b,
            };
        }
    }
    sums.into_iter().sum()
}

/// Derivative of the similarity by one coordinate of the query, and by that of the reference.
#[inline(always)]
fn slope<T: Real>(metric: Metric, query: T, reference: T) -> (T, T) {
    match metric {
        Metric::Euclidean => (
            T::of(2.0) * (reference - query),
            T::of(2.0) * (query - reference),
        ),
        Metric::Cosine => (reference, query),
    }
}

/// Mean row of each class, `(n_support, width)` to `(n_way, width)`.
fn class_means<T: Real>(support: &[T], classes: &[Range<usize>], width: usize) -> Vec<T> {
    let mut means = Vec::with_capacity(classes.len() * width);
    for class in classes {
        let (rows, share) = (
            &support[class.start * width..class.end * width],
            share(class),
        );
        means.extend(
            (0..width).map(|j| rows.iter().skip(j).step_by(width).copied().sum::<T>() * share),
        );
    }
    means
}

/// What each support adds to the prototype of its class.
fn share<T: Real>(class: &Range<usize>) -> T {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let n = class.len() as f64;
    T::of(1.0 / n)
}
