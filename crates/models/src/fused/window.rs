//! ReLU and max-pooling after an affine map, with one rule for ties: the first maximum of a window, in row-major
//! order, has the whole gradient, and a unit that is not above zero has none.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::geometry::Geometry;
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

    /// Pixels of a pooled image with its border.
    pub(super) fn padded_pixels(&self) -> usize {
        (self.pooled_height() + 2 * self.pad) * (self.pooled_width() + 2 * self.pad)
    }

    /// Pixel of the padded pooled image that holds window `q`.
    #[inline(always)]
    fn place(&self, q: usize) -> usize {
        let (row, column) = (q / self.pooled_width(), q % self.pooled_width());
        (row + self.pad) * (self.pooled_width() + 2 * self.pad) + column + self.pad
    }

    /// Pixels of window `q`, in row-major order.
    #[inline(always)]
    fn pixels<const W: usize>(&self, q: usize) -> [usize; W] {
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
    /// `(n, padded pooled height, padded pooled width, c)`, its border zero already.
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
    let shift = &shift[..c];
    for (image, y) in y.chunks_exact(map.height * map.width * c).enumerate() {
        for q in 0..map.len() {
            let pixels = map.pixels::<W>(q);
            let rows: [&[T]; W] = std::array::from_fn(|e| &y[pixels[e] * c..][..c]);
            let at = (image * map.len() + q) * c;
            let (choice, peak) = (&mut chosen.choice[at..][..c], &mut chosen.peak[at..][..c]);
            let out = &mut chosen.out[(image * map.padded_pixels() + map.place(q)) * c..][..c];
            for j in 0..c {
                let (mut raw, mut best, mut index) =
                    (rows[0][j], rows[0][j].fma(scale[j], shift[j]), 0_u8);
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
        }
    }
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
    let (e1, e2) = (&e1[..c], &e2[..c]);
    for (image, dy) in dy.chunks_exact(map.height * map.width * c).enumerate() {
        for q in 0..map.len() {
            let pixels = map.pixels::<W>(q);
            let rows: [&[T]; W] = std::array::from_fn(|e| &dy[pixels[e] * c..][..c]);
            let at = (image * map.len() + q) * c;
            let (choice, peak, d_peak) =
                (&choice[at..][..c], &peak[at..][..c], &mut d_peak[at..][..c]);
            let d_out = &mut d_out[(image * map.padded_pixels() + map.place(q)) * c..][..c];
            for j in 0..c {
                let mut value = rows[0][j];
                for e in 1..W {
                    value = if usize::from(choice[j]) == e {
                        rows[e][j]
                    } else {
                        value
                    };
                }
                d_peak[j] = value;
                let tangent = value.fma(e2[j], peak[j].fma(e1[j], e0[j]));
                d_out[j] = if choice[j] == DEAD { T::ZERO } else { tangent };
            }
        }
    }
}

/// A map with a coefficient for each channel.
pub(super) type Term<'a, T> = (&'a [T], &'a [T]);

/// Writes the gradient map of a group: `constant + sum of dense terms` at every pixel, plus the sum of the sparse terms
/// (one value a window) at the pixel that was chosen.
///
/// Dense maps: `(n, height, width, c)`; sparse: `(n, windows, c)`; `to`: `(n, padded height, padded width, c)` of the
/// convolution's input, each pixel at [`Geometry::center`]; the rest of `to` is zero already.
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
    let dense_factors: [&[T]; D] = std::array::from_fn(|d| &dense[d].1[..c]);
    let sparse_factors: [&[T]; S] = std::array::from_fn(|s| &sparse[s].1[..c]);
    for (image, to) in to.chunks_exact_mut(g.gradient_len()).enumerate() {
        for q in 0..map.len() {
            let at = (image * map.len() + q) * c;
            let choice = &choice[at..][..c];
            let sparse_rows: [&[T]; S] = std::array::from_fn(|s| &sparse[s].0[at..][..c]);
            for (e, p) in map.pixels::<W>(q).into_iter().enumerate() {
                let dense_rows: [&[T]; D] =
                    std::array::from_fn(|d| &dense[d].0[(image * n_pixels + p) * c..][..c]);
                let to = &mut to[g.center(p) * c..][..c];
                for j in 0..c {
                    let mut value = constant[j];
                    for d in 0..D {
                        value = dense_rows[d][j].fma(dense_factors[d][j], value);
                    }
                    let mut with = value;
                    for s in 0..S {
                        with = sparse_rows[s][j].fma(sparse_factors[s][j], with);
                    }
                    to[j] = if usize::from(choice[j]) == e {
                        with
                    } else {
                        value
                    };
                }
            }
        }
        if D > 0 {
            for p in map.left_over() {
                let dense_rows: [&[T]; D] =
                    std::array::from_fn(|d| &dense[d].0[(image * n_pixels + p) * c..][..c]);
                let to = &mut to[g.center(p) * c..][..c];
                for j in 0..c {
                    let mut value = constant[j];
                    for d in 0..D {
                        value = dense_rows[d][j].fma(dense_factors[d][j], value);
                    }
                    to[j] = value;
                }
            }
        }
    }
}
