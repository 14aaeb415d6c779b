//! ReLU and max-pooling after an affine map, with one rule for ties: the first maximum of a window, in row-major
//! order, has the whole gradient, and a unit that is not above zero has none.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::geometry::{Geometry, LANES, clear_border};
use crate::Real;

/// Marks a window whose ReLU is off.
const DEAD: u8 = u8::MAX;

/// The windows of an output map, and where their values go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Size of the map that is pooled.
    height: usize,
    width: usize,
    /// 1 (no pooling) or 2; the last row or column of an odd map belongs to no window.
    size: usize,
    /// Border of zeros around the pooled map.
    pad: usize,
}

impl Windows {
    pub(super) fn new(g: &Geometry, size: usize, pad: usize) -> Self {
        Self {
            height: g.out_height(),
            width: g.out_width(),
            size,
            pad,
        }
    }

    pub(super) fn pooled_height(&self) -> usize {
        self.height / self.size
    }

    pub(super) fn pooled_width(&self) -> usize {
        self.width / self.size
    }

    /// Windows of an image.
    pub(super) fn len(&self) -> usize {
        self.pooled_height() * self.pooled_width()
    }

    /// Pixels of an image before it is pooled.
    pub(super) fn map_pixels(&self) -> usize {
        self.height * self.width
    }

    /// Pixels of a pooled image with its border.
    pub(super) fn padded_pixels(&self) -> usize {
        (self.pooled_height() + 2 * self.pad) * (self.pooled_width() + 2 * self.pad)
    }

    /// Pixel of the padded pooled image that holds window `q`.
    #[inline(always)]
    pub(super) fn place(&self, q: usize) -> usize {
        let (row, column) = (q / self.pooled_width(), q % self.pooled_width());
        (row + self.pad) * (self.pooled_width() + 2 * self.pad) + column + self.pad
    }

    /// Makes the border of padded pooled images with `c` channels zero; the rest is for [`choose`] to write.
    pub(super) fn clear_border<T: Real>(&self, out: &mut [T], c: usize) {
        let around = 2 * self.pad;
        let size = [self.pooled_height() + around, self.pooled_width() + around];
        clear_border(out, size, self.pad, c);
    }

    /// Pixels of window `q`, in row-major order.
    #[inline(always)]
    pub(super) fn pixels<const W: usize>(&self, q: usize) -> [usize; W] {
        let (row, column) = (
            q / self.pooled_width() * self.size,
            q % self.pooled_width() * self.size,
        );
        std::array::from_fn(|e| (row + e / self.size) * self.width + column + e % self.size)
    }

    /// Pixels that belong to no window.
    fn left_over(&self) -> impl Iterator<Item = usize> + '_ {
        let (rows, columns) = (
            self.pooled_height() * self.size,
            self.pooled_width() * self.size,
        );
        (0..self.height * self.width)
            .filter(move |p| p / self.width >= rows || p % self.width >= columns)
    }
}

/// Per-window results of a group of images, `(n, windows, c)` each, and the padded output.
pub(super) struct Chosen<'a, T> {
    /// `(n, padded pooled height, padded pooled width, c)`; its border is left as it is, see [`Windows::clear_border`].
    pub(super) out: &'a mut [T],
    /// Which pixel of the window is the maximum.
    pub(super) choice: &'a mut [u8],
    /// `y` at that pixel.
    pub(super) peak: &'a mut [T],
}

/// `out = max over window of relu(scale * y + shift)`; without `rectify` the ReLU is left out.
#[inline(always)]
pub(super) fn choose<T: Real, const W: usize>(
    map: &Windows,
    y: &[T],
    [scale, shift]: [&[T]; 2],
    rectify: bool,
    chosen: Chosen<'_, T>,
) {
    let c = scale.len();
    for (image, y) in y.chunks_exact(map.height * map.width * c).enumerate() {
        for q in 0..map.len() {
            let pixels = map.pixels::<W>(q);
            let at = (image * map.len() + q) * c;
            let to = (image * map.padded_pixels() + map.place(q)) * c;
            for first in (0..c).step_by(LANES) {
                let part = Chosen {
                    out: &mut chosen.out[to + first..],
                    choice: &mut chosen.choice[at + first..],
                    peak: &mut chosen.peak[at + first..],
                };
                let affine = [&scale[first..], &shift[first..]];
                let rows = rows::<T, W, LANES>(&y[first..], pixels, c);
                choose_lanes(rows, affine, rectify, part);
            }
        }
    }
}

/// The first `L` channels at each of some pixels.
#[inline(always)]
pub(super) fn rows<T: Real, const W: usize, const L: usize>(
    map: &[T],
    pixels: [usize; W],
    c: usize,
) -> [[T; L]; W] {
    let mut rows = [[T::ZERO; L]; W];
    for (row, pixel) in rows.iter_mut().zip(pixels) {
        row.copy_from_slice(&map[pixel * c..][..L]);
    }
    rows
}

/// [`choose`] for the first `L` channels of one window, whose values are `rows`.
#[inline(always)]
pub(super) fn choose_lanes<T: Real, const W: usize, const L: usize>(
    rows: [[T; L]; W],
    [scale, shift]: [&[T]; 2],
    rectify: bool,
    chosen: Chosen<'_, T>,
) {
    let (scale, shift) = (&scale[..L], &shift[..L]);
    let (mut out, mut choice, mut peak) = ([T::ZERO; L], [0_u8; L], [T::ZERO; L]);
    for j in 0..L {
        let (mut raw, mut best, mut index) = (rows[0][j], rows[0][j].fma(scale[j], shift[j]), 0_u8);
        for e in 1..W {
            let value = rows[e][j].fma(scale[j], shift[j]);
            let better = value > best;
            best = if better { value } else { best };
            raw = if better { rows[e][j] } else { raw };
            #[allow(clippy::cast_possible_truncation, reason = "W is at most 4")]
            let here = e as u8;
            index = if better { here } else { index };
        }
        // Not `best > 0`: a NaN has to come through, so that divergence is seen.
        let dead = rectify && best <= T::ZERO;
        out[j] = if dead { T::ZERO } else { best };
        choice[j] = if dead { DEAD } else { index };
        peak[j] = raw;
    }
    chosen.out[..L].copy_from_slice(&out);
    chosen.choice[..L].copy_from_slice(&choice);
    chosen.peak[..L].copy_from_slice(&peak);
}

/// Whether a channel's ReLU is on in any window.
pub(super) fn active(choice: &[u8], c: usize) -> Vec<bool> {
    let mut active = vec![false; c];
    for window in choice.chunks_exact(c) {
        for (active, choice) in active.iter_mut().zip(window) {
            *active |= *choice != DEAD;
        }
    }
    active
}

/// `g = 0` where the ReLU is off.
#[inline(always)]
pub(super) fn mask<T: Real>(choice: &[u8], g: &mut [T]) {
    for (g, choice) in g.iter_mut().zip(choice) {
        *g = if *choice == DEAD { T::ZERO } else { *g };
    }
}

/// The tangent of [`choose`]: `d_out = e0 + e1 * peak + e2 * (dy at the chosen pixel)`, which is also stored.
#[inline(always)]
pub(super) fn choose_tangent<T: Real, const W: usize>(
    map: &Windows,
    dy: &[T],
    [e0, e1, e2]: [&[T]; 3],
    (choice, peak): (&[u8], &[T]),
    d_peak: &mut [T],
    d_out: &mut [T],
) {
    let c = e0.len();
    for (image, dy) in dy.chunks_exact(map.height * map.width * c).enumerate() {
        for q in 0..map.len() {
            let pixels = map.pixels::<W>(q);
            let at = (image * map.len() + q) * c;
            let to = (image * map.padded_pixels() + map.place(q)) * c;
            for first in (0..c).step_by(LANES) {
                let affine = [&e0[first..], &e1[first..], &e2[first..]];
                let chosen = (&choice[at + first..], &peak[at + first..]);
                let results = (&mut d_peak[at + first..], &mut d_out[to + first..]);
                let rows = rows::<T, W, LANES>(&dy[first..], pixels, c);
                choose_tangent_lanes(rows, affine, chosen, results);
            }
        }
    }
}

/// [`choose_tangent`] for the first `L` channels of one window, where `dy` is `rows`.
#[inline(always)]
pub(super) fn choose_tangent_lanes<T: Real, const W: usize, const L: usize>(
    rows: [[T; L]; W],
    [e0, e1, e2]: [&[T]; 3],
    (choice, peak): (&[u8], &[T]),
    (d_peak, d_out): (&mut [T], &mut [T]),
) {
    let (e0, e1, e2) = (&e0[..L], &e1[..L], &e2[..L]);
    let mut pixel = [0_u8; L];
    pixel.copy_from_slice(&choice[..L]);
    let peak = &peak[..L];
    let (mut values, mut tangents) = ([T::ZERO; L], [T::ZERO; L]);
    for j in 0..L {
        let mut value = rows[0][j];
        for e in 1..W {
            #[allow(clippy::cast_possible_truncation, reason = "W is at most 4")]
            let this = e as u8;
            value = if pixel[j] == this { rows[e][j] } else { value };
        }
        values[j] = value;
        let tangent = value.fma(e2[j], peak[j].fma(e1[j], e0[j]));
        tangents[j] = if pixel[j] == DEAD { T::ZERO } else { tangent };
    }
    d_peak[..L].copy_from_slice(&values);
    d_out[..L].copy_from_slice(&tangents);
}

/// A map with a coefficient for each channel.
pub(super) type Term<'a, T> = (&'a [T], &'a [T]);

/// Writes the gradient map of a group: `constant + sum of dense terms` at every pixel, plus the sum of the sparse terms
/// (one value a window) at the pixel that was chosen.
///
/// Dense maps: `(n, height, width, c)`; sparse: `(n, windows, c)`; `to`: `(n, padded height, padded width, c)` of the
/// convolution's input, each pixel at [`Geometry::center`]; the rest of `to` is left as it is, see [`Geometry::clear_gaps`].
#[inline(always)]
pub(super) fn spread<T: Real, const W: usize, const D: usize, const S: usize>(
    map: &Windows,
    g: &Geometry,
    constant: &[T],
    dense: [Term<'_, T>; D],
    sparse: [Term<'_, T>; S],
    choice: &[u8],
    to: &mut [T],
) {
    let c = constant.len();
    let n_pixels = map.height * map.width;
    for (image, to) in to.chunks_exact_mut(g.gradient_len()).enumerate() {
        for q in 0..map.len() {
            let at = (image * map.len() + q) * c;
            for (e, p) in map.pixels::<W>(q).into_iter().enumerate() {
                let from = (image * n_pixels + p) * c;
                let to = &mut to[g.center(p) * c..][..c];
                for (block, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let first = block * LANES;
                    let value = dense_lanes(constant, &dense, (from, first));
                    *to = with_sparse_lanes(value, &sparse, choice, e, (at, first));
                }
            }
        }
        for p in map.left_over() {
            let from = (image * n_pixels + p) * c;
            let to = &mut to[g.center(p) * c..][..c];
            for (block, to) in to.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                *to = dense_lanes(constant, &dense, (from, block * LANES));
            }
        }
    }
}

/// `constant + sum of dense terms` for the channels from `first` on of the pixel whose values start at `from`.
#[inline(always)]
fn dense_lanes<T: Real, const D: usize>(
    constant: &[T],
    dense: &[Term<'_, T>; D],
    (from, first): (usize, usize),
) -> [T; LANES] {
    let mut value = [T::ZERO; LANES];
    value.copy_from_slice(&constant[first..][..LANES]);
    for (map, factor) in dense {
        let (map, factor) = (&map[from + first..][..LANES], &factor[first..][..LANES]);
        for j in 0..LANES {
            value[j] = map[j].fma(factor[j], value[j]);
        }
    }
    value
}

/// `value`, plus the sparse terms where pixel `e` of the window is the chosen one.
#[inline(always)]
fn with_sparse_lanes<T: Real, const S: usize>(
    mut value: [T; LANES],
    sparse: &[Term<'_, T>; S],
    choice: &[u8],
    e: usize,
    (at, first): (usize, usize),
) -> [T; LANES] {
    let mut with = value;
    for (map, factor) in sparse {
        let (map, factor) = (&map[at + first..][..LANES], &factor[first..][..LANES]);
        for j in 0..LANES {
            with[j] = map[j].fma(factor[j], with[j]);
        }
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "windows have at most 4 pixels"
    )]
    let this = e as u8;
    let mut pixel = [0_u8; LANES];
    pixel.copy_from_slice(&choice[at + first..][..LANES]);
    for j in 0..LANES {
        value[j] = if pixel[j] == this { with[j] } else { value[j] };
    }
    value
}
