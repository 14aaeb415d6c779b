//! First and second moments of the 3x3 windows of images: all that batch statistics, and the dense part of every weight
//! gradient, need to know of the images.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::row_moments::add_channels;
use crate::Real;
use crate::fused::geometry::Geometry;

/// Places of a window.
pub(super) const PLACES: usize = 9;

/// Sums over the windows `u` of all output pixels of all images, in double precision. A window has one value for each weight of an
/// output channel, in kernel order `(window row, window column, input channel)`.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// Windows.
    pub(super) n: f64,
    /// `sum u`.
    pub(super) first: Vec<f64>,
    /// `sum u u^T`, row by row.
    pub(super) second: Vec<f64>,
}

impl Moments {
    /// Of no window.
    pub(super) fn nothing(g: &Geometry) -> Self {
        let taps = PLACES * g.inputs;
        Self {
            n: 0.0,
            first: vec![0.0; taps],
            second: vec![0.0; taps * taps],
        }
    }

    /// Of padded images `(n, padded height, padded width, inputs)`. To be called inside [`crate::fused::simd::dispatch`].
    #[inline(always)]
    pub(super) fn of<T: Real>(x: &[T], g: &Geometry) -> Self {
        let mut moments = Self::nothing(g);
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let n = (x.len() / g.in_len() * g.out_pixels()) as f64;
        moments.n = n;
        if g.inputs == 1 {
            moments.add_single_channel(x, g);
        } else {
            add_channels(x, g, &mut moments);
        }
        moments
    }

    /// The sums over windows of nine values, all in registers.
    #[inline(always)]
    fn add_single_channel<T: Real>(&mut self, x: &[T], g: &Geometry) {
        const TAPS: usize = PLACES;
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
        self.first[..BODY].copy_from_slice(&sums);
        self.first[BODY] = last_sum;
        for (second, row) in self.second.chunks_exact_mut(TAPS).zip(&rows) {
            second[..BODY].copy_from_slice(row);
        }
        for i in 0..BODY {
            self.second[i * TAPS + BODY] = rows[BODY][i];
        }
        self.second[BODY * TAPS + BODY] = last_square;
    }

    /// Adds those of further images.
    pub(super) fn add(&mut self, other: &Self) {
        self.n += other.n;
        for (sum, other) in self.first.iter_mut().zip(&other.first) {
            *sum += other;
        }
        for (sum, other) in self.second.iter_mut().zip(&other.second) {
            *sum += other;
        }
    }

    /// `mean(u) . w`
    pub(super) fn mean_along(&self, w: &[f64]) -> f64 {
        dot(&self.first, w) / self.n
    }

    /// `w^T Cov(u) v`, the mean of the products of deviations.
    pub(super) fn covariance_along(&self, w: &[f64], v: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (i, second) in self.second.chunks_exact(v.len()).enumerate() {
            let mut row = 0.0;
            for j in 0..v.len() {
                let product = self.first[i] / self.n * (self.first[j] / self.n);
                row += (second[j] / self.n - product) * v[j];
            }
            sum += w[i] * row;
        }
        sum
    }

    /// `sum u (constant + u . w)`, the dense part of a weight gradient.
    pub(super) fn sum_against(&self, constant: f64, w: &[f64]) -> Vec<f64> {
        let rows = self.first.iter().zip(self.second.chunks_exact(w.len()));
        rows.map(|(first, second)| constant * first + dot(second, w))
            .collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
