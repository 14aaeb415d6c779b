//! The two layers that only move or average values: the mean over a map, and the flattening in PyTorch's order. Channels past the
//! width of the layer before, which are there for its kernels, end here.
//!
//! Both are linear, so the tangent is the forward method itself and the tangent of the pull-back is the pull-back.

use super::arena::Buffer;
use super::point::Point;
use crate::Real;

/// A linear map of an image without parameters: `(n, pixels, channels)` to `(n, outputs)`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spatial {
    /// Mean over the pixels of each channel.
    Mean(Map),
    /// From channels last to PyTorch's (channels, rows, columns).
    Flatten(Map),
}

/// What comes in: `(n, pixels, stored)`, of which the first `channels` go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    /// Pixels of an image.
    pub(super) pixels: usize,
    /// Channels that have a meaning.
    pub(super) channels: usize,
    /// Channels in memory.
    pub(super) stored: usize,
}

impl Spatial {
    pub(super) fn forward<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        match self {
            Self::Mean(map) => map.mean(at, x),
            Self::Flatten(map) => map.flatten(at, x),
        }
    }

    pub(super) fn backward<T: Real>(&self, at: &Point<'_, T>, g: &[T]) -> Buffer<T> {
        match self {
            Self::Mean(map) => map.spread(at, g),
            Self::Flatten(map) => map.restore(at, g),
        }
    }
}

impl Map {
    fn mean<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        let share = share(self.pixels);
        let images = x.chunks_exact(self.pixels * self.stored);
        let mut out = at.arena.zeros(images.len() * self.channels);
        for (x, out) in images.zip(out.chunks_exact_mut(self.channels)) {
            for pixel in x.chunks_exact(self.stored) {
                for (out, x) in out.iter_mut().zip(pixel) {
                    *out += *x * share;
                }
            }
        }
        out
    }

    fn spread<T: Real>(&self, at: &Point<'_, T>, g: &[T]) -> Buffer<T> {
        let share = share(self.pixels);
        let (images, len) = (g.chunks_exact(self.channels), self.pixels * self.stored);
        let mut out = at.arena.take(images.len() * len);
        for (g, out) in images.zip(out.chunks_exact_mut(len)) {
            for pixel in out.chunks_exact_mut(self.stored) {
                let (real, beyond) = pixel.split_at_mut(self.channels);
                for (out, g) in real.iter_mut().zip(g) {
                    *out = *g * share;
                }
                beyond.fill(T::ZERO);
            }
        }
        out
    }

    /// Each image `(pixels, stored)` to `(channels, pixels)`.
    fn flatten<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        let (images, len) = (
            x.chunks_exact(self.pixels * self.stored),
            self.channels * self.pixels,
        );
        let mut out = at.arena.take(images.len() * len);
        for (x, out) in images.zip(out.chunks_exact_mut(len)) {
            for (row, x) in x.chunks_exact(self.stored).enumerate() {
                for (channel, value) in x[..self.channels].iter().enumerate() {
                    out[channel * self.pixels + row] = *value;
                }
            }
        }
        out
    }

    /// Each image `(channels, pixels)` to `(pixels, stored)`.
    fn restore<T: Real>(&self, at: &Point<'_, T>, g: &[T]) -> Buffer<T> {
        let (images, len) = (
            g.chunks_exact(self.channels * self.pixels),
            self.pixels * self.stored,
        );
        let mut out = at.arena.take(images.len() * len);
        for (g, out) in images.zip(out.chunks_exact_mut(len)) {
            for (row, out) in out.chunks_exact_mut(self.stored).enumerate() {
                let (real, beyond) = out.split_at_mut(self.channels);
                for (channel, value) in real.iter_mut().enumerate() {
                    *value = g[channel * self.pixels + row];
                }
                beyond.fill(T::ZERO);
            }
        }
        out
    }
}

fn share<T: Real>(pixels: usize) -> T {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let pixels = pixels as f64;
    T::of(1.0 / pixels)
}
