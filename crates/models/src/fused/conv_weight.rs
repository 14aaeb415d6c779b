//! The gradient of a convolution's weights over a group of images.

use super::geometry::Geometry;
use crate::Real;

/// Pixels of one pass: their gradients, and the cache lines of their windows, stay in the first-level cache.
const PASS: usize = 98;

/// Output channels that are brought into PyTorch's order together.
const OUTPUTS: usize = 16;

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

/// Adds a sum in kernel order `(kernel row, kernel column, c_in, c_out)` to weights in PyTorch's order
/// `(c_out, c_in, kernel row, kernel column)`.
pub(super) fn add_in_torch_order<T: Real>(sum: &[T], weights: &mut [T], g: &Geometry) {
    let taps = g.kernel * g.kernel;
    // Few output channels at a time: the lines of memory that hold an input channel's weights hold the next one's too, and are still in
    // the first-level cache then.
    for first in (0..g.c_out).step_by(OUTPUTS) {
        for input in 0..g.c_in {
            for tap in 0..taps {
                let sum = &sum[(tap * g.c_in + input) * g.c_out..][..g.c_out];
                for (out, sum) in sum.iter().enumerate().skip(first).take(OUTPUTS) {
                    weights[(out * g.c_in + input) * taps + tap] += *sum;
                }
            }
        }
    }
}
