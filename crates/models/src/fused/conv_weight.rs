//! The gradient of a convolution's weights over a group of images.

use super::conv::LANES;
use super::geometry::Geometry;
use crate::Real;

/// Pixels of one pass: their gradients, and the cache lines of their windows, stay in the first-level cache.
const PASS: usize = 196;

/// `dw += sum over pixels of window(x) (outer) gradient`.
///
/// `x`: `(n, padded height, padded width, c_in)`; `gradient`: `(n, padded height, padded width, c_out)` with the value
/// of each output pixel at [`Geometry::center`]; `dw` in kernel order `(kernel row, kernel column, c_in, c_out)`, see
/// [`add_in_torch_order`]. `B` blocks of lanes are one register tile; `B` does not change any bit.
#[inline(always)]
pub(super) fn weight_gradient<T: Real, const B: usize>(
    x: &[T],
    gradient: &[T],
    dw: &mut [T],
    g: &Geometry,
) {
    let n_pixels = x.len() / g.in_len() * g.out_pixels();
    let mut panel = vec![[[T::ZERO; LANES]; B]; PASS];
    let mut starts = [0_usize; PASS];
    for first in (0..n_pixels).step_by(PASS) {
        let n = PASS.min(n_pixels - first);
        for (i, start) in starts[..n].iter_mut().enumerate() {
            let (image, p) = ((first + i) / g.out_pixels(), (first + i) % g.out_pixels());
            *start = image * g.in_len() + g.window(p) * g.c_in;
        }
        for column in (0..g.c_out).step_by(B * LANES) {
            let lanes = (B * LANES).min(g.c_out - column);
            for (i, panel) in panel[..n].iter_mut().enumerate() {
                let (image, p) = ((first + i) / g.out_pixels(), (first + i) % g.out_pixels());
                let at = image * g.gradient_len() + g.center(p) * g.c_out + column;
                panel.as_flattened_mut()[..lanes].copy_from_slice(&gradient[at..at + lanes]);
            }
            let run = g.kernel * g.c_in;
            for row in 0..g.kernel {
                let offset = row * g.padded_width() * g.c_in;
                let mut k = 0;
                while k < run {
                    let dw = &mut dw[(row * run + k) * g.c_out..];
                    let at = offset + k;
                    k += match run - k {
                        6.. => add_tile::<T, 6, B>(
                            x,
                            &starts[..n],
                            at,
                            &panel[..n],
                            dw,
                            column,
                            lanes,
                            g.c_out,
                        ),
                        3.. => add_tile::<T, 3, B>(
                            x,
                            &starts[..n],
                            at,
                            &panel[..n],
                            dw,
                            column,
                            lanes,
                            g.c_out,
                        ),
                        _ => add_tile::<T, 1, B>(
                            x,
                            &starts[..n],
                            at,
                            &panel[..n],
                            dw,
                            column,
                            lanes,
                            g.c_out,
                        ),
                    };
                }
            }
        }
    }
}

/// Adds `R` weights by `B * LANES` channels, summed over the pixels in order; returns `R`.
#[inline(always)]
#[allow(
    clippy::too_many_arguments,
    reason = "the innermost tile: every argument is a loop bound or an operand"
)]
fn add_tile<T: Real, const R: usize, const B: usize>(
    x: &[T],
    starts: &[usize],
    offset: usize,
    panel: &[[[T; LANES]; B]],
    dw: &mut [T],
    column: usize,
    lanes: usize,
    c_out: usize,
) -> usize {
    let mut acc = [[[T::ZERO; LANES]; B]; R];
    for (start, gradient) in starts.iter().zip(panel) {
        let x: &[T; R] = x[start + offset..]
            .first_chunk()
            .expect("a window lies inside its image");
        for r in 0..R {
            for b in 0..B {
                for lane in 0..LANES {
                    acc[r][b][lane] = x[r].fma(gradient[b][lane], acc[r][b][lane]);
                }
            }
        }
    }
    for (r, acc) in acc.iter().enumerate() {
        for (dw, sum) in dw[r * c_out + column..][..lanes]
            .iter_mut()
            .zip(acc.as_flattened())
        {
            *dw += *sum;
        }
    }
    R
}

/// Adds a sum in kernel order `(kernel row, kernel column, c_in, c_out)` to weights in PyTorch's order
/// `(c_out, c_in, kernel row, kernel column)`.
pub(super) fn add_in_torch_order<T: Real>(sum: &[T], weights: &mut [T], g: &Geometry) {
    let taps = g.kernel * g.kernel;
    for (row, sum) in sum.chunks_exact(g.c_out).enumerate() {
        let (tap, input) = (row / g.c_in, row % g.c_in);
        for (out, sum) in sum.iter().enumerate() {
            weights[(out * g.c_in + input) * taps + tap] += *sum;
        }
    }
}
