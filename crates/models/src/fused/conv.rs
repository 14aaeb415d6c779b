//! Convolution of a group of images by register tiles.

use super::geometry::Geometry;
use crate::Real;

/// Output channels of a register tile.
pub(super) const LANES: usize = 16;

/// Weights packed for [`convolve`]: for each block of [`LANES`] output channels, a row of lanes for each weight of the
/// window, in the order (window row, window column, input channel).
#[derive(Debug)]
pub(super) struct Panels<T> {
    rows: Vec<[T; LANES]>,
    fan_in: usize,
}

impl<T: Real> Panels<T> {
    /// From PyTorch's order (out, in, kernel row, kernel column).
    pub(super) fn pack(weights: &[T], g: &Geometry) -> Self {
        let taps = g.kernel * g.kernel;
        Self::build(g.fan_in(), g.c_out, |row, out| {
            weights[(out * g.c_in + row % g.c_in) * taps + row / g.c_in]
        })
    }

    /// The same weights for [`Geometry::transposed`]: taps reversed, input and output exchanged.
    pub(super) fn pack_transposed(weights: &[T], g: &Geometry) -> Self {
        let taps = g.kernel * g.kernel;
        Self::build(taps * g.c_out, g.c_in, |row, input| {
            weights[(row % g.c_out * g.c_in + input) * taps + taps - 1 - row / g.c_out]
        })
    }

    fn build(fan_in: usize, c_out: usize, weight: impl Fn(usize, usize) -> T) -> Self {
        let mut rows = vec![[T::ZERO; LANES]; c_out.div_ceil(LANES) * fan_in];
        for (block, rows) in rows.chunks_exact_mut(fan_in).enumerate() {
            let lanes = LANES.min(c_out - block * LANES);
            for (r, row) in rows.iter_mut().enumerate() {
                for (lane, value) in row[..lanes].iter_mut().enumerate() {
                    *value = weight(r, block * LANES + lane);
                }
            }
        }
        Self { rows, fan_in }
    }

    fn block(&self, block: usize) -> &[[T; LANES]] {
        &self.rows[block * self.fan_in..][..self.fan_in]
    }
}

/// `y = x * w`, or `y += x * w`.
///
/// `x`: `(n, padded height, padded width, c_in)`; `y`: `(n, out_height, out_width, c_out)`. To be called inside
/// [`super::simd::dispatch`]; `R` is the number of pixels of a register tile and does not change any bit.
#[inline(always)]
pub(super) fn convolve<T: Real, const R: usize>(
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
        for block in 0..g.c_out.div_ceil(LANES) {
            let panel = panels.block(block);
            let lanes = LANES.min(g.c_out - block * LANES);
            let mut first = 0;
            while first < n_pixels {
                let starts: [usize; R] = std::array::from_fn(|i| {
                    let p = (first + i).min(n_pixels - 1);
                    p / g.out_pixels() * g.in_len() + g.window(p % g.out_pixels()) * g.c_in
                });
                let sums = if g.c_in == 1 && g.kernel == 3 {
                    single_channel_tile(x, starts, panel, g)
                } else {
                    tile(x, starts, panel, g)
                };
                for (i, sums) in sums.iter().enumerate().take(n_pixels - first) {
                    let y = &mut y[(first + i) * g.c_out + block * LANES..][..lanes];
                    if accumulate {
                        for (y, sum) in y.iter_mut().zip(sums) {
                            *y += *sum;
                        }
                    } else if lanes == LANES {
                        y.copy_from_slice(sums);
                    } else {
                        y.copy_from_slice(&sums[..lanes]);
                    }
                }
                first += R;
            }
        }
    }
}

/// Sums of `R` pixels: each row of a window is one run of `kernel * c_in` values.
#[inline(always)]
fn tile<T: Real, const R: usize>(
    x: &[T],
    starts: [usize; R],
    panel: &[[T; LANES]],
    g: &Geometry,
) -> [[T; LANES]; R] {
    let mut sums = [[T::ZERO; LANES]; R];
    let run = g.kernel * g.c_in;
    for (row, panel) in panel.chunks_exact(run).enumerate() {
        let windows: [&[T]; R] =
            std::array::from_fn(|i| &x[starts[i] + row * g.padded_width() * g.c_in..][..run]);
        multiply_add(&mut sums, windows, panel);
    }
    sums
}

/// The same for runs of three values, too short for a loop each: the window is gathered first.
#[inline(always)]
fn single_channel_tile<T: Real, const R: usize>(
    x: &[T],
    starts: [usize; R],
    panel: &[[T; LANES]],
    g: &Geometry,
) -> [[T; LANES]; R] {
    let mut sums = [[T::ZERO; LANES]; R];
    let windows: [[T; 9]; R] = std::array::from_fn(|i| {
        std::array::from_fn(|tap| x[starts[i] + tap / 3 * g.padded_width() + tap % 3])
    });
    multiply_add(
        &mut sums,
        std::array::from_fn(|i| &windows[i][..]),
        &panel[..9],
    );
    sums
}

/// `sums[i] += sum_k x[i][k] * w[k]`, k in order.
#[inline(always)]
fn multiply_add<T: Real, const R: usize>(
    sums: &mut [[T; LANES]; R],
    x: [&[T]; R],
    w: &[[T; LANES]],
) {
    let mut acc = *sums;
    let n = w.len();
    let x: [&[T]; R] = std::array::from_fn(|i| &x[i][..n]);
    for k in 0..n {
        for i in 0..R {
            let value = x[i][k];
            for lane in 0..LANES {
                acc[i][lane] = value.fma(w[k][lane], acc[i][lane]);
            }
        }
    }
    *sums = acc;
}
