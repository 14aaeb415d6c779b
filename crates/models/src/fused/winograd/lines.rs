//! The five transforms, [`LANES`] channels at a time: of one row or column, and of a square of pixels.
//!
//! Each is one loop over lanes between arrays of fixed size, which the compiler turns into one instruction a line.
//! Closures of `array::map` and `array::from_fn` are not reliably inlined into code of another instruction set, and one
//! call a tile costs more than its arithmetic.

#![allow(
    clippy::needless_range_loop,
    reason = "several rows are walked at once, and plain indices are what the compiler turns into SIMD"
)]

use super::tiles::{SIDE, TILE};
use crate::Real;
use crate::fused::geometry::LANES;

/// A few channels of one pixel.
pub(super) type Lanes<T> = [T; LANES];

/// The product of a matrix of `K` rows and `N` columns with a row or column of a square.
pub(super) trait Transform<const N: usize, const K: usize> {
    fn line<T: Real>(values: &[Lanes<T>; N]) -> [Lanes<T>; K];
}

/// `M d M^T` for as many blocks of [`LANES`] channels as `half` has elements: the columns, then the rows.
///
/// `load(block, [row, column])` reads `d`, `store(block, [row, column], ..)` takes the result: a square that is gathered before it
/// is transformed, or scattered afterwards, is copied through memory once more. The blocks of a pixel are read one after the
/// other, as they lie in memory. `half`, of any contents, is room for what lies between columns and rows.
///
/// Both functions have to be `#[inline(always)]`, like whatever is dispatched.
#[inline(always)]
pub(super) fn both_sides<M: Transform<N, K>, T: Real, const N: usize, const K: usize>(
    half: &mut [[[Lanes<T>; N]; K]],
    load: impl Fn(usize, [usize; 2]) -> Lanes<T>,
    mut store: impl FnMut(usize, [usize; 2], &Lanes<T>),
) {
    for column in 0..N {
        for (k, half) in half.iter_mut().enumerate() {
            let mut line = [[T::ZERO; LANES]; N];
            for row in 0..N {
                line[row] = load(k, [row, column]);
            }
            let line = M::line(&line);
            for row in 0..K {
                half[row][column] = line[row];
            }
        }
    }
    for (k, half) in half.iter().enumerate() {
        for row in 0..K {
            let line = M::line(&half[row]);
            for column in 0..K {
                store(k, [row, column], &line[column]);
            }
        }
    }
}

/// `B^T`, for tiles of the input.
pub(super) struct Input;

impl Transform<SIDE, SIDE> for Input {
    #[inline(always)]
    fn line<T: Real>(d: &[Lanes<T>; SIDE]) -> [Lanes<T>; SIDE] {
        let (two, four, five) = (T::of(2.0), T::of(4.0), T::of(5.0));
        let mut out = [[T::ZERO; LANES]; SIDE];
        for lane in 0..LANES {
            let [d0, d1, d2, d3, d4, d5] = at(d, lane);
            let (even, odd) = ((-four).fma(d2, d4), (-four).fma(d1, d3));
            let (outer, inner) = (d4 - d2, d3 - d1);
            out[0][lane] = four.fma(d0, (-five).fma(d2, d4));
            out[1][lane] = even + odd;
            out[2][lane] = even - odd;
            out[3][lane] = two.fma(inner, outer);
            out[4][lane] = (-two).fma(inner, outer);
            out[5][lane] = four.fma(d1, (-five).fma(d3, d5));
        }
        out
    }
}

/// `A`, for tiles of a gradient map.
pub(super) struct Gradient;

impl Transform<TILE, SIDE> for Gradient {
    #[inline(always)]
    fn line<T: Real>(g: &[Lanes<T>; TILE]) -> [Lanes<T>; SIDE] {
        let (two, four) = (T::of(2.0), T::of(4.0));
        let mut out = [[T::ZERO; LANES]; SIDE];
        for lane in 0..LANES {
            let [g0, g1, g2, g3] = at(g, lane);
            let (even, odd) = (g0 + g2, g1 + g3);
            let (far_even, far_odd) = (four.fma(g2, g0), two * four.fma(g3, g1));
            out[0][lane] = g0;
            out[1][lane] = even + odd;
            out[2][lane] = even - odd;
            out[3][lane] = far_even + far_odd;
            out[4][lane] = far_even - far_odd;
            out[5][lane] = g3;
        }
        out
    }
}

/// `A^T`, from products to tiles of the output.
pub(super) struct Output;

impl Transform<SIDE, TILE> for Output {
    #[inline(always)]
    fn line<T: Real>(m: &[Lanes<T>; SIDE]) -> [Lanes<T>; TILE] {
        let (two, four, eight) = (T::of(2.0), T::of(4.0), T::of(8.0));
        let mut out = [[T::ZERO; LANES]; TILE];
        for lane in 0..LANES {
            let [m0, m1, m2, m3, m4, m5] = at(m, lane);
            let (near, near_odd) = (m1 + m2, m1 - m2);
            let (far, far_odd) = (m3 + m4, m3 - m4);
            out[0][lane] = m0 + near + far;
            out[1][lane] = two.fma(far_odd, near_odd);
            out[2][lane] = four.fma(far, near);
            out[3][lane] = eight.fma(far_odd, near_odd) + m5;
        }
        out
    }
}

/// `G`, for weights.
pub(super) struct Weights;

impl Transform<3, SIDE> for Weights {
    #[inline(always)]
    fn line<T: Real>(w: &[Lanes<T>; 3]) -> [Lanes<T>; SIDE] {
        let (quarter, sixth) = (T::of(1.0 / 4.0), T::of(1.0 / 6.0));
        let (twelfth, small) = (T::of(1.0 / 12.0), T::of(1.0 / 24.0));
        let mut out = [[T::ZERO; LANES]; SIDE];
        for lane in 0..LANES {
            let [w0, w1, w2] = at(w, lane);
            let (near, near_odd) = (-sixth * (w0 + w2), sixth * w1);
            let (far, far_odd) = (small.fma(w0, sixth * w2), twelfth * w1);
            out[0][lane] = quarter * w0;
            out[1][lane] = near - near_odd;
            out[2][lane] = near + near_odd;
            out[3][lane] = far + far_odd;
            out[4][lane] = far - far_odd;
            out[5][lane] = w2;
        }
        out
    }
}

/// `G^T`, from sums of products to the gradient of the weights.
pub(super) struct WeightGradient;

impl Transform<SIDE, 3> for WeightGradient {
    #[inline(always)]
    fn line<T: Real>(u: &[Lanes<T>; SIDE]) -> [Lanes<T>; 3] {
        let (quarter, sixth) = (T::of(1.0 / 4.0), T::of(1.0 / 6.0));
        let (twelfth, small) = (T::of(1.0 / 12.0), T::of(1.0 / 24.0));
        let mut out = [[T::ZERO; LANES]; 3];
        for lane in 0..LANES {
            let [u0, u1, u2, u3, u4, u5] = at(u, lane);
            let (near, far) = (sixth * (u1 + u2), u3 + u4);
            out[0][lane] = small.fma(far, quarter.fma(u0, -near));
            out[1][lane] = twelfth.fma(u3 - u4, sixth * (u2 - u1));
            out[2][lane] = sixth.fma(far, u5 - near);
        }
        out
    }
}

/// One lane of each line.
#[inline(always)]
fn at<T: Real, const N: usize>(lines: &[Lanes<T>; N], lane: usize) -> [T; N] {
    let mut values = [T::ZERO; N];
    for i in 0..N {
        values[i] = lines[i][lane];
    }
    values
}
