//! Restricted maximum likelihood of a model with crossed or nested random factors, balanced or not.

use std::collections::BTreeMap;

use nalgebra::{Cholesky, DMatrix, DVector};

use super::design::DesignTable;
use super::simplex::minimize;
use crate::distribution::chi_square_quantile;
use crate::summary::{mean, variance};

/// Change of the deviance that counts as none: a hundred-millionth of what decides an interval.
const TOLERANCE: f64 = 1e-9;

/// `y = mu + sum_c u_c + e`, `u_c ~ N(0, variance_c)` for each level of term `c`, `e ~ N(0, residual)`.
pub(crate) struct MixedModel {
    n: f64,
    /// What was taken off the values before fitting.
    center: f64,
    /// Scale of the values, by which all variances are divided while fitting.
    scale: f64,
    /// Level of each term in each row; terms in the caller's order.
    n_levels: Vec<usize>,
    /// The term whose block is eliminated by hand, being diagonal: the one with the most levels.
    last: usize,
    /// First index of each other term in the dense block.
    offset: Vec<usize>,
    /// Counts between levels of the other terms, dense.
    small: DMatrix<f64>,
    /// For each level of the last term: its count, and the counts with levels of the other terms.
    big: Vec<(f64, Vec<(usize, f64)>)>,
    /// Sums of 1 and of y over each level: other terms, last term.
    sums_small: [DVector<f64>; 2],
    sums_big: [Vec<f64>; 2],
    total: [f64; 2],
    square: f64,
}

/// A fit: variances of the terms, then of the residual, and the deviance (-2 times the restricted log-likelihood).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fit {
    pub(crate) variances: Vec<f64>,
    pub(crate) deviance: f64,
}

impl MixedModel {
    pub(crate) fn new(table: &DesignTable, terms: &[Vec<usize>]) -> Self {
        let n = table.values().len();
        let mut levels: Vec<Vec<usize>> = Vec::new();
        let mut n_levels = Vec::new();
        for term in terms {
            let mut known = BTreeMap::new();
            let of_rows = (0..n).map(|row| {
                let next = known.len();
                *known.entry(table.cell(row, term)).or_insert(next)
            });
            levels.push(of_rows.collect());
            n_levels.push(known.len());
        }
        let last = (0..terms.len()).fold(0, |most, at| {
            if n_levels[at] > n_levels[most] {
                at
            } else {
                most
            }
        });
        let mut offset = vec![0; terms.len()];
        let mut n_small = 0;
        for term in (0..terms.len()).filter(|&term| term != last) {
            offset[term] = n_small;
            n_small += n_levels[term];
        }
        let center = mean(table.values());
        let scale = variance(table.values()).max(f64::MIN_POSITIVE);
        let y: Vec<f64> = table
            .values()
            .iter()
            .map(|v| (v - center) / scale.sqrt())
            .collect();
        let mut model = Self {
            n: n as f64,
            center,
            scale,
            last,
            small: DMatrix::zeros(n_small, n_small),
            big: vec![(0.0, Vec::new()); n_levels[last]],
            sums_small: [DVector::zeros(n_small), DVector::zeros(n_small)],
            sums_big: [vec![0.0; n_levels[last]], vec![0.0; n_levels[last]]],
            total: [n as f64, y.iter().sum()],
            square: y.iter().map(|v| v * v).sum(),
            offset,
            n_levels,
        };
        let mut pairs: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); model.big.len()];
        for row in 0..n {
            let others: Vec<usize> = (0..terms.len())
                .filter(|&term| term != last)
                .map(|term| model.offset[term] + levels[term][row])
                .collect();
            let own = levels[last][row];
            model.big[own].0 += 1.0;
            for (at, value) in [1.0, y[row]].into_iter().enumerate() {
                model.sums_big[at][own] += value;
                for &other in &others {
                    model.sums_small[at][other] += value;
                }
            }
            for &a in &others {
                *pairs[own].entry(a).or_insert(0.0) += 1.0;
                for &b in &others {
                    model.small[(a, b)] += 1.0;
                }
            }
        }
        for (big, pairs) in model.big.iter_mut().zip(pairs) {
            big.1 = pairs.into_iter().collect();
        }
        model
    }

    /// Parts of the deviance at `gamma_c = variance_c / residual`: log-determinants, and the residual sum of squares in
    /// units of the residual variance. `V = residual (I + Z gamma Z')`, worked through the matrix
    /// `I + gamma^(1/2) Z'Z gamma^(1/2)` (Woodbury), whose largest block is diagonal.
    fn parts(&self, gamma: &[f64]) -> (f64, f64) {
        let Some((log_det, products)) = self.products(gamma) else {
            return (f64::INFINITY, f64::INFINITY);
        };
        let rest = (products[2] - products[1] * products[1] / products[0]).max(f64::MIN_POSITIVE);
        (log_det + products[0].ln(), rest)
    }

    /// The mean by generalized least squares at the variances of a fit, and its variance, in the units of the values.
    pub(crate) fn mean(&self, fit: &Fit) -> (f64, f64) {
        let k = self.n_levels.len();
        let residual = fit.variances[k].max(f64::MIN_POSITIVE);
        let gamma: Vec<f64> = fit.variances[..k].iter().map(|v| v / residual).collect();
        let Some((_, products)) = self.products(&gamma) else {
            return (f64::NAN, f64::NAN);
        };
        let mean = products[1] / products[0];
        (
            mean * self.scale.sqrt() + self.center,
            fit.variances[k] / products[0],
        )
    }

    /// Log-determinant of `V` over the residual variance, and `x'x`, `x'y`, `y'y` with respect to its inverse; none if it is singular.
    fn products(&self, gamma: &[f64]) -> Option<(f64, [f64; 3])> {
        let n_small = self.small.nrows();
        let mut root = vec![0.0; n_small];
        for (term, g) in gamma.iter().enumerate() {
            if term != self.last {
                for level in 0..self.n_levels[term] {
                    root[self.offset[term] + level] = g.sqrt();
                }
            }
        }
        let root_big = gamma[self.last].sqrt();
        let mut schur = DMatrix::from_fn(n_small, n_small, |a, b| {
            root[a] * self.small[(a, b)] * root[b] + if a == b { 1.0 } else { 0.0 }
        });
        let mut sides: [DVector<f64>; 2] =
            [0, 1].map(|at| DVector::from_fn(n_small, |a, _| root[a] * self.sums_small[at][a]));
        let mut log_det = 0.0;
        // x'x, x'y, y'y with respect to the inverse of V.
        let mut products = [self.total[0], self.total[1], self.square];
        for (level, (count, pairs)) in self.big.iter().enumerate() {
            let pivot = 1.0 + root_big * root_big * count;
            log_det += pivot.ln();
            let side = [0, 1].map(|at| root_big * self.sums_big[at][level]);
            products[0] -= side[0] * side[0] / pivot;
            products[1] -= side[0] * side[1] / pivot;
            products[2] -= side[1] * side[1] / pivot;
            for &(a, with_a) in pairs {
                let left = root[a] * with_a * root_big / pivot;
                for (side, own) in sides.iter_mut().zip(side) {
                    side[a] -= left * own;
                }
                for &(b, with_b) in pairs {
                    schur[(a, b)] -= left * root[b] * with_b * root_big;
                }
            }
        }
        // Positive definite: it is a Schur complement of I + a Gram matrix.
        let cholesky = Cholesky::new(schur)?;
        let solved = sides.clone().map(|side| cholesky.solve(&side));
        products[0] -= sides[0].dot(&solved[0]);
        products[1] -= sides[0].dot(&solved[1]);
        products[2] -= sides[1].dot(&solved[1]);
        log_det += 2.0
            * cholesky
                .l_dirty()
                .diagonal()
                .iter()
                .map(|d| d.ln())
                .sum::<f64>();
        Some((log_det, products))
    }

    /// -2 times the restricted log-likelihood at these variances (terms, then residual), in the scaled values.
    fn deviance(&self, variances: &[f64]) -> f64 {
        let k = self.n_levels.len();
        let residual = variances[k];
        let gamma: Vec<f64> = variances[..k].iter().map(|v| v / residual).collect();
        let (log_det, rest) = self.parts(&gamma);
        (self.n - 1.0) * (std::f64::consts::TAU * residual).ln() + log_det + rest / residual
    }

    /// The fit. Unknowns are the roots of the ratios to the residual variance, which is profiled out; a root crosses zero
    /// freely, so a component of zero is an inner minimum and needs no bound.
    pub(crate) fn fit(&self) -> Fit {
        let df = self.n - 1.0;
        let gamma_of = |roots: &[f64]| -> Vec<f64> { roots.iter().map(|r| r * r).collect() };
        let profiled = |roots: &[f64]| {
            let (log_det, rest) = self.parts(&gamma_of(roots));
            df * (std::f64::consts::TAU * rest / df).ln() + log_det + df
        };
        let start = vec![1.0; self.n_levels.len()];
        let (deviance, roots) = minimize(&profiled, &start, 0.7, TOLERANCE);
        let gamma = gamma_of(&roots);
        let residual = self.parts(&gamma).1 / df;
        let mut variances: Vec<f64> = gamma.iter().map(|g| g * residual * self.scale).collect();
        variances.push(residual * self.scale);
        Fit {
            variances,
            deviance: deviance + df * self.scale.ln(),
        }
    }

    /// Interval of one variance by profile likelihood: the values at which the deviance, minimized over all others, is
    /// at most the chi-square quantile above its minimum. The lower limit is 0 if 0 is such a value.
    pub(super) fn profile_interval(&self, fit: &Fit, at: usize, level: f64) -> (f64, f64) {
        let cutoff = chi_square_quantile(level, 1.0);
        let least = fit.deviance - (self.n - 1.0) * self.scale.ln();
        let unit: Vec<f64> = fit.variances.iter().map(|v| v / self.scale).collect();
        let k = self.n_levels.len();
        // Unknowns: roots of the other terms' variances, log of the residual unless it is the one that is fixed.
        let mut warm: Vec<f64> = (0..=k)
            .filter(|&other| other != at)
            .map(|other| {
                if other == k {
                    unit[k].ln()
                } else {
                    unit[other].sqrt()
                }
            })
            .collect();
        let mut excess = |value: f64| {
            let f = |free: &[f64]| {
                let mut free = free.iter();
                let mut variances = Vec::with_capacity(k + 1);
                for other in 0..=k {
                    variances.push(match free.as_slice().first() {
                        Some(next) if other != at => {
                            free.next();
                            if other == k { next.exp() } else { next * next }
                        }
                        _ => value,
                    });
                }
                self.deviance(&variances)
            };
            let (deviance, found) = minimize(&f, &warm, 0.1, 1e-4);
            warm = found;
            deviance - least - cutoff
        };
        let estimate = unit[at];
        let total: f64 = unit.iter().sum();
        // Upward: double until outside.
        let mut inside = estimate;
        let mut outside = (2.0 * estimate).max(0.05 * total);
        while excess(outside) < 0.0 && outside < 1e6 * total {
            inside = outside;
            outside *= 2.0;
        }
        let upper = halve(&mut excess, inside, outside);
        let floor = if at == k { 1e-9 * total } else { 0.0 };
        let lower = if excess(floor) <= 0.0 {
            0.0
        } else {
            halve(&mut excess, estimate, floor)
        };
        (lower * self.scale, upper * self.scale)
    }
}

/// Where a function changes sign between a value inside and one outside, to a thousandth.
fn halve(excess: &mut impl FnMut(f64) -> f64, mut inside: f64, mut outside: f64) -> f64 {
    for _ in 0..30 {
        if (outside - inside).abs() < 1e-3 * inside.max(outside) {
            break;
        }
        let middle = 0.5 * (inside + outside);
        if excess(middle) < 0.0 {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    0.5 * (inside + outside)
}
