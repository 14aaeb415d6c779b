//! Pooling where nobody will ask for derivatives: of a window only the value that wins is kept, and that before the statistics are
//! known which the affine map between needs. Rounding never reverses an order, so the outputs are those of [`super::window::choose`] to
//! the bit, of finite values.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::geometry::LANES;
use super::window::{Windows, rows};
use crate::Real;

/// The winning value of each window of `y`, `(n, windows, c)`, under an affine map whose scale has the signs of `slope`.
#[inline(always)]
pub(super) fn winners<T: Real, const W: usize>(
    map: &Windows,
    y: &[T],
    slope: &[T],
    peak: &mut [T],
) {
    let c = slope.len();
    let images = y.chunks_exact(map.map_pixels() * c);
    for (y, peak) in images.zip(peak.chunks_exact_mut(map.len() * c)) {
        for (q, peak) in peak.chunks_exact_mut(c).enumerate() {
            let pixels = map.pixels::<W>(q);
            for (block, peak) in peak.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let first = block * LANES;
                *peak = winner(rows::<T, W, LANES>(&y[first..], pixels, c), &slope[first..]);
            }
        }
    }
}

/// For the first `L` channels of a window, whose values are `rows`: the greatest where the slope is not negative, the least where it
/// is. A NaN stays only if it is the first, as where every value is mapped before (a scale of 0 would make one of an infinite value there).
#[inline(always)]
fn winner<T: Real, const W: usize, const L: usize>(rows: [[T; L]; W], slope: &[T]) -> [T; L] {
    let slope = &slope[..L];
    let (mut greatest, mut least) = (rows[0], rows[0]);
    for row in &rows[1..] {
        for j in 0..L {
            greatest[j] = if row[j] > greatest[j] {
                row[j]
            } else {
                greatest[j]
            };
            least[j] = if row[j] < least[j] { row[j] } else { least[j] };
        }
    }
    for j in 0..L {
        greatest[j] = if slope[j] < T::ZERO {
            least[j]
        } else {
            greatest[j]
        };
    }
    greatest
}

/// `out = relu(scale * peak + shift)`, `(n, padded height, padded width, c)`, but for its border; without `rectify` the ReLU is left out.
#[inline(always)]
pub(super) fn activate<T: Real>(
    map: &Windows,
    peak: &[T],
    [scale, shift]: [&[T]; 2],
    rectify: bool,
    out: &mut [T],
) {
    let c = scale.len();
    // One length for all, or every value is checked against another and nothing becomes SIMD.
    let shift = &shift[..c];
    let images = peak.chunks_exact(map.len() * c);
    for (peak, out) in images.zip(out.chunks_exact_mut(map.padded_pixels() * c)) {
        for q in 0..map.len() {
            let (peak, out) = (&peak[q * c..][..c], &mut out[map.place(q) * c..][..c]);
            for j in 0..c {
                out[j] = activated(peak[j], scale[j], shift[j], rectify);
            }
        }
    }
}

/// As in [`super::window::choose`]: a NaN comes through.
#[inline(always)]
pub(super) fn activated<T: Real>(peak: T, scale: T, shift: T, rectify: bool) -> T {
    let value = peak.fma(scale, shift);
    if rectify && value <= T::ZERO {
        T::ZERO
    } else {
        value
    }
}
