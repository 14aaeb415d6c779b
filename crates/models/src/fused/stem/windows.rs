//! Kernels over pooling windows: the convolution at the pixels of a window is made in registers whenever it is needed.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::moments::TAPS;
use crate::Real;
use crate::fused::geometry::Geometry;
use crate::fused::window::{Chosen, Windows, choose_lanes, choose_tangent_lanes};

/// Weights with the output channels side by side: `(9, channels)`.
pub(super) type Taps<'a, T> = &'a [T];

/// Where the pixels of a window take their values from: `W` pixels, nine taps each.
#[inline(always)]
fn window<T: Real, const W: usize>(
    x: &[T],
    g: &Geometry,
    windows: &Windows,
    q: usize,
) -> [[T; TAPS]; W] {
    let mut values = [[T::ZERO; TAPS]; W];
    for (values, p) in values.iter_mut().zip(windows.pixels::<W>(q)) {
        let start = g.window(p);
        for row in 0..3 {
            values[3 * row..][..3].copy_from_slice(&x[start + row * g.padded_width()..][..3]);
        }
    }
    values
}

/// The convolution at the pixels of a window, for `L` channels from `first` on.
#[inline(always)]
fn convolved<T: Real, const W: usize, const L: usize>(
    values: &[[T; TAPS]; W],
    taps: Taps<'_, T>,
    c: usize,
    first: usize,
) -> [[T; L]; W] {
    let mut sums = [[T::ZERO; L]; W];
    for tap in 0..TAPS {
        let mut weights = [T::ZERO; L];
        weights.copy_from_slice(&taps[tap * c + first..][..L]);
        for e in 0..W {
            for lane in 0..L {
                sums[e][lane] = values[e][tap].fma(weights[lane], sums[e][lane]);
            }
        }
    }
    sums
}

/// Convolution, affine map, ReLU and pooling of a group of images; as [`crate::fused::window::choose`] after a
/// convolution.
#[inline(always)]
pub(super) fn forward<T: Real, const W: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    taps: Taps<'_, T>,
    [scale, shift]: [&[T]; 2],
    chosen: Chosen<'_, T>,
) {
    let c = scale.len();
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for q in 0..windows.len() {
            let values = window::<T, W>(x, g, windows, q);
            let at = (image * windows.len() + q) * c;
            let to = (image * windows.padded_pixels() + windows.place(q)) * c;
            for first in (0..c).step_by(L) {
                let sums = convolved::<T, W, L>(&values, taps, c, first);
                let affine = [&scale[first..], &shift[first..]];
                let part = Chosen {
                    out: &mut chosen.out[to + first..],
                    choice: &mut chosen.choice[at + first..],
                    peak: &mut chosen.peak[at + first..],
                };
                choose_lanes(sums, affine, true, part);
            }
        }
    }
}

/// The tangent of [`forward`]: `d_out = e0 + e1 * peak + e2 * (convolution with the tangent weights at the chosen
/// pixel)`, which is also stored.
#[inline(always)]
pub(super) fn tangent<T: Real, const W: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    d_taps: Taps<'_, T>,
    [e0, e1, e2]: [&[T]; 3],
    (choice, peak): (&[u8], &[T]),
    d_peak: &mut [T],
    d_out: &mut [T],
) {
    let c = e0.len();
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for q in 0..windows.len() {
            let values = window::<T, W>(x, g, windows, q);
            let at = (image * windows.len() + q) * c;
            let to = (image * windows.padded_pixels() + windows.place(q)) * c;
            for first in (0..c).step_by(L) {
                let sums = convolved::<T, W, L>(&values, d_taps, c, first);
                let affine = [&e0[first..], &e1[first..], &e2[first..]];
                let chosen = (&choice[at + first..], &peak[at + first..]);
                let results = (&mut d_peak[at + first..], &mut d_out[to + first..]);
                choose_tangent_lanes(sums, affine, chosen, results);
            }
        }
    }
}

/// `sum over windows of g * (the chosen pixel's window)`, `(9, channels)`: the sparse part of the weight gradient of a
/// group of images.
#[inline(always)]
pub(super) fn weight_gradient<T: Real, const W: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    gradient: &[T],
    choice: &[u8],
    c: usize,
) -> Vec<T> {
    let mut sums = vec![T::ZERO; TAPS * c];
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let mut acc = [[T::ZERO; L]; TAPS];
            for q in 0..windows.len() {
                let values = window::<T, W>(x, g, windows, q);
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
                        for lane in 0..L {
                            acc[tap][lane] = values[e][tap].fma(here[lane], acc[tap][lane]);
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
