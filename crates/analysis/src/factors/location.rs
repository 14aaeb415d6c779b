//! Where the runs of a point lie: the covariate that keeps a factor of the mean off the list for the spread.

use nalgebra::{DMatrix, DVector};

use super::columns::{beside, columns, ones};
use super::tree::Domain;
use crate::summary::{mean, median};

/// Weight of the penalty that lets a design with as many columns as points be fitted.
const RIDGE: f64 = 1e-3;

/// Between which limits a score lies, and how fine it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// Chance and the best score; none: unbounded, so the score itself.
    pub(super) bounds: Option<[f64; 2]>,
    /// Smallest distance from a limit, as a share of the range.
    pub(super) finest: f64,
}

impl Link {
    /// The score on the line: its logit between the limits, or itself.
    pub(super) fn apply(&self, score: f64) -> f64 {
        match self.bounds {
            Some([low, high]) => {
                let share = ((score - low) / (high - low)).clamp(self.finest, 1.0 - self.finest);
                (share / (1.0 - share)).ln()
            }
            None => score,
        }
    }
}

/// The location surface at each point, as its line and square: the median of the point's runs on the link scale, fitted from
/// the factors (numbers with their squares). Never a point's own mean, which has the noise of its spread: under
/// heavy-tailed seeds that makes factors out of nothing.
pub(super) fn surface(
    x: &[Vec<f64>],
    runs: &[Vec<f64>],
    domains: &[Domain],
    link: Link,
) -> Option<DMatrix<f64>> {
    let middles: Vec<f64> = runs.iter().map(|runs| link.apply(median(runs))).collect();
    let mut design = ones(x.len());
    for (at, domain) in domains.iter().enumerate() {
        design = beside(&design, &columns(x, at, *domain, 2));
    }
    let mut squares = design.transpose() * &design;
    for at in 0..squares.nrows() {
        squares[(at, at)] += RIDGE;
    }
    let y = DVector::from_column_slice(&middles);
    let coefficients = squares.cholesky()?.solve(&(design.transpose() * y));
    let fitted = design * coefficients;
    let center = mean(fitted.as_slice());
    Some(DMatrix::from_fn(x.len(), 2, |row, power| {
        (fitted[row] - center).powi(power as i32 + 1)
    }))
}
