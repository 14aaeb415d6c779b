//! The first layer's convolution at the pixels of a window, in registers: for images of one channel, and of several.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::moments::PLACES;
use crate::Real;
use crate::fused::conv::multiply_add;
use crate::fused::geometry::Geometry;

/// Weights with the output channels side by side: `(taps, channels)`, the taps in kernel order.
pub(super) type Taps<'a, T> = &'a [T];

/// The weights of `L` output channels, ready to be multiplied with windows of `W` pixels.
pub(super) trait Filter<T: Real, const W: usize, const L: usize>: Sized {
    /// Those from `first` on, each channel's times `sign(channel - first)`.
    fn at(g: &Geometry, taps: Taps<'_, T>, first: usize, sign: impl Fn(usize) -> T) -> Self;

    /// The convolution at the pixels of the window that starts there in the padded image `x`; taps in order.
    fn convolved(&self, x: &[T], start: usize) -> [[T; L]; W];
}

/// For one channel: the weights stay in registers. `S` is the side of the patch of pixels under the window: 3 under one pixel, 4
/// under two times two.
pub(super) struct Single<T, const S: usize, const L: usize> {
    weights: [[T; L]; PLACES],
    width: usize,
}

impl<T: Real, const W: usize, const S: usize, const L: usize> Filter<T, W, L> for Single<T, S, L> {
    #[inline(always)]
    fn at(g: &Geometry, taps: Taps<'_, T>, first: usize, sign: impl Fn(usize) -> T) -> Self {
        let mut weights = [[T::ZERO; L]; PLACES];
        for (tap, weights) in weights.iter_mut().enumerate() {
            copy_signed(weights, &taps[tap * g.c_out + first..], &sign);
        }
        Self {
            weights,
            width: g.padded_width(),
        }
    }

    #[inline(always)]
    fn convolved(&self, x: &[T], start: usize) -> [[T; L]; W] {
        let patch = patch::<T, S>(x, start, self.width);
        let mut sums = [[T::ZERO; L]; W];
        for tap in 0..PLACES {
            for e in 0..W {
                let value = value(&patch, e, tap);
                for lane in 0..L {
                    sums[e][lane] = value.fma(self.weights[tap][lane], sums[e][lane]);
                }
            }
        }
        sums
    }
}

/// For any number of channels: a row of a window is one run of the image.
pub(super) struct Many<T, const L: usize> {
    weights: Vec<[T; L]>,
    channels: usize,
    width: usize,
}

impl<T: Real, const W: usize, const L: usize> Filter<T, W, L> for Many<T, L> {
    #[inline(always)]
    fn at(g: &Geometry, taps: Taps<'_, T>, first: usize, sign: impl Fn(usize) -> T) -> Self {
        let mut weights = vec![[T::ZERO; L]; PLACES * g.inputs];
        for (tap, weights) in weights.iter_mut().enumerate() {
            copy_signed(weights, &taps[tap * g.c_out + first..], &sign);
        }
        Self {
            weights,
            channels: g.inputs,
            width: g.padded_width(),
        }
    }

    #[inline(always)]
    fn convolved(&self, x: &[T], start: usize) -> [[T; L]; W] {
        let run = 3 * self.channels;
        let mut sums = [[T::ZERO; L]; W];
        for (row, weights) in self.weights.chunks_exact(run).enumerate() {
            let mut pixels = [&x[..0]; W];
            for (e, pixel) in pixels.iter_mut().enumerate() {
                *pixel = &x[start + offset::<W>(e, row, self.width, self.channels)..][..run];
            }
            multiply_add(&mut sums, pixels, weights);
        }
        sums
    }
}

#[inline(always)]
fn copy_signed<T: Real, const L: usize>(to: &mut [T; L], from: &[T], sign: &impl Fn(usize) -> T) {
    to.copy_from_slice(&from[..L]);
    for lane in 0..L {
        to[lane] *= sign(lane);
    }
}

/// The pixels under a pooling window, `S` rows of `S`.
pub(super) type Patch<T, const S: usize> = [[T; S]; S];

#[inline(always)]
pub(super) fn patch<T: Real, const S: usize>(x: &[T], start: usize, width: usize) -> Patch<T, S> {
    let mut patch = [[T::ZERO; S]; S];
    for row in 0..S {
        patch[row].copy_from_slice(&x[start + row * width..][..S]);
    }
    patch
}

/// What pixel `e` of the window multiplies with weight `tap`.
#[inline(always)]
pub(super) fn value<T: Real, const S: usize>(patch: &Patch<T, S>, e: usize, tap: usize) -> T {
    let pixels_of_a_row = S - 2;
    patch[e / pixels_of_a_row + tap / 3][e % pixels_of_a_row + tap % 3]
}

/// From a window's start to the values that its pixel `e`, of `W`, multiplies with row `row` of the weights, in a padded image that
/// is `width` pixels wide.
#[inline(always)]
pub(super) fn offset<const W: usize>(e: usize, row: usize, width: usize, channels: usize) -> usize {
    let side = if W == 1 { 1 } else { 2 };
    ((e / side + row) * width + e % side) * channels
}
