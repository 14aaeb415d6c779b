//! Convolution of a group of images by register tiles.

use std::sync::Arc;

use super::arena::{Arena, Buffer};
use super::geometry::Geometry;
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
            weights[(out * g.c_in + input) * taps + tap]
        })
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(super) fn pack_transposed(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        let taps = g.kernel * g.kernel;
        Self::build(arena, taps, g.c_out, g.c_in, |tap, input, out| {
            weights[(input * g.c_in + out) * taps + taps - 1 - tap]
        })
    }

    /// `weight(tap, input channel, output channel)` for every place.
    fn build(
        arena: &Arc<Arena<T>>,
        taps: usize,
        c_in: usize,
        c_out: usize,
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        let (lanes, fan_in) = (simd::lanes::<T>(c_out), taps * c_in);
        let mut values = arena.zeros(c_out.div_ceil(lanes) * fan_in * lanes);
        for (block, panel) in values.chunks_exact_mut(fan_in * lanes).enumerate() {
            let first = block * lanes;
            for (row, values) in panel.chunks_exact_mut(lanes).enumerate() {
                let (tap, input) = (row / c_in, row % c_in);
                for (lane, value) in values[..lanes.min(c_out - first)].iter_mut().enumerate() {
                    *value = weight(tap, input, first + lane);
                }
            }
        }
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
                let mut sums = [[T::ZERO; L]; ROWS];
                if g.c_in == 1 && g.kernel == 3 {
                    single_channel_tile(&mut sums, x, starts, panel, g);
                } else {
                    tile(&mut sums, x, starts, panel, g);
                }
                for (i, sums) in sums.iter().enumerate().take(n_pixels - first) {
                    let y = &mut y[(first + i) * g.c_out + block * L..][..lanes];
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
        }
    }
}

/// Each row of a window is one run of `kernel * c_in` values.
#[inline(always)]
fn tile<T: Real, const L: usize>(
    sums: &mut [[T; L]; ROWS],
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

/// The same for runs of three values, too short for a loop each: the window is gathered first.
#[inline(always)]
fn single_channel_tile<T: Real, const L: usize>(
    sums: &mut [[T; L]; ROWS],
    x: &[T],
    starts: [usize; ROWS],
    panel: &[[T; L]],
    g: &Geometry,
) {
    let mut windows = [[T::ZERO; 9]; ROWS];
    for (window, start) in windows.iter_mut().zip(starts) {
        for row in 0..3 {
            window[3 * row..][..3].copy_from_slice(&x[start + row * g.padded_width()..][..3]);
        }
    }
    multiply_add(sums, std::array::from_fn(|i| &windows[i][..]), &panel[..9]);
}

/// `sums[i] += sum_k x[i][k] * w[k]`, k in order.
#[inline(always)]
pub(super) fn multiply_add<T: Real, const L: usize>(
    sums: &mut [[T; L]; ROWS],
    x: [&[T]; ROWS],
    w: &[[T; L]],
) {
    let mut acc = *sums;
    let n = w.len();
    let x: [&[T]; ROWS] = std::array::from_fn(|i| &x[i][..n]);
    for k in 0..n {
        for i in 0..ROWS {
            let value = x[i][k];
            for lane in 0..L {
                acc[i][lane] = value.fma(w[k][lane], acc[i][lane]);
            }
        }
    }
    *sums = acc;
}
