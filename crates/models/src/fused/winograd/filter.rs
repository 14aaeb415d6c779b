//! Weights as the products take them, and their gradient back from there.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use std::sync::Arc;

use rayon::prelude::*;

use super::lines::{WeightGradient, Weights, both_sides};
use super::tiles::{PLACES, SIDE, plane_stride};
use crate::Real;
use crate::fused::arena::{Arena, Buffer};
use crate::fused::geometry::{Geometry, LANES};
use crate::fused::simd;

/// Weights of a kernel.
const TAPS: usize = 9;

/// Input channels that are gathered before they are transformed: lanes read right after their values were written one at
/// a time would wait for them.
const AHEAD: usize = 16;

/// `G w G^T`: for each block of `lanes` output channels and each place a panel of `(c_in, lanes)`.
#[derive(Debug)]
pub(in crate::fused) struct Filter<T: Real> {
    values: Buffer<T>,
    lanes: usize,
    c_in: usize,
}

impl<T: Real> Filter<T> {
    /// From PyTorch's order (out, in, kernel row, kernel column).
    pub(in crate::fused) fn pack(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        let (kernels, _) = weights.as_chunks::<TAPS>();
        Self::build(
            arena,
            g.c_in,
            g.c_out,
            #[inline(always)]
            |input, out| match g.kernel_of(input, out) {
                Some(at) => kernels[at],
                None => [T::ZERO; TAPS],
            },
        )
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(in crate::fused) fn pack_transposed(
        weights: &[T],
        g: &Geometry,
        arena: &Arc<Arena<T>>,
    ) -> Self {
        let (kernels, _) = weights.as_chunks::<TAPS>();
        Self::build(
            arena,
            g.c_out,
            g.c_in,
            #[inline(always)]
            |input, out| {
                let mut turned = [T::ZERO; TAPS];
                if let Some(at) = g.kernel_of(out, input) {
                    for tap in 0..TAPS {
                        turned[tap] = kernels[at][TAPS - 1 - tap];
                    }
                }
                turned
            },
        )
    }

    /// `kernel(input channel, output channel)` has the nine weights of each.
    fn build(
        arena: &Arc<Arena<T>>,
        c_in: usize,
        c_out: usize,
        kernel: impl Fn(usize, usize) -> [T; TAPS] + Sync,
    ) -> Self {
        let lanes = simd::lanes::<T>(c_out);
        let len = PLACES * rows_of_place(c_in) * lanes;
        // Lanes past the last channel are never read.
        let mut values = arena.take(c_out.div_ceil(lanes) * len);
        let blocks = values.par_chunks_exact_mut(len);
        blocks.enumerate().for_each(|(block, values)| {
            simd::dispatch(
                #[inline(always)]
                || {
                    let first = block * lanes;
                    for lane in (0..lanes.min(c_out - first)).step_by(LANES) {
                        transform(
                            values,
                            c_in,
                            (lanes, lane),
                            #[inline(always)]
                            |input, out| kernel(input, first + out),
                        );
                    }
                },
            );
        });
        Self {
            values,
            lanes,
            c_in,
        }
    }

    /// Output channels of a register tile.
    pub(in crate::fused) fn lanes(&self) -> usize {
        self.lanes
    }

    #[inline(always)]
    pub(super) fn panel<const L: usize>(&self, place: usize, block: usize) -> &[[T; L]] {
        debug_assert_eq!(self.lanes, L, "packed for another tile");
        let first = (block * PLACES + place) * rows_of_place(self.c_in);
        &self.values.as_chunks::<L>().0[first..][..self.c_in]
    }
}

/// With one row between the places, for the reason given at [`super::plane_stride`].
fn rows_of_place(c_in: usize) -> usize {
    c_in + 1
}

/// Fills the lanes `lane .. lane + LANES` of a block's panels.
#[inline(always)]
fn transform<T: Real>(
    values: &mut [T],
    c_in: usize,
    (lanes, lane): (usize, usize),
    kernel: impl Fn(usize, usize) -> [T; TAPS],
) {
    let mut w = [[[[T::ZERO; LANES]; 3]; 3]; AHEAD];
    let mut half = [[[[T::ZERO; LANES]; 3]; SIDE]];
    for ahead in (0..c_in).step_by(AHEAD) {
        for (input, w) in (ahead..c_in).zip(&mut w) {
            for i in 0..LANES {
                let kernel = kernel(input, lane + i);
                for tap in 0..TAPS {
                    w[tap / 3][tap % 3][i] = kernel[tap];
                }
            }
        }
        for (input, w) in (ahead..c_in).zip(&w) {
            both_sides::<Weights, T, 3, SIDE>(
                &mut half,
                #[inline(always)]
                |_, [i, j]| w[i][j],
                #[inline(always)]
                |_, [i, j], value| {
                    let row = (i * SIDE + j) * rows_of_place(c_in) + input;
                    values[row * lanes + lane..][..LANES].copy_from_slice(value);
                },
            );
        }
    }
}

/// `dw = G^T dU G`, or `dw += ..`, `(kernel row, kernel column, c_in, c_out)`, where `du` is `(36, c_in, c_out)` with gaps.
#[inline(always)]
pub(super) fn gradient_from_places<T: Real>(
    du: &[T],
    dw: &mut [T],
    g: &Geometry,
    accumulate: bool,
) {
    let (stride, len) = (plane_stride(g.c_in, g.c_out), g.c_in * g.c_out);
    let mut half = [[[[T::ZERO; LANES]; SIDE]; 3]];
    for at in (0..len).step_by(LANES) {
        both_sides::<WeightGradient, T, SIDE, 3>(
            &mut half,
            #[inline(always)]
            |_, [i, j]| {
                let mut u = [T::ZERO; LANES];
                u.copy_from_slice(&du[(i * SIDE + j) * stride + at..][..LANES]);
                u
            },
            #[inline(always)]
            |_, [i, j], values| {
                let to = &mut dw[(3 * i + j) * len + at..][..LANES];
                if accumulate {
                    for (to, value) in to.iter_mut().zip(values) {
                        *to += *value;
                    }
                } else {
                    to.copy_from_slice(values);
                }
            },
        );
    }
}
