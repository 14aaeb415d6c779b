//! Losses of rows that bring numbers: squared errors, and cross-entropies of policies. One function gives each of them its value,
//! its gradient at the outputs, and the tangent of that gradient.

use super::judged::Judged;
use super::softmax::{log_softmax, softmax_tangent};
use crate::{Objective, Real};

/// `ln(2 pi) / 2`, of the normal density.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;

/// Which of them.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    SquaredError,
    Gaussian,
    Categorical,
}

/// A loss at a point.
pub(super) struct ValueLoss<T> {
    kind: Kind,
    width: usize,
    /// What the rows brought.
    values: Vec<T>,
    /// Outputs of the network; of a categorical policy its log-probabilities.
    outputs: Vec<T>,
    judged: Judged<T>,
}

impl<T: Real> ValueLoss<T> {
    /// Judges output rows of length `width`; returns the trace and the gradient at the outputs.
    pub(super) fn forward(
        kind: Kind,
        objective: &Objective<'_>,
        outputs: &[T],
        width: usize,
    ) -> (Self, Vec<T>) {
        let mut outputs = outputs.to_vec();
        if let Kind::Categorical = kind {
            outputs.chunks_exact_mut(width).for_each(log_softmax);
        }
        let values: Vec<T> = objective.values.iter().map(|value| T::of(*value)).collect();
        let rows = outputs
            .chunks_exact(width)
            .zip(values.chunks_exact(values.len() * width / outputs.len()));
        let loss: T = rows.map(|(row, brought)| kind.value(row, brought)).sum();
        let mut trace = Self {
            kind,
            width,
            judged: Judged {
                loss,
                log_probabilities: Vec::new(),
            },
            values,
            outputs,
        };
        trace.judged.loss = loss * trace.share();
        if let Kind::Categorical = kind {
            trace.judged.log_probabilities.clone_from(&trace.outputs);
        }
        let share = trace.share();
        let mut gradient = Vec::with_capacity(trace.outputs.len());
        for (row, brought) in trace.rows() {
            kind.gradient(row, brought, &mut gradient);
        }
        gradient.iter_mut().for_each(|value| *value *= share);
        (trace, gradient)
    }

    pub(super) fn judged(&self) -> &Judged<T> {
        &self.judged
    }

    /// Tangent of the gradient, where the outputs have the tangent `d_outputs`.
    pub(super) fn gradient_tangent(&self, d_outputs: &[T]) -> Vec<T> {
        let share = self.share();
        let mut tangent = Vec::with_capacity(d_outputs.len());
        for ((row, brought), d_row) in self.rows().zip(d_outputs.chunks_exact(self.width)) {
            self.kind.tangent(row, brought, d_row, &mut tangent);
        }
        tangent.iter_mut().for_each(|value| *value *= share);
        tangent
    }

    /// Each row of outputs with what it brought.
    fn rows(&self) -> impl Iterator<Item = (&[T], &[T])> {
        let per_row = self.values.len() * self.width / self.outputs.len();
        self.outputs
            .chunks_exact(self.width)
            .zip(self.values.chunks_exact(per_row))
    }

    /// What the sum over rows is multiplied by: squared errors are a mean, policies bring their weights.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn share(&self) -> T {
        match self.kind {
            Kind::SquaredError => T::of(1.0 / self.outputs.len() as f64),
            Kind::Gaussian | Kind::Categorical => T::ONE,
        }
    }
}

/// The parts of a Gaussian row: mean and log of the deviation, then those of the other, and the weight.
fn gaussian<'r, T: Real>(row: &'r [T], brought: &'r [T]) -> (impl Iterator<Item = [T; 4]> + 'r, T) {
    let n = row.len() / 2;
    let parts = (0..n).map(move |at| [row[at], row[n + at], brought[at], brought[n + at]]);
    (parts, brought[2 * n])
}

impl Kind {
    /// What a row adds to the sum.
    fn value<T: Real>(self, row: &[T], brought: &[T]) -> T {
        match self {
            // (y - t)^2
            Self::SquaredError => row
                .iter()
                .zip(brought)
                .map(|(y, t)| (*y - *t) * (*y - *t))
                .sum(),
            // w sum_d ( l + (s_q^2 + (m - m_q)^2) / (2 e^{2 l}) + ln(2 pi) / 2 )
            Self::Gaussian => {
                let (parts, weight) = gaussian(row, brought);
                let of = |[m, l, m_q, s_q]: [T; 4]| {
                    let (gap, precision) = (m - m_q, (-(l + l)).exp());
                    l + T::of(0.5) * (s_q * s_q + gap * gap) * precision + T::of(HALF_LN_TAU)
                };
                weight * parts.map(of).sum()
            }
            // -w sum_k q_k ln p_k; an action that q never takes counts nothing, however unlikely it is.
            Self::Categorical => {
                let (shares, weight) = brought.split_at(row.len());
                let taken = row.iter().zip(shares).filter(|(_, q)| **q > T::ZERO);
                -weight[0] * taken.map(|(log_p, q)| *q * *log_p).sum()
            }
        }
    }

    /// The gradient of [`Self::value`] at the outputs.
    fn gradient<T: Real>(self, row: &[T], brought: &[T], gradient: &mut Vec<T>) {
        match self {
            Self::SquaredError => {
                let two = T::of(2.0);
                gradient.extend(row.iter().zip(brought).map(|(y, t)| two * (*y - *t)));
            }
            Self::Gaussian => {
                let (parts, weight) = gaussian(row, brought);
                let start = gradient.len();
                gradient.resize(start + row.len(), T::ZERO);
                for (at, [m, l, m_q, s_q]) in parts.enumerate() {
                    let (gap, precision) = (m - m_q, (-(l + l)).exp());
                    // dm: (m - m_q) / e^{2 l};  dl: 1 - (s_q^2 + (m - m_q)^2) / e^{2 l}
                    gradient[start + at] = weight * gap * precision;
                    gradient[start + row.len() / 2 + at] =
                        weight * (T::ONE - (s_q * s_q + gap * gap) * precision);
                }
            }
            // w (p - q)
            Self::Categorical => {
                let (shares, weight) = brought.split_at(row.len());
                let at = row.iter().zip(shares);
                gradient.extend(at.map(|(log_p, q)| weight[0] * (log_p.exp() - *q)));
            }
        }
    }

    /// The tangent of [`Self::gradient`], where the outputs of the row have the tangent `d_row`.
    fn tangent<T: Real>(self, row: &[T], brought: &[T], d_row: &[T], tangent: &mut Vec<T>) {
        let two = T::of(2.0);
        match self {
            Self::SquaredError => tangent.extend(d_row.iter().map(|dy| two * *dy)),
            Self::Gaussian => {
                let (parts, weight) = gaussian(row, brought);
                let (n, start) = (row.len() / 2, tangent.len());
                tangent.resize(start + row.len(), T::ZERO);
                for (at, [m, l, m_q, s_q]) in parts.enumerate() {
                    let (dm, dl) = (d_row[at], d_row[n + at]);
                    let (gap, precision) = (m - m_q, (-(l + l)).exp());
                    let squares = s_q * s_q + gap * gap;
                    tangent[start + at] = weight * precision * (dm - two * gap * dl);
                    tangent[start + n + at] = weight * two * precision * (squares * dl - gap * dm);
                }
            }
            Self::Categorical => {
                let weight = brought[row.len()];
                let p: Vec<T> = row.iter().map(|value| value.exp()).collect();
                tangent.extend(softmax_tangent(&p, d_row).map(|value| weight * value));
            }
        }
    }
}
