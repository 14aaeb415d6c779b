//! The moments of windows of several channels. Products of two rows of the image are summed once, and belong to every pair of window
//! rows as far apart: a third of the arithmetic of whole windows.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::moments::{Moments, PLACES};
use crate::Real;
use crate::fused::geometry::Geometry;

/// Values of one register.
const BODY: usize = 8;

/// Adds the sums over the windows of padded images `(n, padded height, padded width, inputs)`.
#[inline(always)]
pub(super) fn add_channels<T: Real>(x: &[T], g: &Geometry, moments: &mut Moments) {
    let (taps, run) = (PLACES * g.inputs, 3 * g.inputs);
    let stored = taps.next_multiple_of(BODY);
    let (row_len, n_rows) = (g.padded_width() * g.inputs, g.height + 2);
    // Of one row of the image: the windows that begin there, and their sums.
    let mut windows = vec![0.0; g.out_width() * stored];
    let mut sums = vec![0.0; run * stored];
    let mut first = vec![0.0; run];
    for x in x.chunks_exact(g.in_len()) {
        for top in 0..n_rows {
            for (column, window) in windows.chunks_exact_mut(stored).enumerate() {
                for row in 0..3.min(n_rows - top) {
                    let from = (top + row) * row_len + column * g.stride * g.inputs;
                    let to = &mut window[row * run..][..run];
                    for (to, x) in to.iter_mut().zip(&x[from..][..run]) {
                        *to = x.wide();
                    }
                }
                // Below the image there is nothing.
                window[run * 3.min(n_rows - top)..].fill(0.0);
            }
            first.fill(0.0);
            for window in windows.chunks_exact(stored) {
                for (first, value) in first.iter_mut().zip(window) {
                    *first += value;
                }
            }
            let mut k = 0;
            while k < run {
                let sums = &mut sums[k * stored..];
                k += match run - k {
                    9.. => outer_sums::<9>(&windows, k, stored, sums),
                    6.. => outer_sums::<6>(&windows, k, stored, sums),
                    _ => outer_sums::<3>(&windows, k, stored, sums),
                };
            }
            // The window row at which this row of the image lies, of the windows that it belongs to.
            for row in 0..3 {
                let is_there = top >= row
                    && (top - row).is_multiple_of(g.stride)
                    && (top - row) / g.stride < g.out_height();
                if !is_there {
                    continue;
                }
                for i in 0..run {
                    let at = row * run + i;
                    moments.first[at] += first[i];
                    let second = &mut moments.second[at * taps..][..taps];
                    for (second, sum) in second[row * run..].iter_mut().zip(&sums[i * stored..]) {
                        *second += sum;
                    }
                }
            }
        }
    }
    // What lies below the blocks of the diagonal.
    for i in 0..taps {
        for j in 0..i / run * run {
            moments.second[i * taps + j] = moments.second[j * taps + i];
        }
    }
}

/// Writes `sum over windows of u[k + r] u` for `R` values of the window's first row; returns `R`.
#[inline(always)]
fn outer_sums<const R: usize>(windows: &[f64], k: usize, stored: usize, sums: &mut [f64]) -> usize {
    for first in (0..stored).step_by(BODY) {
        let mut acc = [[0.0_f64; BODY]; R];
        for window in windows.chunks_exact(stored) {
            let (mut few, mut body) = ([0.0; R], [0.0; BODY]);
            few.copy_from_slice(&window[k..][..R]);
            body.copy_from_slice(&window[first..][..BODY]);
            for r in 0..R {
                for i in 0..BODY {
                    acc[r][i] = few[r].mul_add(body[i], acc[r][i]);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            sums[r * stored + first..][..BODY].copy_from_slice(acc);
        }
    }
    R
}
