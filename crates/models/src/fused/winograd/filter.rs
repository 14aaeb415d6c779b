//! Weights as the products take them, and their gradient back from there.

use std::sync::Arc;

use super::lines::{WeightGradient, Weights, both_sides};
use super::{LANES, PLACES, SIDE, plane_stride};
use crate::Real;
use crate::fused::arena::{Arena, Buffer};
use crate::fused::geometry::Geometry;
use crate::fused::simd;

/// Input channels that are gathered before they are transformed: lanes read right after their values were written one at
/// a time would wait for them.
const AHEAD: usize = 16;

/// `G w G^T`: for each place and each block of `lanes` output channels a panel of `(c_in, lanes)`.
#[derive(Debug)]
pub(in crate::fused) struct Filter<T: Real> {
    values: Buffer<T>,
    lanes: usize,
    c_in: usize,
    n_blocks: usize,
}

impl<T: Real> Filter<T> {
    /// From PyTorch's order (out, in, kernel row, kernel column).
    pub(in crate::fused) fn pack(weights: &[T], g: &Geometry, arena: &Arc<Arena<T>>) -> Self {
        Self::build(arena, g.c_in, g.c_out, |tap, input, out| {
            weights[(out * g.c_in + input) * 9 + tap]
        })
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(in crate::fused) fn pack_transposed(
        weights: &[T],
        g: &Geometry,
        arena: &Arc<Arena<T>>,
    ) -> Self {
        Self::build(arena, g.c_out, g.c_in, |tap, input, out| {
            weights[(input * g.c_in + out) * 9 + 8 - tap]
        })
    }

    /// `weight(tap, input channel, output channel)` for every place.
    fn build(
        arena: &Arc<Arena<T>>,
        c_in: usize,
        c_out: usize,
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        let lanes = simd::lanes::<T>(c_out);
        let n_blocks = c_out.div_ceil(lanes);
        // Lanes past the last channel are multiplied too.
        let len = PLACES * rows_of_place(n_blocks, c_in) * lanes;
        let mut values = if c_out.is_multiple_of(lanes) {
            arena.take(len)
        } else {
            arena.zeros(len)
        };
        simd::dispatch(
            #[inline(always)]
            || {
                let mut w = [[[[T::ZERO; LANES]; 3]; 3]; AHEAD];
                let mut half = [[[[T::ZERO; LANES]; 3]; SIDE]];
                for first in (0..c_out).step_by(LANES) {
                    let (block, lane) = (first / lanes, first % lanes);
                    for ahead in (0..c_in).step_by(AHEAD) {
                        for (input, w) in (ahead..c_in).zip(&mut w) {
                            for (tap, w) in w.iter_mut().flatten().enumerate() {
                                for (i, w) in w.iter_mut().enumerate() {
                                    *w = weight(tap, input, first + i);
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
                                    let row = (i * SIDE + j) * rows_of_place(n_blocks, c_in);
                                    let at = (row + block * c_in + input) * lanes + lane;
                                    values[at..][..LANES].copy_from_slice(value);
                                },
                            );
                        }
                    }
                }
            },
        );
        Self {
            values,
            lanes,
            c_in,
            n_blocks,
        }
    }

    /// Output channels of a register tile.
    pub(in crate::fused) fn lanes(&self) -> usize {
        self.lanes
    }

    #[inline(always)]
    pub(super) fn panel<const L: usize>(&self, place: usize, block: usize) -> &[[T; L]] {
        debug_assert_eq!(self.lanes, L, "packed for another tile");
        let first = place * rows_of_place(self.n_blocks, self.c_in) + block * self.c_in;
        &self.values.as_chunks::<L>().0[first..][..self.c_in]
    }
}

/// With one row between the places, for the reason given at [`super::plane_stride`].
fn rows_of_place(n_blocks: usize, c_in: usize) -> usize {
    n_blocks * c_in + 1
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
