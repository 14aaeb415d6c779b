//! The per-channel algebra of batch normalisation: its value, gradient, tangent, and tangent of the gradient.
//!
//! With `xh = (y - mean) * inv_std` the normalised activation is `h = gamma * xh + beta`. Every quantity below is an
//! affine combination of maps with per-channel coefficients, so the element-wise loops need no statistics.
//! Statistics that are constants (stored ones) and no normalisation at all are the case `per_value = 0`: the sums over
//! the batch then couple nothing. Derivation: docs/derivations/fused-block.md.

use super::geometry::LANES;
use crate::Real;
use crate::architecture::NORM_EPS;

/// Mean and sum of squared deviations of each channel over `n` values.
#[derive(Debug)]
pub(super) struct Moments<T> {
    n: f64,
    mean: Vec<T>,
    squares: Vec<T>,
}

impl<T: Real> Moments<T> {
    /// Of the rows of `y`, `(n, c)`; two passes, so that a large mean costs no digits.
    #[inline(always)]
    pub(super) fn of(y: &[T], c: usize) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let n = (y.len() / c) as f64;
        let (mut mean, mut squares) = (vec![T::ZERO; c], vec![T::ZERO; c]);
        let mut first = 0;
        while first < c {
            let (mean, squares) = (&mut mean[first..], &mut squares[first..]);
            let y = &y[first..];
            first += match c - first {
                64.. => moments_of_lanes::<T, 64>(y, c, n, mean, squares),
                _ => moments_of_lanes::<T, LANES>(y, c, n, mean, squares),
            };
        }
        Self { n, mean, squares }
    }

    /// Joins groups in order (Chan, Golub and LeVeque 1979).
    pub(super) fn join(groups: &[Self]) -> Self {
        let c = groups[0].mean.len();
        let mut all = Self {
            n: 0.0,
            mean: vec![T::ZERO; c],
            squares: vec![T::ZERO; c],
        };
        for group in groups {
            let n = all.n + group.n;
            let (share, weight) = (T::of(group.n / n), T::of(all.n * group.n / n));
            for j in 0..c {
                let difference = group.mean[j] - all.mean[j];
                all.mean[j] += difference * share;
                all.squares[j] += group.squares[j] + difference * difference * weight;
            }
            all.n = n;
        }
        all
    }

    /// Unbiased variance, which is what running statistics average (as in PyTorch).
    pub(super) fn unbiased_variance(&self) -> Vec<T> {
        let freedom = T::of((self.n - 1.0).max(1.0));
        self.squares
            .iter()
            .map(|squares| *squares / freedom)
            .collect()
    }

    pub(super) fn mean(&self) -> &[T] {
        &self.mean
    }

    /// Normalisation by these statistics.
    pub(super) fn normalizer(&self) -> Normalizer<T> {
        let n = T::of(self.n);
        let variance = self.squares.iter().map(|squares| *squares / n).collect();
        Normalizer::batch(self.mean.clone(), variance, self.n)
    }
}

/// The first `L` channels of [`Moments::of`], whose sums stay in registers; returns `L`. `y` begins with the first of them, and ends
/// where its last row does.
#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "plain indices are what the compiler turns into SIMD"
)]
fn moments_of_lanes<T: Real, const L: usize>(
    y: &[T],
    c: usize,
    n: f64,
    mean: &mut [T],
    squares: &mut [T],
) -> usize {
    let mut sums = [T::ZERO; L];
    for row in y.chunks(c) {
        let row = &row[..L];
        for j in 0..L {
            sums[j] += row[j];
        }
    }
    for j in 0..L {
        sums[j] /= T::of(n);
    }
    let mut deviations = [T::ZERO; L];
    for row in y.chunks(c) {
        let row = &row[..L];
        for j in 0..L {
            let deviation = row[j] - sums[j];
            deviations[j] = deviation.fma(deviation, deviations[j]);
        }
    }
    mean[..L].copy_from_slice(&sums);
    squares[..L].copy_from_slice(&deviations);
    L
}

/// `xh = (y - mean) * inv_std`.
#[derive(Debug)]
pub(super) struct Normalizer<T> {
    pub(super) mean: Vec<T>,
    pub(super) inv_std: Vec<T>,
    /// 1 / (values of a channel in the batch); 0 if the statistics do not depend on the batch.
    per_value: T,
}

impl<T: Real> Normalizer<T> {
    fn new(mean: Vec<T>, variance: impl Iterator<Item = T>, per_value: T) -> Self {
        let inv_std = variance
            .map(|variance| T::ONE / (variance + T::of(NORM_EPS)).sqrt())
            .collect();
        Self {
            mean,
            inv_std,
            per_value,
        }
    }

    /// By mean and (biased) variance of a batch with `n` values a channel.
    pub(super) fn batch(mean: Vec<T>, variance: Vec<T>, n: f64) -> Self {
        Self::new(mean, variance.into_iter(), T::of(1.0 / n))
    }

    /// By stored statistics, constants for the derivatives.
    pub(super) fn stored(mean: Vec<T>, variance: Vec<T>) -> Self {
        Self::new(mean, variance.into_iter(), T::ZERO)
    }

    /// No normalisation: `xh = y`.
    pub(super) fn identity(c: usize) -> Self {
        Self {
            mean: vec![T::ZERO; c],
            inv_std: vec![T::ONE; c],
            per_value: T::ZERO,
        }
    }

    /// `h = scale * y + shift`.
    pub(super) fn affine(&self, gamma: &[T], beta: &[T]) -> [Vec<T>; 2] {
        let scale: Vec<T> = gamma
            .iter()
            .zip(&self.inv_std)
            .map(|(gamma, inv_std)| *gamma * *inv_std)
            .collect();
        let shift = (0..scale.len())
            .map(|j| beta[j] - scale[j] * self.mean[j])
            .collect();
        [scale, shift]
    }

    /// `[k0, k1, a]` of the gradient `gy = k0 + k1 * y + a * g`, where `s1 = sum g`, `s2 = sum g * xh`:
    ///
    /// `gy = gamma * inv_std * (g - s1 / N - xh * s2 / N)`
    pub(super) fn gradient(&self, gamma: &[T], s1: &[T], s2: &[T]) -> [Vec<T>; 3] {
        self.coefficients(|j, per_value| {
            let a = gamma[j] * self.inv_std[j];
            let k1 = -(a * s2[j] * per_value * self.inv_std[j]);
            [-(a * s1[j] * per_value) - k1 * self.mean[j], k1, a]
        })
    }

    /// Means over the batch that the tangent needs, from `sum dy` and `sum (y - mean) * dy`.
    pub(super) fn tangent_means(&self, sum: &[T], centered: &[T]) -> TangentMeans<T> {
        let [mean, along] = self.coefficients(|j, per_value| {
            [
                sum[j] * per_value,
                centered[j] * self.inv_std[j] * per_value,
            ]
        });
        TangentMeans { mean, along }
    }

    /// `[e0, e1, e2]` of the tangent `dh = e0 + e1 * y + e2 * dy`:
    ///
    /// `dh = d_gamma * xh + d_beta + gamma * inv_std * (dy - mean(dy) - xh * mean(xh * dy))`
    pub(super) fn tangent(
        &self,
        gamma: &[T],
        d_gamma: &[T],
        d_beta: &[T],
        means: &TangentMeans<T>,
    ) -> [Vec<T>; 3] {
        self.coefficients(|j, _| {
            let e2 = gamma[j] * self.inv_std[j];
            let e1 = (d_gamma[j] - e2 * means.along[j]) * self.inv_std[j];
            [d_beta[j] - e2 * means.mean[j] - e1 * self.mean[j], e1, e2]
        })
    }

    /// `[q0, q1, q2, a, b]` of the tangent of the gradient, `d(gy) = q0 + q1 * y + q2 * dy + a * g + b * dg`, where
    /// `t1 = sum dg` and `t2 = sum (dg * xh + g * dxh)`.
    #[allow(
        clippy::too_many_arguments,
        reason = "the sums of the gradient and those of its tangent"
    )]
    pub(super) fn gradient_tangent(
        &self,
        gamma: &[T],
        d_gamma: &[T],
        means: &TangentMeans<T>,
        [s1, s2]: [&[T]; 2],
        [t1, t2]: [&[T]; 2],
    ) -> [Vec<T>; 5] {
        self.coefficients(|j, per_value| {
            let (inv_std, b) = (self.inv_std[j], gamma[j] * self.inv_std[j]);
            let a = inv_std * (d_gamma[j] - b * means.along[j]);
            let (s1, s2) = (s1[j] * per_value, s2[j] * per_value);
            // In powers of xh and dy first, then xh is written out.
            let of_xh = b * s2 * inv_std * means.along[j] - a * s2 - b * t2[j] * per_value;
            let q2 = -(b * s2 * inv_std);
            let constant = -(a * s1) - b * t1[j] * per_value - q2 * means.mean[j];
            [
                constant - of_xh * inv_std * self.mean[j],
                of_xh * inv_std,
                q2,
                a,
                b,
            ]
        })
    }

    fn coefficients<const K: usize>(&self, of: impl Fn(usize, T) -> [T; K]) -> [Vec<T>; K] {
        let c = self.mean.len();
        let mut columns: [Vec<T>; K] = std::array::from_fn(|_| vec![T::ZERO; c]);
        for j in 0..c {
            for (column, value) in columns.iter_mut().zip(of(j, self.per_value)) {
                column[j] = value;
            }
        }
        columns
    }
}

/// Means over the batch along a tangent: of `dy`, and of `xh * dy`; zero where the statistics are constants.
#[derive(Debug)]
pub(super) struct TangentMeans<T> {
    pub(super) mean: Vec<T>,
    pub(super) along: Vec<T>,
}
