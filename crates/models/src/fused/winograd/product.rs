//! The 36 matrix products, between the transforms.

use super::filter::{Filter, gradient_from_places};
use super::tiles::{PLACES, Tiles, pass, plane_stride, weight_pass};
use super::transform::{of_gradient, of_input, to_output};
use crate::Real;
use crate::fused::arena::{Arena, Buffer};
use crate::fused::conv::{ROWS, multiply_add};
use crate::fused::geometry::{Geometry, LANES};
use std::sync::Arc;

/// The transformed map of a pass.
pub(in crate::fused) struct Scratch<T: Real> {
    input: Buffer<T>,
    nothing: Buffer<T>,
    arena: Arc<Arena<T>>,
}

impl<T: Real> Scratch<T> {
    pub(in crate::fused) fn new(arena: &Arc<Arena<T>>, g: &Geometry) -> Self {
        // The transposed convolution exchanges the channels.
        let channels = g.c_in.max(g.c_out);
        Self {
            input: arena.take(PLACES * plane_stride(weight_pass(g), channels)),
            nothing: arena.zeros(channels),
            arena: Arc::clone(arena),
        }
    }
}

/// `y = x * w`, or `y += x * w`; shapes and calling rules are those of [`crate::fused::conv::convolve`].
#[inline(always)]
pub(in crate::fused) fn convolve<T: Real, const L: usize>(
    x: &[T],
    filter: &Filter<T>,
    y: &mut [T],
    g: &Geometry,
    accumulate: bool,
    scratch: &mut Scratch<T>,
) {
    let n_tiles = y.len() / g.out_len() * Tiles::of(g).len();
    let (pass, stride) = (pass(g), plane_stride(pass(g), g.c_in.max(g.c_out)));
    // Products take the places of what they are made from, one plane below, where it was used already: half the memory, which
    // with the weights has to stay in the second-level cache.
    let planes = &mut scratch.input[..(PLACES + 1) * stride];
    for first in (0..n_tiles).step_by(pass) {
        let n = pass.min(n_tiles - first);
        of_input(x, g, (first, n), &scratch.nothing, &mut planes[stride..]);
        for place in 0..PLACES {
            let (below, input) = planes.split_at_mut((place + 1) * stride);
            let output = &mut below[place * stride..];
            for block in 0..g.c_out.div_ceil(L) {
                let panel = filter.panel::<L>(place, block);
                let to = (block * L, L.min(g.c_out - block * L));
                for tile in (0..n).step_by(ROWS) {
                    if to.1 == L {
                        multiply_rows::<T, L, L>(input, panel, output, g, (tile, n), to.0);
                    } else {
                        multiply_rows::<T, LANES, L>(input, panel, output, g, (tile, n), to.0);
                    }
                }
            }
        }
        to_output(&planes[..PLACES * stride], g, (first, n), y, accumulate);
    }
}

/// The products of a register tile's rows, from `tile` on and of `n`, with the weights of `M` output channels from `channel` on.
#[inline(always)]
fn multiply_rows<T: Real, const M: usize, const L: usize>(
    input: &[T],
    panel: &[[T; L]],
    output: &mut [T],
    g: &Geometry,
    (tile, n): (usize, usize),
    channel: usize,
) {
    let mut sums = [[T::ZERO; M]; ROWS];
    let mut rows = [&input[..g.c_in]; ROWS];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &input[(tile + i).min(n - 1) * g.c_in..][..g.c_in];
    }
    multiply_add(&mut sums, rows, panel);
    for (i, sums) in sums.iter().enumerate().take(n - tile) {
        output[(tile + i) * g.c_out + channel..][..M].copy_from_slice(sums);
    }
}

/// `dw = G^T [sum over tiles (B^T d B) (outer) (A g A^T)] G`, or `dw += ..`; shapes and calling rules are those of
/// [`crate::fused::conv_weight::weight_gradient`].
#[inline(always)]
pub(in crate::fused) fn weight_gradient<T: Real, const L: usize>(
    x: &[T],
    gradient: &[T],
    dw: &mut [T],
    g: &Geometry,
    accumulate: bool,
    scratch: &mut Scratch<T>,
) {
    let (c_in, c_out, pass) = (g.c_in, g.c_out, weight_pass(g));
    let n_tiles = x.len() / g.in_len() * Tiles::of(g).len();
    let mut du = scratch.arena.take(PLACES * plane_stride(c_in, c_out));
    let mut gradients = scratch.arena.take(PLACES * plane_stride(pass, c_out));
    let inputs = &mut scratch.input[..PLACES * plane_stride(pass, c_in)];
    let nothing = &scratch.nothing;
    for first in (0..n_tiles).step_by(pass) {
        let n = pass.min(n_tiles - first);
        of_input(x, g, (first, n), nothing, inputs);
        of_gradient(gradient, g, (first, n), nothing, &mut gradients);
        let places = inputs
            .chunks_exact(plane_stride(pass, c_in))
            .zip(gradients.chunks_exact(plane_stride(pass, c_out)))
            .zip(du.chunks_exact_mut(plane_stride(c_in, c_out)));
        for ((input, output), du) in places {
            let product = Product {
                input: &input[..n * c_in],
                output: &output[..n * c_out],
                c_in,
                c_out,
                accumulate: first > 0,
            };
            let mut k = 0;
            while k < c_in {
                let du = &mut du[k * c_out..];
                k += match c_in - k {
                    6.. => product.add::<6, L>(k, du),
                    4.. => product.add::<4, L>(k, du),
                    _ => product.add::<1, L>(k, du),
                };
            }
        }
    }
    gradient_from_places(&du, dw, g, accumulate);
}

/// Two transformed maps at one place: `(tiles, c_in)` and `(tiles, c_out)`.
struct Product<'a, T> {
    input: &'a [T],
    output: &'a [T],
    c_in: usize,
    c_out: usize,
    accumulate: bool,
}

impl<T: Real> Product<'_, T> {
    /// Writes or adds the rows `k .. k + R` of the product `input^T output`; returns `R`.
    #[inline(always)]
    fn add<const R: usize, const L: usize>(&self, k: usize, du: &mut [T]) -> usize {
        for first in (0..self.c_out).step_by(L) {
            let lanes = L.min(self.c_out - first);
            if lanes == L {
                self.add_block::<R, L>(k, first, du);
            } else {
                self.add_block::<R, { LANES }>(k, first, du);
            }
        }
        R
    }

    #[inline(always)]
    fn add_block<const R: usize, const L: usize>(&self, k: usize, first: usize, du: &mut [T]) {
        let mut sums = [[T::ZERO; L]; R];
        let rows = self.input.chunks_exact(self.c_in);
        for (x, gradient) in rows.zip(self.output.chunks_exact(self.c_out)) {
            // Copies of fixed size: with slices the compiler does not keep the sums in registers.
            let (mut few, mut lanes) = ([T::ZERO; R], [T::ZERO; L]);
            few.copy_from_slice(&x[k..][..R]);
            lanes.copy_from_slice(&gradient[first..][..L]);
            for r in 0..R {
                for lane in 0..L {
                    sums[r][lane] = few[r].fma(lanes[lane], sums[r][lane]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let du = &mut du[r * self.c_out + first..][..L];
            if self.accumulate {
                for (du, sum) in du.iter_mut().zip(sums) {
                    *du += *sum;
                }
            } else {
                du.copy_from_slice(sums);
            }
        }
    }
}
