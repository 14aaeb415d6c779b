//! Weights as the products take them, and their gradient back from there.

use super::{LANES, PLACES};
use crate::Real;
use crate::fused::geometry::Geometry;
use crate::fused::simd;

/// `G w G^T`: for each place and each block of `lanes` output channels a panel of `(c_in, lanes)`.
#[derive(Debug)]
pub(in crate::fused) struct Filter<T> {
    values: Vec<T>,
    lanes: usize,
    c_in: usize,
    n_blocks: usize,
}

impl<T: Real> Filter<T> {
    /// From PyTorch's order (out, in, kernel row, kernel column).
    pub(in crate::fused) fn pack(weights: &[T], g: &Geometry) -> Self {
        Self::build(g.c_in, g.c_out, |tap, input, out| {
            weights[(out * g.c_in + input) * 9 + tap]
        })
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(in crate::fused) fn pack_transposed(weights: &[T], g: &Geometry) -> Self {
        Self::build(g.c_out, g.c_in, |tap, input, out| {
            weights[(input * g.c_in + out) * 9 + 8 - tap]
        })
    }

    /// `weight(tap, input channel, output channel)` for every place.
    fn build(c_in: usize, c_out: usize, weight: impl Fn(usize, usize, usize) -> T) -> Self {
        let lanes = simd::lanes::<T>(c_out);
        let n_blocks = c_out.div_ceil(lanes);
        let mut values = vec![T::ZERO; PLACES * n_blocks * c_in * lanes];
        simd::dispatch(
            #[inline(always)]
            || {
                for first in (0..c_out).step_by(LANES) {
                    let (block, lane) = (first / lanes, first % lanes);
                    for input in 0..c_in {
                        let mut w = [[T::ZERO; LANES]; 9];
                        for (tap, w) in w.iter_mut().enumerate() {
                            for (i, w) in w.iter_mut().enumerate() {
                                *w = weight(tap, input, first + i);
                            }
                        }
                        for (place, value) in stretched(&w).into_iter().enumerate() {
                            let row = (place * n_blocks + block) * c_in + input;
                            values[row * lanes + lane..][..LANES].copy_from_slice(&value);
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
        let first = (place * self.n_blocks + block) * self.c_in;
        &self.values.as_chunks::<L>().0[first..][..self.c_in]
    }
}

/// `G w G^T`, with G's rows (1, 0, 0), (1/2, 1/2, 1/2), (1/2, -1/2, 1/2), (0, 0, 1).
#[inline(always)]
fn stretched<T: Real>(w: &[[T; LANES]; 9]) -> [[T; LANES]; PLACES] {
    let half_of = T::of(0.5);
    let mut out = [[T::ZERO; LANES]; PLACES];
    for lane in 0..LANES {
        let mut half = [T::ZERO; 12];
        for column in 0..3 {
            let (a, b, c) = (w[column][lane], w[3 + column][lane], w[6 + column][lane]);
            half[column] = a;
            half[3 + column] = (a + c + b) * half_of;
            half[6 + column] = (a + c - b) * half_of;
            half[9 + column] = c;
        }
        for row in 0..4 {
            let (a, b, c) = (half[3 * row], half[3 * row + 1], half[3 * row + 2]);
            out[4 * row][lane] = a;
            out[4 * row + 1][lane] = (a + c + b) * half_of;
            out[4 * row + 2][lane] = (a + c - b) * half_of;
            out[4 * row + 3][lane] = c;
        }
    }
    out
}

/// Adds `G^T dU G` to weights in PyTorch's order, where `sum` is `dU`, `(16, c_in, c_out)`.
pub(in crate::fused) fn add_in_torch_order<T: Real>(sum: &[T], weights: &mut [T], g: &Geometry) {
    let plane = g.c_in * g.c_out;
    simd::dispatch(
        #[inline(always)]
        || {
            for input in 0..g.c_in {
                for first in (0..g.c_out).step_by(LANES) {
                    let mut u = [[T::ZERO; LANES]; PLACES];
                    for (place, u) in u.iter_mut().enumerate() {
                        let at = place * plane + input * g.c_out + first;
                        u.copy_from_slice(&sum[at..][..LANES]);
                    }
                    for (tap, values) in shrunk(&u).into_iter().enumerate() {
                        for (i, value) in values.into_iter().enumerate() {
                            weights[((first + i) * g.c_in + input) * 9 + tap] += value;
                        }
                    }
                }
            }
        },
    );
}

/// `G^T u G`.
#[inline(always)]
fn shrunk<T: Real>(u: &[[T; LANES]; PLACES]) -> [[T; LANES]; 9] {
    let half_of = T::of(0.5);
    let mut out = [[T::ZERO; LANES]; 9];
    for lane in 0..LANES {
        let mut half = [T::ZERO; 12];
        for column in 0..4 {
            let (a, b) = (u[column][lane], u[4 + column][lane]);
            let (c, d) = (u[8 + column][lane], u[12 + column][lane]);
            let sum = (b + c) * half_of;
            half[column] = a + sum;
            half[4 + column] = (b - c) * half_of;
            half[8 + column] = sum + d;
        }
        for row in 0..3 {
            let (a, b) = (half[4 * row], half[4 * row + 1]);
            let (c, d) = (half[4 * row + 2], half[4 * row + 3]);
            let sum = (b + c) * half_of;
            out[3 * row][lane] = a + sum;
            out[3 * row + 1][lane] = (b - c) * half_of;
            out[3 * row + 2][lane] = sum + d;
        }
    }
    out
}
