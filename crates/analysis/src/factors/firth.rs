//! Logistic regression of counts that stays finite where a level has no failure, or nothing but failures.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use crate::distribution::chi_square_quantile;

const MOST_STEPS: usize = 100;
/// Log odds beyond which no limit is looked for, and which stands for any beyond: a ratio of 5 * 10^8.
const FARTHEST: f64 = 20.0;

/// `k_i` failures of `n_i` runs with `logit pi_i = x_i b`.
pub(super) struct Counts<'a> {
    pub(super) failed: &'a [f64],
    pub(super) runs: &'a [f64],
    pub(super) design: &'a DMatrix<f64>,
}

/// The coefficient `at` with the limits of its profile; a limit is 20 away where the profile does not fall far enough.
/// `None` if the design is not of full rank.
///
/// Maximizes `sum_i k_i log pi_i + (n_i - k_i) log(1 - pi_i) + (1/2) log det X'WX`.
///
/// # Source
/// Firth 1993; limits: Heinze and Schemper 2002.
pub(super) fn coefficient(counts: &Counts<'_>, at: usize, level: f64) -> Option<(f64, [f64; 2])> {
    let (best, reached) = counts.maximum(None)?;
    let floor = reached - chi_square_quantile(level, 1.0) / 2.0;
    let limit = |direction: f64| {
        let falls = |value: f64| {
            counts
                .maximum(Some((at, value)))
                .is_none_or(|(_, found)| found < floor)
        };
        let (mut near, mut step) = (best[at], 0.5);
        loop {
            let far = near + direction * step;
            if far.abs() > FARTHEST {
                return direction * FARTHEST;
            }
            if falls(far) {
                let (mut inside, mut outside) = (near, far);
                for _ in 0..50 {
                    let middle = f64::midpoint(inside, outside);
                    if falls(middle) {
                        outside = middle
                    } else {
                        inside = middle
                    }
                }
                return inside;
            }
            near = far;
            step *= 1.5;
        }
    };
    Some((best[at], [limit(-1.0), limit(1.0)]))
}

impl Counts<'_> {
    /// The coefficients with the greatest penalized likelihood, and that; with one coefficient held where one is given.
    fn maximum(&self, held: Option<(usize, f64)>) -> Option<(DVector<f64>, f64)> {
        let mut b = DVector::zeros(self.design.ncols());
        if let Some((at, value)) = held {
            b[at] = value;
        }
        let mut reached = self.likelihood(&b)?;
        for _ in 0..MOST_STEPS {
            let (shares, information) = self.information(&b)?;
            let inverse = information.inverse();
            let mut score: DVector<f64> = DVector::zeros(b.len());
            for (at, &pi) in shares.iter().enumerate() {
                let x = self.design.row(at).transpose();
                let weight = self.runs[at] * pi * (1.0 - pi);
                let leverage = weight * (x.transpose() * &inverse * &x)[0];
                score += (self.failed[at] - self.runs[at] * pi + leverage * (0.5 - pi)) * x;
            }
            let step = match held {
                None => inverse * score,
                Some((at, _)) => without_one(&self.matrix(&shares), &score, at)?,
            };
            let mut size = if step.amax() > 5.0 {
                5.0 / step.amax()
            } else {
                1.0
            };
            let better = loop {
                let next = &b + size * &step;
                match self.likelihood(&next) {
                    Some(value) if value >= reached => break Some((next, value)),
                    _ => size /= 2.0,
                }
                if size < 1e-8 {
                    break None;
                }
            };
            let Some((next, value)) = better else { break };
            let moved = (&next - &b).amax();
            (b, reached) = (next, value);
            if moved < 1e-9 {
                break;
            }
        }
        Some((b, reached))
    }

    fn shares(&self, b: &DVector<f64>) -> Vec<f64> {
        (self.design * b)
            .iter()
            .map(|eta| 1.0 / (1.0 + (-eta).exp()))
            .collect()
    }

    fn matrix(&self, shares: &[f64]) -> DMatrix<f64> {
        let mut information = DMatrix::zeros(self.design.ncols(), self.design.ncols());
        for (at, pi) in shares.iter().enumerate() {
            let x = self.design.row(at).transpose();
            information += self.runs[at] * pi * (1.0 - pi) * &x * x.transpose();
        }
        information
    }

    fn information(&self, b: &DVector<f64>) -> Option<(Vec<f64>, Cholesky<f64, Dyn>)> {
        let shares = self.shares(b);
        let cholesky = self.matrix(&shares).cholesky()?;
        Some((shares, cholesky))
    }

    fn likelihood(&self, b: &DVector<f64>) -> Option<f64> {
        let (_, information) = self.information(b)?;
        let eta = self.design * b;
        let plain: f64 = (0..eta.len())
            .map(|at| {
                // log(1 + e^eta) without overflow.
                let soft = eta[at].max(0.0) + (-eta[at].abs()).exp().ln_1p();
                self.failed[at] * eta[at] - self.runs[at] * soft
            })
            .sum();
        let value = plain + 0.5 * information.determinant().ln();
        value.is_finite().then_some(value)
    }
}

/// The step of all coefficients but one.
fn without_one(
    information: &DMatrix<f64>,
    score: &DVector<f64>,
    at: usize,
) -> Option<DVector<f64>> {
    if score.len() == 1 {
        return Some(DVector::zeros(1));
    }
    let smaller = information.clone().remove_row(at).remove_column(at);
    let step = smaller.cholesky()?.solve(&score.clone().remove_row(at));
    Some(step.insert_row(at, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factors::golden::numbers;

    /// A table of two by two: half a run is added to each cell.
    #[test]
    fn two_by_two_is_the_log_odds_of_counts_with_a_half() {
        let design = DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 1.0, 1.0]);
        let counts = Counts {
            failed: &[0.0, 3.0],
            runs: &[8.0, 8.0],
            design: &design,
        };
        let (found, [lower, upper]) = coefficient(&counts, 1, 0.95).unwrap();
        let expected = (3.5_f64 * 8.5 / (5.5 * 0.5)).ln();
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        assert!(lower < found && found < upper && upper < FARTHEST);
    }

    /// The profile of a general optimizer.
    #[test]
    fn slope_and_limits_are_those_of_scipy() {
        let [dose, runs, failed] = ["dose", "runs", "failed"].map(|name| numbers("firth", name));
        let design = DMatrix::from_fn(dose.len(), 2, |row, column| [1.0, dose[row]][column]);
        let counts = Counts {
            failed: &failed,
            runs: &runs,
            design: &design,
        };
        let (value, [lower, upper]) = coefficient(&counts, 1, 0.95).unwrap();
        for (a, b) in [value, lower, upper].iter().zip(numbers("firth", "slope")) {
            assert!((a - b).abs() < 1e-4, "{a} against {b}");
        }
    }
}
