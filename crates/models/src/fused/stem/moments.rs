//! First and second moments of the 3x3 windows of single-channel images: all that batch statistics, and the dense part
//! of every weight gradient, need to know of the images.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use crate::Real;
use crate::fused::geometry::Geometry;

/// Weights of a window.
pub(super) const TAPS: usize = 9;

/// Sums over the windows `u` of all output pixels of all images, in double precision.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// Windows.
    pub(super) n: f64,
    /// `sum u`.
    pub(super) first: [f64; TAPS],
    /// `sum u u^T`.
    pub(super) second: [[f64; TAPS]; TAPS],
}

impl Moments {
    pub(super) const NOTHING: Self = Self {
        n: 0.0,
        first: [0.0; TAPS],
        second: [[0.0; TAPS]; TAPS],
    };

    /// Of padded images `(n, padded height, padded width)`. To be called inside [`crate::fused::simd::dispatch`].
    #[inline(always)]
    pub(super) fn of<T: Real>(x: &[T], g: &Geometry) -> Self {
        // Eight taps are one register; the ninth is kept beside them. Its products with the others are in the last row.
        const BODY: usize = TAPS - 1;
        let mut rows = [[0.0; BODY]; TAPS];
        let (mut sums, mut last_sum, mut last_square) = ([0.0; BODY], 0.0, 0.0);
        let width = g.padded_width();
        // A row of windows is gathered before it is used: a register that is loaded right after its parts were written would wait
        // for them.
        let mut pixels = vec![0.0; 3 * width];
        let mut windows = vec![[0.0; TAPS]; g.out_width()];
        for x in x.chunks_exact(g.in_len()) {
            for row in 0..g.out_height() {
                let x = &x[row * g.stride * width..][..3 * width];
                for (pixel, x) in pixels.iter_mut().zip(x) {
                    *pixel = x.wide();
                }
                for (column, window) in windows.iter_mut().enumerate() {
                    for row in 0..3 {
                        let pixels = &pixels[row * width + column * g.stride..][..3];
                        window[3 * row..][..3].copy_from_slice(pixels);
                    }
                }
                for (column, window) in windows.iter().enumerate() {
                    let mut body = [0.0; BODY];
                    body.copy_from_slice(&window[..BODY]);
                    for r in 0..TAPS {
                        // Not `window[r]`: a lane of a register would be spread instead of one value of the memory.
                        let value = pixels[r / 3 * width + column * g.stride + r % 3];
                        for i in 0..BODY {
                            rows[r][i] = value.mul_add(body[i], rows[r][i]);
                        }
                    }
                    for i in 0..BODY {
                        sums[i] += body[i];
                    }
                    last_sum += window[BODY];
                    last_square = window[BODY].mul_add(window[BODY], last_square);
                }
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let n = (x.len() / g.in_len() * g.out_pixels()) as f64;
        let mut moments = Self { n, ..Self::NOTHING };
        moments.first[..BODY].copy_from_slice(&sums);
        moments.first[BODY] = last_sum;
        for (second, row) in moments.second.iter_mut().zip(&rows) {
            second[..BODY].copy_from_slice(row);
        }
        for i in 0..BODY {
            moments.second[i][BODY] = rows[BODY][i];
        }
        moments.second[BODY][BODY] = last_square;
        moments
    }

    /// Adds those of further images.
    pub(super) fn add(&mut self, other: &Self) {
        self.n += other.n;
        for (sum, other) in self.first.iter_mut().zip(&other.first) {
            *sum += other;
        }
        let rows = self.second.iter_mut().zip(&other.second);
        for (sum, other) in rows.flat_map(|(row, other)| row.iter_mut().zip(other)) {
            *sum += other;
        }
    }

    /// `mean(u) . w`
    pub(super) fn mean_along(&self, w: &[f64; TAPS]) -> f64 {
        dot(&self.first, w) / self.n
    }

    /// `w^T Cov(u) v`, the mean of the products of deviations.
    pub(super) fn covariance_along(&self, w: &[f64; TAPS], v: &[f64; TAPS]) -> f64 {
        let mut sum = 0.0;
        for i in 0..TAPS {
            let mut row = 0.0;
            for j in 0..TAPS {
                let product = self.first[i] / self.n * (self.first[j] / self.n);
                row += (self.second[i][j] / self.n - product) * v[j];
            }
            sum += w[i] * row;
        }
        sum
    }

    /// `sum u (constant + u . w)`, the dense part of a weight gradient.
    pub(super) fn sum_against(&self, constant: f64, w: &[f64; TAPS]) -> [f64; TAPS] {
        std::array::from_fn(|i| constant * self.first[i] + dot(&self.second[i], w))
    }
}

fn dot(a: &[f64; TAPS], b: &[f64; TAPS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
