//! Per-channel sums of a group of images, and their total in the order of the groups.

use std::ops::DerefMut;

use crate::Real;
use crate::fused::norm::{Normalizer, TangentMeans};

/// `[sum g, sum g * xh]` of a group.
#[inline(always)]
pub(in crate::fused) fn gradient_sums<T: Real>(
    g: &[T],
    peak: &[T],
    mean: &[T],
    inv_std: &[T],
) -> [Vec<T>; 2] {
    let c = mean.len();
    // One length for all, or every value is checked against another and nothing becomes SIMD.
    let inv_std = &inv_std[..c];
    let mut sums = [vec![T::ZERO; c], vec![T::ZERO; c]];
    let [s1, s2] = &mut sums;
    let (s1, s2) = (&mut s1[..c], &mut s2[..c]);
    for (g, peak) in g.chunks_exact(c).zip(peak.chunks_exact(c)) {
        for j in 0..c {
            s1[j] += g[j];
            s2[j] = (g[j] * inv_std[j]).fma(peak[j] - mean[j], s2[j]);
        }
    }
    sums
}

/// `[sum dy, sum (y - mean) * dy]` of a group.
#[inline(always)]
pub(in crate::fused) fn tangent_sums<T: Real>(dy: &[T], y: &[T], mean: &[T]) -> [Vec<T>; 2] {
    let c = mean.len();
    let mut sums = [vec![T::ZERO; c], vec![T::ZERO; c]];
    let [sum, centered] = &mut sums;
    for (dy, y) in dy.chunks_exact(c).zip(y.chunks_exact(c)) {
        for j in 0..c {
            sum[j] += dy[j];
            centered[j] = (y[j] - mean[j]).fma(dy[j], centered[j]);
        }
    }
    sums
}

/// `[sum dg, sum (dg * xh + g * dxh)]` of a group.
#[inline(always)]
pub(in crate::fused) fn gradient_tangent_sums<T: Real>(
    dg: &[T],
    g: &[T],
    peak: &[T],
    d_peak: &[T],
    normalizer: &Normalizer<T>,
    means: &TangentMeans<T>,
) -> [Vec<T>; 2] {
    let c = normalizer.mean.len();
    let (mean, inv_std) = (&normalizer.mean[..c], &normalizer.inv_std[..c]);
    let (d_mean, along) = (&means.mean[..c], &means.along[..c]);
    let mut sums = [vec![T::ZERO; c], vec![T::ZERO; c]];
    let [t1, t2] = &mut sums;
    let (t1, t2) = (&mut t1[..c], &mut t2[..c]);
    for (row, dg) in dg.chunks_exact(c).enumerate() {
        let (g, peak, d_peak) = (
            &g[row * c..][..c],
            &peak[row * c..][..c],
            &d_peak[row * c..][..c],
        );
        for j in 0..c {
            let xh = (peak[j] - mean[j]) * inv_std[j];
            let d_xh = inv_std[j] * (d_peak[j] - d_mean[j] - xh * along[j]);
            t1[j] += dg[j];
            t2[j] += dg[j] * xh + g[j] * d_xh;
        }
    }
    sums
}

/// Sums of groups, added in the order of the groups.
pub(in crate::fused) fn add_in_order<T: Real, V: DerefMut<Target = [T]>, const K: usize>(
    groups: Vec<[V; K]>,
) -> [V; K] {
    let mut groups = groups.into_iter();
    let mut total = groups.next().expect("a batch has at least one image");
    for group in groups {
        for (total, group) in total.iter_mut().zip(&group) {
            for (total, value) in total.iter_mut().zip(group.iter()) {
                *total += *value;
            }
        }
    }
    total
}
