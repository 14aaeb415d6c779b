//! The losses with their four methods: value, gradient at the outputs, and the tangent of that gradient.

use super::cross_entropy;
use super::judged::Judged;
use super::metric_loss::MetricLoss;
use super::value_loss::{Kind, ValueLoss};
use crate::{Loss, Objective, Real};

/// A loss at a point: what it was given, and what its derivatives need.
pub(super) enum LossTrace<T> {
    CrossEntropy { judged: Judged<T>, n_way: usize },
    Metric(Box<MetricLoss<T>>),
    Values(Box<ValueLoss<T>>),
}

/// Judges output rows of length `width`; returns the trace and the gradient at the outputs.
pub(super) fn judge<T: Real>(
    objective: &Objective<'_>,
    outputs: &[T],
    width: usize,
) -> (LossTrace<T>, Vec<T>) {
    let by_values = |kind| {
        let (trace, gradient) = ValueLoss::forward(kind, objective, outputs, width);
        (LossTrace::Values(Box::new(trace)), gradient)
    };
    match objective.loss {
        Loss::CrossEntropy => {
            let (judged, gradient) =
                cross_entropy::forward(outputs, objective.n_way, objective.labels);
            (
                LossTrace::CrossEntropy {
                    judged,
                    n_way: objective.n_way,
                },
                gradient,
            )
        }
        Loss::Prototype {
            metric,
            temperature,
        } => {
            let (trace, gradient) =
                MetricLoss::forward(objective, metric, temperature, true, outputs, width);
            (LossTrace::Metric(Box::new(trace)), gradient)
        }
        Loss::Matching {
            metric,
            temperature,
        } => {
            let (trace, gradient) =
                MetricLoss::forward(objective, metric, temperature, false, outputs, width);
            (LossTrace::Metric(Box::new(trace)), gradient)
        }
        Loss::SquaredError => by_values(Kind::SquaredError),
        Loss::Gaussian => by_values(Kind::Gaussian),
        Loss::Categorical => by_values(Kind::Categorical),
    }
}

impl<T: Real> LossTrace<T> {
    pub(super) fn judged(&self) -> &Judged<T> {
        match self {
            Self::CrossEntropy { judged, .. } => judged,
            Self::Metric(metric) => metric.judged(),
            Self::Values(values) => values.judged(),
        }
    }

    /// Tangent of the gradient at the outputs, where the outputs have the tangent `d_outputs`.
    pub(super) fn gradient_tangent(&self, d_outputs: &[T]) -> Vec<T> {
        match self {
            Self::CrossEntropy { judged, n_way } => {
                cross_entropy::gradient_tangent(judged, *n_way, d_outputs)
            }
            Self::Metric(metric) => metric.gradient_tangent(d_outputs),
            Self::Values(values) => values.gradient_tangent(d_outputs),
        }
    }
}
