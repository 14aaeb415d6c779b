//! Convolution of a group of images by register tiles.

use std::sync::Arc;

use rayon::prelude::*;

use super::arena::{Arena, Buffer};
use super::geometry::{Geometry, LANES};
use super::simd;
use crate::Real;

/// Pixels of a register tile.
pub(super) const ROWS: usize = 6;

/// Weights packed for [`convolve`]: for each block of `lanes` output channels, a row of lanes for each weight of the
/// window, in the order (window row, window column, input channel).
#[derive(Debug)]
pub(super) struct Panels<T: Real> {
    values: Buffer<T>,
    lanes: usize,
    fan_in: usize,
}

impl<T: Real> Panels<T> {
    /// From PyTorch's order (out, in, kernel row, kernel column).
    pub(super) fn pack(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        let taps = g.kernel * g.kernel;
        Self::build(arena, taps, g.c_in, g.c_out, |tap, input, out| {
            let kernel = g.kernel_of(input, out);
            kernel.map_or(T::ZERO, |kernel| weights[kernel * taps + tap])
        })
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(super) fn pack_transposed(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        let taps = g.kernel * g.kernel;
        Self::build(arena, taps, g.c_out, g.c_in, |tap, input, out| {
            let kernel = g.kernel_of(out, input);
            kernel.map_or(T::ZERO, |kernel| weights[kernel * taps + taps - 1 - tap])
        })
    }

    /// `weight(tap, input channel, output channel)` for every place.
    fn build(
        arena: &Arc<Arena<T>>,
        taps: usize,
        c_in: usize,
        c_out: usize,
        weight: impl Fn(usize, usize, usize) -> T + Sync,
    ) -> Self {
        let (lanes, fan_in) = (simd::lanes::<T>(c_out), taps * c_in);
        let mut values = arena.zeros(c_out.div_ceil(lanes) * fan_in * lanes);
        let panels = values.par_chunks_exact_mut(fan_in * lanes);
        panels.enumerate().for_each(|(block, panel)| {
            let first = block * lanes;
            for (row, values) in panel.chunks_exact_mut(lanes).enumerate() {
                let (tap, input) = (row / c_in, row % c_in);
                for (lane, value) in values[..lanes.min(c_out - first)].iter_mut().enumerate() {
                    *value = weight(tap, input, first + lane);
                }
            }
        });
        Self {
            values,
            lanes,
            fan_in,
        }
    }

    /// Output channels of a register tile.
    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    fn block<const L: usize>(&self, block: usize) -> &[[T; L]] {
        debug_assert_eq!(self.lanes, L, "packed for another tile");
        &self.values.as_chunks::<L>().0[block * self.fan_in..][..self.fan_in]
    }
}

/// `y = x * w`, or `y += x * w`.
///
/// `x`: `(n, padded height, padded width, c_in)`; `y`: `(n, out_height, out_width, c_out)`. To be called inside
/// [`super::simd::dispatch`]; `L` lanes of channels are one register tile, and `L` does not change any bit.
#[inline(always)]
pub(super) fn convolve<T: Real, const L: usize>(
    x: &[T],
    panels: &Panels<T>,
    y: &mut [T],
    g: &Geometry,
    accumulate: bool,
) {
    // Enough pixels to use a panel often while their inputs stay in the second-level cache.
    let n_images = (392 / g.out_pixels()).max(1);
    for (x, y) in x
        .chunks(n_images * g.in_len())
        .zip(y.chunks_mut(n_images * g.out_len()))
    {
        let n_pixels = y.len() / g.c_out;
        for block in 0..g.c_out.div_ceil(L) {
            let panel = panels.block::<L>(block);
            let lanes = L.min(g.c_out - block * L);
            for first in (0..n_pixels).step_by(ROWS) {
                let mut starts = [0; ROWS];
                for (i, start) in starts.iter_mut().enumerate() {
                    let p = (first + i).min(n_pixels - 1);
                    *start =
                        p / g.out_pixels() * g.in_len() + g.window(p % g.out_pixels()) * g.c_in;
                }
                let y = &mut y[first * g.c_out + block * L..];
                if lanes <= LANES {
                    let mut sums = [[T::ZERO; LANES]; ROWS];
                    tile(&mut sums, x, starts, panel, g);
                    store(&sums[..ROWS.min(n_pixels - first)], y, lanes, g, accumulate);
                } else {
                    let mut sums = [[T::ZERO; L]; ROWS];
                    tile(&mut sums, x, starts, panel, g);
                    store(&sums[..ROWS.min(n_pixels - first)], y, lanes, g, accumulate);
                }
            }
        }
    }
}

/// Writes the first `lanes` channels of some pixels, or adds them.
#[inline(always)]
fn store<T: Real, const L: usize>(
    sums: &[[T; L]],
    y: &mut [T],
    lanes: usize,
    g: &Geometry,
    accumulate: bool,
) {
    for (sums, y) in sums.iter().zip(y.chunks_mut(g.c_out)) {
        let y = &mut y[..lanes];
        if accumulate {
            for (y, sum) in y.iter_mut().zip(sums) {
                *y += *sum;
            }
        } else if lanes == L {
            y.copy_from_slice(sums);
        } else {
            y.copy_from_slice(&sums[..lanes]);
        }
    }
}

/// Each row of a window is one run of `kernel * c_in` values.
#[inline(always)]
fn tile<T: Real, const M: usize, const L: usize>(
    sums: &mut [[T; M]; ROWS],
    x: &[T],
    starts: [usize; ROWS],
    panel: &[[T; L]],
    g: &Geometry,
) {
    let run = g.kernel * g.c_in;
    for (row, panel) in panel.chunks_exact(run).enumerate() {
        let offset = row * g.padded_width() * g.c_in;
        multiply_add(
            sums,
            std::array::from_fn(|i| &x[starts[i] + offset..]),
            panel,
        );
    }
}

/// `sums[i] += sum_k x[i][k] * w[k]`, k in order, for the first `M` of `L` lanes.
#[inline(always)]
pub(super) fn multiply_add<T: Real, const R: usize, const M: usize, const L: usize>(
    sums: &mut [[T; M]; R],
    x: [&[T]; R],
    w: &[[T; L]],
) {
    let mut acc = *sums;
    let n = w.len();
    let x: [&[T]; R] = std::array::from_fn(|i| &x[i][..n]);
    for k in 0..n {
        for i in 0..R {
            let value = x[i][k];
            for lane in 0..M {
                acc[i][lane] = value.fma(w[k][lane], acc[i][lane]);
            }
        }
    }
    *sums = acc;
}
