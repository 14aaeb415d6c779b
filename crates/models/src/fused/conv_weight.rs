//! The gradient of a convolution's weights over a group of images.

use std::ops::Deref;

use rayon::prelude::*;

use super::geometry::{Geometry, LANES};
use super::simd;
use crate::Real;

/// Pixels of one pass: their gradients, and the cache lines of their windows, stay in the first-level cache.
const PASS: usize = 98;

/// `dw += sum over pixels of window(x) (outer) gradient`.
///
/// `x`: `(n, padded height, padded width, c_in)`; `gradient`: `(n, padded height, padded width, c_out)` with the value
/// of each output pixel at [`Geometry::center`]; `dw` in kernel order `(kernel row, kernel column, c_in, c_out)`, see
/// [`add_in_torch_order`]. `L` lanes of channels are one register tile; `L` does not change any bit.
#[inline(always)]
pub(super) fn weight_gradient<T: Real, const L: usize>(
    x: &[T],
    gradient: &[T],
    dw: &mut [T],
    g: &Geometry,
) {
    let n_pixels = x.len() / g.in_len() * g.out_pixels();
    let run = g.kernel * g.c_in;
    let mut starts = [0_usize; PASS];
    let mut panels = vec![[T::ZERO; L]; PASS * g.c_out.div_ceil(L)];
    for first in (0..n_pixels).step_by(PASS) {
        let n = PASS.min(n_pixels - first);
        for (i, start) in starts[..n].iter_mut().enumerate() {
            let (image, p) = ((first + i) / g.out_pixels(), (first + i) % g.out_pixels());
            *start = image * g.in_len() + g.window(p) * g.c_in;
            let row = &gradient[image * g.gradient_len() + g.center(p) * g.c_out..][..g.c_out];
            for (block, row) in row.chunks(L).enumerate() {
                panels[block * PASS + i][..row.len()].copy_from_slice(row);
            }
        }
        let pixels = Pixels {
            x,
            starts: &starts[..n],
            panels: &panels,
            c_out: g.c_out,
        };
        for row in 0..g.kernel {
            let offset = row * g.padded_width() * g.c_in;
            let mut k = 0;
            while k < run {
                let dw = &mut dw[(row * run + k) * g.c_out..];
                k += match run - k {
                    6.. => pixels.add::<6>(offset + k, dw),
                    3.. => pixels.add::<3>(offset + k, dw),
                    _ => pixels.add::<1>(offset + k, dw),
                };
            }
        }
    }
}

/// Some pixels: where their windows start in `x`, and their gradients by blocks of lanes.
struct Pixels<'a, T, const L: usize> {
    x: &'a [T],
    starts: &'a [usize],
    panels: &'a [[T; L]],
    c_out: usize,
}

impl<T: Real, const L: usize> Pixels<'_, T, L> {
    /// Adds the gradients of the `R` weights at `offset` of the window, for all output channels; returns `R`.
    #[inline(always)]
    fn add<const R: usize>(&self, offset: usize, dw: &mut [T]) -> usize {
        let n = self.starts.len();
        // Side by side, so that the sums below touch memory in order.
        let mut columns = [[T::ZERO; R]; PASS];
        for (column, start) in columns.iter_mut().zip(self.starts) {
            column.copy_from_slice(&self.x[start + offset..][..R]);
        }
        for (block, panel) in self.panels.chunks_exact(PASS).enumerate() {
            let sums = outer_sum(&columns[..n], &panel[..n]);
            let lanes = L.min(self.c_out - block * L);
            for (r, sums) in sums.iter().enumerate() {
                for (dw, sum) in dw[r * self.c_out + block * L..][..lanes]
                    .iter_mut()
                    .zip(sums)
                {
                    *dw += *sum;
                }
            }
        }
        R
    }
}

/// `sum over pixels of x[pixel] (outer) gradient[pixel]`, pixels in order.
#[inline(always)]
fn outer_sum<T: Real, const R: usize, const L: usize>(
    x: &[[T; R]],
    gradient: &[[T; L]],
) -> [[T; L]; R] {
    let mut sums = [[T::ZERO; L]; R];
    for (x, gradient) in x.iter().zip(gradient) {
        for r in 0..R {
            for lane in 0..L {
                sums[r][lane] = x[r].fma(gradient[lane], sums[r][lane]);
            }
        }
    }
    sums
}

/// Adds the groups' sums, in the order of the groups, from kernel order `(kernel row, kernel column, c_in, c_out)` to weights in
/// PyTorch's order `(outputs, inputs, kernel row, kernel column)`.
pub(super) fn add_in_torch_order<T: Real, V: Deref<Target = [T]> + Sync>(
    groups: &[V],
    weights: &mut [T],
    g: &Geometry,
) {
    match g.kernel {
        3 => add_kernels::<T, V, 9>(groups, weights, g),
        _ => add_kernels::<T, V, 1>(groups, weights, g),
    }
}

/// [`add_in_torch_order`] for kernels of `K` weights, by as many output channels as lie side by side in a sum.
fn add_kernels<T: Real, V: Deref<Target = [T]> + Sync, const K: usize>(
    groups: &[V],
    weights: &mut [T],
    g: &Geometry,
) {
    let blocks = weights.par_chunks_mut(LANES * g.inputs * K);
    blocks.enumerate().for_each(|(block, weights)| {
        simd::dispatch(
            #[inline(always)]
            || {
                let (kernels, _) = weights.as_chunks_mut::<K>();
                for input in 0..g.inputs {
                    let mut sums = [[T::ZERO; LANES]; K];
                    for group in groups {
                        for (tap, sums) in sums.iter_mut().enumerate() {
                            let at = (tap * g.c_in + input) * g.c_out + block * LANES;
                            for (sum, value) in sums.iter_mut().zip(&group[at..][..LANES]) {
                                *sum += *value;
                            }
                        }
                    }
                    for (out, kernel) in kernels[input..].iter_mut().step_by(g.inputs).enumerate() {
                        for (weight, sums) in kernel.iter_mut().zip(&sums) {
                            *weight += sums[out];
                        }
                    }
                }
            },
        );
    });
}
