//! The transforms of maps: tiles of pixels to the places of [`super`], and back.

use super::lines::{Gradient, Input, Lanes, Output, both_sides};
use super::tiles::{PLACES, SIDE, TILE, Tiles};
use crate::Real;
use crate::fused::geometry::{Geometry, LANES};

/// `B^T d B` of the tiles `first .. first + n` of a padded map `x`, `(images, padded height, padded width, c)`, into
/// `planes`, `(36, tiles, c)` with gaps.
#[inline(always)]
pub(super) fn of_input<T: Real>(
    x: &[T],
    g: &Geometry,
    (first, n): (usize, usize),
    nothing: &[T],
    planes: &mut [T],
) {
    let (c, tiles) = (g.c_in, Tiles::of(g));
    let (height, width) = (g.height + 2, g.padded_width());
    let plane = planes.len() / PLACES;
    let mut half = vec![[[[T::ZERO; LANES]; SIDE]; SIDE]; c / LANES];
    for t in 0..n {
        let (image, row, column) = tiles.place(first + t);
        let x = &x[image * g.in_len()..][..g.in_len()];
        let mut pixels = [[&nothing[..c]; SIDE]; SIDE];
        for (i, pixels) in pixels.iter_mut().enumerate().take(height - row) {
            for (j, pixel) in pixels.iter_mut().enumerate().take(width - column) {
                *pixel = &x[((row + i) * width + column + j) * c..][..c];
            }
        }
        both_sides::<Input, T, SIDE, SIDE>(
            &mut half,
            #[inline(always)]
            |k, [i, j]| lanes(pixels[i][j], k),
            #[inline(always)]
            |k, [i, j], values| {
                let at = (i * SIDE + j) * plane + t * c + k * LANES;
                planes[at..][..LANES].copy_from_slice(values);
            },
        );
    }
}

/// `A g A^T` of the same tiles of a gradient map, `(images, padded height, padded width, c_out)` with the value of each
/// output pixel at [`Geometry::center`].
#[inline(always)]
pub(super) fn of_gradient<T: Real>(
    gradient: &[T],
    g: &Geometry,
    (first, n): (usize, usize),
    nothing: &[T],
    planes: &mut [T],
) {
    let (c, tiles) = (g.c_out, Tiles::of(g));
    let plane = planes.len() / PLACES;
    let mut half = vec![[[[T::ZERO; LANES]; TILE]; SIDE]; c / LANES];
    for t in 0..n {
        let (image, row, column) = tiles.place(first + t);
        let gradient = &gradient[image * g.gradient_len()..][..g.gradient_len()];
        let mut pixels = [[&nothing[..c]; TILE]; TILE];
        for (i, pixels) in pixels.iter_mut().enumerate().take(g.height - row) {
            for (j, pixel) in pixels.iter_mut().enumerate().take(g.width - column) {
                let at = (row + i + 1) * g.padded_width() + column + j + 1;
                *pixel = &gradient[at * c..][..c];
            }
        }
        both_sides::<Gradient, T, TILE, SIDE>(
            &mut half,
            #[inline(always)]
            |k, [i, j]| lanes(pixels[i][j], k),
            #[inline(always)]
            |k, [i, j], values| {
                let at = (i * SIDE + j) * plane + t * c + k * LANES;
                planes[at..][..LANES].copy_from_slice(values);
            },
        );
    }
}

/// `y = A^T m A`, or `y += A^T m A`, for the same tiles.
#[inline(always)]
pub(super) fn to_output<T: Real>(
    m: &[T],
    g: &Geometry,
    (first, n): (usize, usize),
    y: &mut [T],
    accumulate: bool,
) {
    let (c, tiles) = (g.c_out, Tiles::of(g));
    let plane = m.len() / PLACES;
    let mut half = vec![[[[T::ZERO; LANES]; SIDE]; TILE]; c / LANES];
    for t in 0..n {
        let (image, row, column) = tiles.place(first + t);
        let y = &mut y[image * g.out_len()..][..g.out_len()];
        both_sides::<Output, T, SIDE, TILE>(
            &mut half,
            #[inline(always)]
            |k, [i, j]| lanes(&m[(i * SIDE + j) * plane + t * c..], k),
            #[inline(always)]
            |k, [i, j], output| {
                if row + i >= g.height || column + j >= g.width {
                    return;
                }
                let at = ((row + i) * g.width + column + j) * c + k * LANES;
                let to = &mut y[at..][..LANES];
                if accumulate {
                    for (to, value) in to.iter_mut().zip(output) {
                        *to += *value;
                    }
                } else {
                    to.copy_from_slice(output);
                }
            },
        );
    }
}

/// The channels `k` of a pixel.
#[inline(always)]
fn lanes<T: Real>(pixel: &[T], k: usize) -> Lanes<T> {
    pixel.as_chunks::<LANES>().0[k]
}
