//! The sparse part of the first layer's weight gradient: each window's gradient goes to the pixel that was chosen in it.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::filter::{offset, patch, value};
use super::moments::PLACES;
use super::windows::starts;
use crate::Real;
use crate::fused::geometry::Geometry;
use crate::fused::window::Windows;

/// A gradient for each window of a group of images, and which pixel of it was chosen: `(n, windows, c_out)`.
#[derive(Clone, Copy)]
pub(super) struct Sparse<'a, T> {
    pub(super) gradient: &'a [T],
    pub(super) choice: &'a [u8],
}

impl<T: Real> Sparse<'_, T> {
    /// The gradient of `L` channels from `at` on, where pixel `e` of `W` was chosen, and zero elsewhere: fixed copies and one
    /// comparison in bytes for each pixel, selections and no branches.
    #[inline(always)]
    fn by_pixel<const W: usize, const L: usize>(&self, at: usize) -> [[T; L]; W] {
        let (mut all, mut pixel) = ([T::ZERO; L], [0_u8; L]);
        all.copy_from_slice(&self.gradient[at..][..L]);
        pixel.copy_from_slice(&self.choice[at..][..L]);
        let mut here = [[T::ZERO; L]; W];
        for e in 0..W {
            #[allow(clippy::cast_possible_truncation, reason = "W is at most 4")]
            let this = e as u8;
            for lane in 0..L {
                here[e][lane] = if pixel[lane] == this {
                    all[lane]
                } else {
                    T::ZERO
                };
            }
        }
        here
    }
}

/// `sum over windows of g * (the chosen pixel's window)`, `(9, channels)`, of images of one channel; `S` as in
/// [`super::filter::Single`].
#[inline(always)]
pub(super) fn of_single<T: Real, const W: usize, const S: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    sparse: Sparse<'_, T>,
) -> Vec<T> {
    let (c, starts) = (g.c_out, starts(g, windows));
    let mut sums = vec![T::ZERO; PLACES * c];
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        for first in (0..c).step_by(L) {
            let mut acc = [[T::ZERO; L]; PLACES];
            for (q, start) in starts.iter().enumerate() {
                let patch = patch::<T, S>(x, *start, g.padded_width());
                let here = sparse.by_pixel::<W, L>((image * windows.len() + q) * c + first);
                for e in 0..W {
                    for tap in 0..PLACES {
                        let value = value(&patch, e, tap);
                        for lane in 0..L {
                            acc[tap][lane] = value.fma(here[e][lane], acc[tap][lane]);
                        }
                    }
                }
            }
            add_rows(&mut sums[first..], &acc, c);
        }
    }
    sums
}

/// The same for images of several channels, `(9 * inputs, channels)` in kernel order: a few of a window row's values at a time.
#[inline(always)]
pub(super) fn of_many<T: Real, const W: usize, const L: usize>(
    (g, windows): (&Geometry, &Windows),
    x: &[T],
    sparse: Sparse<'_, T>,
) -> Vec<T> {
    let (c, run) = (g.c_out, 3 * g.inputs);
    let starts = starts(g, windows);
    let mut sums = vec![T::ZERO; PLACES * g.inputs * c];
    for (image, x) in x.chunks_exact(g.in_len()).enumerate() {
        let first_window = image * windows.len();
        for first in (0..c).step_by(L) {
            for row in 0..3 {
                let mut k = 0;
                while k < run {
                    let part = Part {
                        g,
                        x,
                        starts: &starts,
                        sparse,
                        at: first_window * c + first,
                    };
                    let sums = &mut sums[(row * run + k) * c + first..];
                    k += match run - k {
                        9.. => part.add::<W, 9, L>(row, k, sums),
                        6.. => part.add::<W, 6, L>(row, k, sums),
                        _ => part.add::<W, 3, L>(row, k, sums),
                    };
                }
            }
        }
    }
    sums
}

/// One image, and some channels of its gradients.
struct Part<'a, T> {
    g: &'a Geometry,
    x: &'a [T],
    starts: &'a [usize],
    sparse: Sparse<'a, T>,
    /// The first channel of the image's first window.
    at: usize,
}

impl<T: Real> Part<'_, T> {
    /// Adds the sums of `R` values of a window row, from `k` on; returns `R`.
    #[inline(always)]
    fn add<const W: usize, const R: usize, const L: usize>(
        &self,
        row: usize,
        k: usize,
        sums: &mut [T],
    ) -> usize {
        let (width, channels, c) = (self.g.padded_width(), self.g.inputs, self.g.c_out);
        let mut acc = [[T::ZERO; L]; R];
        for (q, start) in self.starts.iter().enumerate() {
            let here = self.sparse.by_pixel::<W, L>(self.at + q * c);
            for e in 0..W {
                let mut values = [T::ZERO; R];
                let from = start + offset::<W>(e, row, width, channels) + k;
                values.copy_from_slice(&self.x[from..][..R]);
                for r in 0..R {
                    for lane in 0..L {
                        acc[r][lane] = values[r].fma(here[e][lane], acc[r][lane]);
                    }
                }
            }
        }
        add_rows(sums, &acc, c);
        R
    }
}

/// Adds rows of `L` channels to sums whose rows have `c`.
#[inline(always)]
fn add_rows<T: Real, const L: usize>(sums: &mut [T], rows: &[[T; L]], c: usize) {
    for (tap, row) in rows.iter().enumerate() {
        for (sum, value) in sums[tap * c..][..L].iter_mut().zip(row) {
            *sum += *value;
        }
    }
}
