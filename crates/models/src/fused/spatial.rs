//! The two layers that only move or average values: the mean over a map, and the flattening in PyTorch's order.
//!
//! Both are linear, so the tangent is the forward method itself and the tangent of the pull-back is the pull-back.

use super::arena::Buffer;
use super::point::Point;
use crate::Real;

/// A linear map of an image without parameters: `(n, pixels, channels)` to `(n, outputs)`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spatial {
    /// Mean over the pixels of each channel.
    Mean {
        /// Pixels of an image.
        pixels: usize,
        /// Channels.
        channels: usize,
    },
    /// From channels last to PyTorch's (channels, rows, columns).
    Flatten {
        /// Pixels of an image.
        pixels: usize,
        /// Channels.
        channels: usize,
    },
}

impl Spatial {
    pub(super) fn forward<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        match *self {
            Self::Mean { pixels, channels } => {
                let share = share(pixels);
                let mut out = at.arena.zeros(x.len() / pixels);
                for (x, out) in x
                    .chunks_exact(pixels * channels)
                    .zip(out.chunks_exact_mut(channels))
                {
                    for pixel in x.chunks_exact(channels) {
                        for (out, x) in out.iter_mut().zip(pixel) {
                            *out += *x * share;
                        }
                    }
                }
                out
            }
            Self::Flatten { pixels, channels } => transpose(at, x, pixels, channels),
        }
    }

    pub(super) fn backward<T: Real>(&self, at: &Point<'_, T>, g: &[T]) -> Buffer<T> {
        match *self {
            Self::Mean { pixels, channels } => {
                let share = share(pixels);
                let mut out = at.arena.take(g.len() * pixels);
                for (g, out) in g
                    .chunks_exact(channels)
                    .zip(out.chunks_exact_mut(pixels * channels))
                {
                    for pixel in out.chunks_exact_mut(channels) {
                        for (out, g) in pixel.iter_mut().zip(g) {
                            *out = *g * share;
                        }
                    }
                }
                out
            }
            Self::Flatten { pixels, channels } => transpose(at, g, channels, pixels),
        }
    }
}

fn share<T: Real>(pixels: usize) -> T {
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let pixels = pixels as f64;
    T::of(1.0 / pixels)
}

/// Each image `(rows, columns)` to `(columns, rows)`.
fn transpose<T: Real>(at: &Point<'_, T>, x: &[T], rows: usize, columns: usize) -> Buffer<T> {
    let mut out = at.arena.take(x.len());
    for (x, out) in x
        .chunks_exact(rows * columns)
        .zip(out.chunks_exact_mut(rows * columns))
    {
        for (row, x) in x.chunks_exact(columns).enumerate() {
            for (column, value) in x.iter().enumerate() {
                out[column * rows + row] = *value;
            }
        }
    }
    out
}
