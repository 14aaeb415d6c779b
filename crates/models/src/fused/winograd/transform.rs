//! The three transforms of maps, [`LANES`] channels at a time.
//!
//! Written as one loop over lanes between copies of fixed size, which the compiler turns into one instruction a line.
//! Closures of `array::map` and `array::from_fn` are not reliably inlined into code of another instruction set, and one
//! call a tile costs more than its arithmetic.

use super::{LANES, PASS, PLACES, Tiles};
use crate::Real;
use crate::fused::geometry::Geometry;

/// A few channels of one pixel.
type Lanes<T> = [T; LANES];

/// `B^T d B` of the tiles `first .. first + n` of a padded map `x`, `(images, padded height, padded width, c)`, into
/// `planes`, `(16, PASS, c)`.
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
    for t in 0..n {
        let (image, row, column) = tiles.place(first + t);
        let x = &x[image * g.in_len()..][..g.in_len()];
        let mut pixels = [&nothing[..c]; PLACES];
        for (e, pixel) in pixels.iter_mut().enumerate() {
            let (row, column) = (row + e / 4, column + e % 4);
            if row < height && column < width {
                *pixel = &x[(row * width + column) * c..][..c];
            }
        }
        for k in 0..c / LANES {
            let mut d = [[T::ZERO; LANES]; PLACES];
            for (d, pixel) in d.iter_mut().zip(pixels) {
                *d = lanes(pixel, k);
            }
            let mut out = [[T::ZERO; LANES]; PLACES];
            for lane in 0..LANES {
                // Columns, then rows: B^T (d) and (.) B.
                let mut half = [T::ZERO; PLACES];
                for column in 0..4 {
                    let (a, b) = (d[column][lane], d[4 + column][lane]);
                    let (c, d) = (d[8 + column][lane], d[12 + column][lane]);
                    half[column] = a - c;
                    half[4 + column] = b + c;
                    half[8 + column] = c - b;
                    half[12 + column] = b - d;
                }
                for row in 0..4 {
                    let (a, b) = (half[4 * row], half[4 * row + 1]);
                    let (c, d) = (half[4 * row + 2], half[4 * row + 3]);
                    out[4 * row][lane] = a - c;
                    out[4 * row + 1][lane] = b + c;
                    out[4 * row + 2][lane] = c - b;
                    out[4 * row + 3][lane] = b - d;
                }
            }
            store(planes, t * g.c_in + k * LANES, &out);
        }
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
    for t in 0..n {
        let (image, row, column) = tiles.place(first + t);
        let gradient = &gradient[image * g.gradient_len()..][..g.gradient_len()];
        let mut pixels = [&nothing[..c]; 4];
        for (e, pixel) in pixels.iter_mut().enumerate() {
            let (row, column) = (row + e / 2, column + e % 2);
            if row < g.height && column < g.width {
                *pixel = &gradient[((row + 1) * g.padded_width() + column + 1) * c..][..c];
            }
        }
        for k in 0..c / LANES {
            let mut g = [[T::ZERO; LANES]; 4];
            for (g, pixel) in g.iter_mut().zip(pixels) {
                *g = lanes(pixel, k);
            }
            let mut out = [[T::ZERO; LANES]; PLACES];
            for lane in 0..LANES {
                let (a, b, c, d) = (g[0][lane], g[1][lane], g[2][lane], g[3][lane]);
                // A's rows are (1, 0), (1, 1), (1, -1), (0, -1).
                let left = [a, a + c, a - c, -c];
                let right = [b, b + d, b - d, -d];
                for row in 0..4 {
                    out[4 * row][lane] = left[row];
                    out[4 * row + 1][lane] = left[row] + right[row];
                    out[4 * row + 2][lane] = left[row] - right[row];
                    out[4 * row + 3][lane] = -right[row];
                }
            }
            store(planes, t * c + k * LANES, &out);
        }
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
    let plane = PASS * c;
    for t in 0..n {
        let (image, row, column) = tiles.place(first + t);
        let y = &mut y[image * g.out_len()..][..g.out_len()];
        for k in 0..c / LANES {
            let mut square = [[T::ZERO; LANES]; PLACES];
            for (place, square) in square.iter_mut().enumerate() {
                *square = lanes(&m[place * plane + t * c..][..c], k);
            }
            let mut outputs = [[T::ZERO; LANES]; 4];
            for lane in 0..LANES {
                let mut half = [T::ZERO; 8];
                for column in 0..4 {
                    let (a, b) = (square[column][lane], square[4 + column][lane]);
                    let (c, d) = (square[8 + column][lane], square[12 + column][lane]);
                    half[column] = a + b + c;
                    half[4 + column] = b - c - d;
                }
                for row in 0..2 {
                    let (a, b) = (half[4 * row], half[4 * row + 1]);
                    let (c, d) = (half[4 * row + 2], half[4 * row + 3]);
                    outputs[2 * row][lane] = a + b + c;
                    outputs[2 * row + 1][lane] = b - c - d;
                }
            }
            for (e, output) in outputs.iter().enumerate() {
                let (row, column) = (row + e / 2, column + e % 2);
                if row < g.height && column < g.width {
                    let at = (row * g.width + column) * c + k * LANES;
                    let to = &mut y[at..][..LANES];
                    if accumulate {
                        for (to, value) in to.iter_mut().zip(output) {
                            *to += *value;
                        }
                    } else {
                        to.copy_from_slice(output);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn lanes<T: Real>(pixel: &[T], k: usize) -> Lanes<T> {
    pixel.as_chunks::<LANES>().0[k]
}

/// Writes a tile's values at each place, at offset `at` of each plane.
#[inline(always)]
fn store<T: Real>(planes: &mut [T], at: usize, values: &[[T; LANES]; PLACES]) {
    let len = planes.len() / PLACES;
    for (plane, values) in planes.chunks_exact_mut(len).zip(values) {
        plane[at..][..LANES].copy_from_slice(values);
    }
}
