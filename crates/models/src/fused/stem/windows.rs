//! Kernels over pooling windows: the convolution at the pixels of a window is made in registers whenever it is needed.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::filter::{Filter, Taps};
use crate::Real;
use crate::fused::geometry::Geometry;
use crate::fused::peak::activated;
use crate::fused::window::{Chosen, Windows, choose_lanes, choose_tangent_lanes};

/// Where each pooling window's pixels begin in a padded image.
pub(super) fn starts(g: &Geometry, windows: &Windows) -> Vec<usize> {
    (0..windows.len())
        .map(|q| g.window(windows.pixels::<1>(q)[0]) * g.inputs)
        .collect()
}

/// Convolution, affine map, ReLU and pooling of a group of images; as [`crate::fused::window::choose`] after a
/// convolution.
#[inline(always)]
pub(super) fn forward<T: Real, const W: usize, const L: usize, F: Filter<T, W, L>>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    taps: Taps<'_, T>,
    [scale, shift]: [&[T]; 2],
    chosen: Chosen<'_, T>,
) {
    let (c, starts) = (scale.len(), starts(g, windows));
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let filter = F::at(
                g,
                taps,
                first,
                #[inline(always)]
                |_| T::ONE,
            );
            let affine = [&scale[first..], &shift[first..]];
            for (q, start) in starts.iter().enumerate() {
                let at = (image * windows.len() + q) * c + first;
                let to = (image * windows.padded_pixels() + windows.place(q)) * c + first;
                let part = Chosen {
                    out: &mut chosen.out[to..],
                    choice: &mut chosen.choice[at..],
                    peak: &mut chosen.peak[at..],
                };
                choose_lanes(filter.convolved(x, *start), affine, true, part);
            }
        }
    }
}

/// The output of [`forward`] alone.
#[inline(always)]
pub(super) fn outputs<T: Real, const W: usize, const L: usize, F: Filter<T, W, L>>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    taps: Taps<'_, T>,
    [scale, shift]: [&[T]; 2],
    out: &mut [T],
) {
    let (c, starts) = (scale.len(), starts(g, windows));
    let images = x.chunks_exact(g.in_len());
    for (x, out) in images.zip(out.chunks_exact_mut(windows.padded_pixels() * c)) {
        for first in (0..c).step_by(L) {
            let (mut slope, mut offset) = ([T::ZERO; L], [T::ZERO; L]);
            slope.copy_from_slice(&scale[first..][..L]);
            offset.copy_from_slice(&shift[first..][..L]);
            // With the sign of a negative scale taken into the weights, the greatest value always wins, and the least need not be looked for; no rounding knows a sign.
            let mut sign = [T::ONE; L];
            for lane in 0..L {
                if slope[lane] < T::ZERO {
                    sign[lane] = -T::ONE;
                }
                slope[lane] *= sign[lane];
            }
            let filter = F::at(
                g,
                taps,
                first,
                #[inline(always)]
                |lane| sign[lane],
            );
            for (q, start) in starts.iter().enumerate() {
                let rows = filter.convolved(x, *start);
                let mut peak = rows[0];
                for row in &rows[1..] {
                    for lane in 0..L {
                        peak[lane] = if row[lane] > peak[lane] {
                            row[lane]
                        } else {
                            peak[lane]
                        };
                    }
                }
                let out = &mut out[windows.place(q) * c + first..][..L];
                for lane in 0..L {
                    out[lane] = activated(peak[lane], slope[lane], offset[lane], true);
                }
            }
        }
    }
}

/// The tangent of [`forward`]: `d_out = e0 + e1 * peak + e2 * (convolution with the tangent weights at the chosen
/// pixel)`, which is also stored.
#[inline(always)]
pub(super) fn tangent<T: Real, const W: usize, const L: usize, F: Filter<T, W, L>>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    d_taps: Taps<'_, T>,
    [e0, e1, e2]: [&[T]; 3],
    (choice, peak): (&[u8], &[T]),
    (d_peak, d_out): (&mut [T], &mut [T]),
) {
    let (c, starts) = (e0.len(), starts(g, windows));
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let filter = F::at(
                g,
                d_taps,
                first,
                #[inline(always)]
                |_| T::ONE,
            );
            let affine = [&e0[first..], &e1[first..], &e2[first..]];
            for (q, start) in starts.iter().enumerate() {
                let at = (image * windows.len() + q) * c + first;
                let to = (image * windows.padded_pixels() + windows.place(q)) * c + first;
                let sums = filter.convolved(x, *start);
                let chosen = (&choice[at..], &peak[at..]);
                let results = (&mut d_peak[at..], &mut d_out[to..]);
                choose_tangent_lanes(sums, affine, chosen, results);
            }
        }
    }
}
