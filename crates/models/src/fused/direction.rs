//! Rows less a centre, divided by their length: what a head reads of features of which the direction alone counts.
//!
//! `u = (x - c) / sqrt(|x - c|^2 + 1e-8)` for each row `x`, with the centre `c` among the parameters. Its derivatives are those of
//! [`UnitRows`] in `x - c`; what a row gets, the centre gets with the other sign, in sum over the rows.

use std::ops::Range;

use super::arena::Buffer;
use super::point::Point;
use super::unit_rows::UnitRows;
use crate::Real;

/// The layer.
#[derive(Clone, Debug)]
pub(super) struct Direction {
    /// Where the centre is in the parameters; as long as a row.
    pub(super) centre: Range<usize>,
}

/// What `forward` leaves; `backward` adds the gradient that it was given.
pub(super) struct Trace<T> {
    rows: UnitRows<T>,
    g: Vec<T>,
}

impl Direction {
    /// `(n, width)` to `(n, width)`.
    pub(super) fn forward<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> (Trace<T>, Buffer<T>) {
        let rows = UnitRows::new(self.less(x, at.params), self.centre.len());
        let out = buffer(at, rows.values());
        (
            Trace {
                rows,
                g: Vec::new(),
            },
            out,
        )
    }

    /// Pulls `g` back: adds to `gradient` (all parameters) and returns the gradient at the rows.
    pub(super) fn backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        trace: &mut Trace<T>,
        g: &[T],
        gradient: &mut [T],
    ) -> Buffer<T> {
        let at_rows = trace.rows.jacobian_product(g);
        trace.g = g.to_vec();
        self.subtract(&at_rows, gradient);
        buffer(at, &at_rows)
    }

    /// The tangent of `x - c`, kept for [`Self::tangent_backward`], and that of the output; no `dx` is one of zeros.
    pub(super) fn tangent<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &Trace<T>,
        dx: Option<&[T]>,
    ) -> (Vec<T>, Buffer<T>) {
        let n_values = trace.rows.values().len();
        let moved = match dx {
            Some(dx) => self.less(dx, v),
            None => self.less(&vec![T::ZERO; n_values], v),
        };
        let out = buffer(at, &trace.rows.jacobian_product(&moved));
        (moved, out)
    }

    /// The tangent of [`Self::backward`], where its `g` has the tangent `dg`.
    pub(super) fn tangent_backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        trace: &Trace<T>,
        moved: &[T],
        dg: &[T],
        product: &mut [T],
    ) -> Buffer<T> {
        let at_rows = trace.rows.pull_tangent(&trace.g, dg, moved);
        self.subtract(&at_rows, product);
        buffer(at, &at_rows)
    }

    /// Each row less the centre in `values`.
    fn less<T: Real>(&self, x: &[T], values: &[T]) -> Vec<T> {
        let centre = &values[self.centre.clone()];
        let rows = x.chunks_exact(self.centre.len());
        rows.flat_map(|row| row.iter().zip(centre).map(|(x, c)| *x - *c))
            .collect()
    }

    /// Takes every row from the centre's place, in order.
    fn subtract<T: Real>(&self, rows: &[T], to: &mut [T]) {
        let centre = &mut to[self.centre.clone()];
        for row in rows.chunks_exact(centre.len()) {
            for (sum, value) in centre.iter_mut().zip(row) {
                *sum -= *value;
            }
        }
    }
}

fn buffer<T: Real>(at: &Point<'_, T>, values: &[T]) -> Buffer<T> {
    let mut out = at.arena.take(values.len());
    out.copy_from_slice(values);
    out
}
