//! Kernels over pooling windows: the convolution at the pixels of a window is made in registers whenever it is needed.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::moments::TAPS;
use crate::Real;
use crate::fused::geometry::Geometry;
use crate::fused::peak::activated;
use crate::fused::window::{Chosen, Windows, choose_lanes, choose_tangent_lanes};

/// Weights with the output channels side by side: `(9, channels)`.
pub(super) type Taps<'a, T> = &'a [T];

/// The pixels under a pooling window of `W` pixels, `S` rows of `S`: 3 for one pixel, 4 for two times two.
type Patch<T, const S: usize> = [[T; S]; S];

/// Where each pooling window's patch begins in a padded image.
fn starts(g: &Geometry, windows: &Windows) -> Vec<usize> {
    (0..windows.len())
        .map(|q| g.window(windows.pixels::<1>(q)[0]))
        .collect()
}

#[inline(always)]
fn patch<T: Real, const S: usize>(x: &[T], start: usize, width: usize) -> Patch<T, S> {
    let mut patch = [[T::ZERO; S]; S];
    for row in 0..S {
        patch[row].copy_from_slice(&x[start + row * width..][..S]);
    }
    patch
}

/// What pixel `e` of the window multiplies with weight `tap`.
#[inline(always)]
fn value<T: Real, const S: usize>(patch: &Patch<T, S>, e: usize, tap: usize) -> T {
    let pixels_of_a_row = S - 2;
    patch[e / pixels_of_a_row + tap / 3][e % pixels_of_a_row + tap % 3]
}

/// The weights of `L` channels from `first` on.
#[inline(always)]
fn weights<T: Real, const L: usize>(taps: Taps<'_, T>, c: usize, first: usize) -> [[T; L]; TAPS] {
    let mut weights = [[T::ZERO; L]; TAPS];
    for tap in 0..TAPS {
        weights[tap].copy_from_slice(&taps[tap * c + first..][..L]);
    }
    weights
}

/// The convolution at the pixels of a window.
#[inline(always)]
fn convolved<T: Real, const W: usize, const S: usize, const L: usize>(
    patch: &Patch<T, S>,
    weights: &[[T; L]; TAPS],
) -> [[T; L]; W] {
    let mut sums = [[T::ZERO; L]; W];
    for tap in 0..TAPS {
        for e in 0..W {
            let value = value(patch, e, tap);
            for lane in 0..L {
                sums[e][lane] = value.fma(weights[tap][lane], sums[e][lane]);
            }
        }
    }
    sums
}

/// Convolution, affine map, ReLU and pooling of a group of images; as [`crate::fused::window::choose`] after a
/// convolution.
#[inline(always)]
pub(super) fn forward<T: Real, const W: usize, const S: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    taps: Taps<'_, T>,
    [scale, shift]: [&[T]; 2],
    chosen: Chosen<'_, T>,
) {
    let (c, starts) = (scale.len(), starts(g, windows));
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let weights = weights::<T, L>(taps, c, first);
            let affine = [&scale[first..], &shift[first..]];
            for (q, start) in starts.iter().enumerate() {
                let patch = patch::<T, S>(x, *start, g.padded_width());
                let at = (image * windows.len() + q) * c + first;
                let to = (image * windows.padded_pixels() + windows.place(q)) * c + first;
                let part = Chosen {
                    out: &mut chosen.out[to..],
                    choice: &mut chosen.choice[at..],
                    peak: &mut chosen.peak[at..],
                };
                choose_lanes(
                    convolved::<T, W, S, L>(&patch, &weights),
                    affine,
                    true,
                    part,
                );
            }
        }
    }
}

/// The output of [`forward`] alone.
#[inline(always)]
pub(super) fn outputs<T: Real, const W: usize, const S: usize, const L: usize>(
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
            let mut weights = weights::<T, L>(taps, c, first);
            let (mut slope, mut offset) = ([T::ZERO; L], [T::ZERO; L]);
            slope.copy_from_slice(&scale[first..][..L]);
            offset.copy_from_slice(&shift[first..][..L]);
            // With the sign of a negative scale taken into the weights, the greatest value always wins, and the least need not be looked for; no rounding knows a sign.
            for lane in 0..L {
                let sign = if slope[lane] < T::ZERO {
                    -T::ONE
                } else {
                    T::ONE
                };
                slope[lane] *= sign;
                for tap in 0..TAPS {
                    weights[tap][lane] *= sign;
                }
            }
            for (q, start) in starts.iter().enumerate() {
                let patch = patch::<T, S>(x, *start, g.padded_width());
                let rows = convolved::<T, W, S, L>(&patch, &weights);
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
pub(super) fn tangent<T: Real, const W: usize, const S: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    d_taps: Taps<'_, T>,
    [e0, e1, e2]: [&[T]; 3],
    (choice, peak): (&[u8], &[T]),
    d_peak: &mut [T],
    d_out: &mut [T],
) {
    let (c, starts) = (e0.len(), starts(g, windows));
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let weights = weights::<T, L>(d_taps, c, first);
            let affine = [&e0[first..], &e1[first..], &e2[first..]];
            for (q, start) in starts.iter().enumerate() {
                let patch = patch::<T, S>(x, *start, g.padded_width());
                let at = (image * windows.len() + q) * c + first;
                let to = (image * windows.padded_pixels() + windows.place(q)) * c + first;
                let sums = convolved::<T, W, S, L>(&patch, &weights);
                let chosen = (&choice[at..], &peak[at..]);
                let results = (&mut d_peak[at..], &mut d_out[to..]);
                choose_tangent_lanes(sums, affine, chosen, results);
            }
        }
    }
}

/// `sum over windows of g * (the chosen pixel's window)`, `(9, channels)`: the sparse part of the weight gradient of a
/// group of images.
#[inline(always)]
pub(super) fn weight_gradient<T: Real, const W: usize, const S: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    gradient: &[T],
    choice: &[u8],
    c: usize,
) -> Vec<T> {
    let (mut sums, starts) = (vec![T::ZERO; TAPS * c], starts(g, windows));
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let mut acc = [[T::ZERO; L]; TAPS];
            for (q, start) in starts.iter().enumerate() {
                let patch = patch::<T, S>(x, *start, g.padded_width());
                let at = (image * windows.len() + q) * c + first;
                // Fixed copies and one comparison in bytes for each pixel: selections, no branches.
                let (mut all, mut pixel) = ([T::ZERO; L], [0_u8; L]);
                all.copy_from_slice(&gradient[at..][..L]);
                pixel.copy_from_slice(&choice[at..][..L]);
                for e in 0..W {
                    #[allow(clippy::cast_possible_truncation, reason = "W is at most 4")]
                    let this = e as u8;
                    let mut here = [T::ZERO; L];
                    for lane in 0..L {
                        here[lane] = if pixel[lane] == this {
                            all[lane]
                        } else {
                            T::ZERO
                        };
                    }
                    for tap in 0..TAPS {
                        let value = value(&patch, e, tap);
                        for lane in 0..L {
                            acc[tap][lane] = value.fma(here[lane], acc[tap][lane]);
                        }
                    }
                }
            }
            for (tap, acc) in acc.iter().enumerate() {
                for (sum, acc) in sums[tap * c + first..][..L].iter_mut().zip(acc) {
                    *sum += *acc;
                }
            }
        }
    }
    sums
}
