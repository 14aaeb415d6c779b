//! Rows divided by their length: `u = x / sqrt(|x|^2 + 1e-8)`.
//!
//! The Jacobian `n (I - u u')`, with `n = 1 / sqrt(|x|^2 + 1e-8)`, is symmetric, so one product serves the tangent and
//! the pull-back.

use crate::Real;

/// Keeps a row of zeros finite; part of the definition of [`crate::Metric::Cosine`].
const EPSILON: f64 = 1e-8;

/// Unit rows, with the factor that made each.
pub(super) struct UnitRows<T> {
    rows: Vec<T>,
    factors: Vec<T>,
    width: usize,
}

impl<T: Real> UnitRows<T> {
    pub(super) fn new(mut rows: Vec<T>, width: usize) -> Self {
        let mut factors = Vec::with_capacity(rows.len() / width);
        for row in rows.chunks_exact_mut(width) {
            let factor = T::ONE / (dot(row, row) + T::of(EPSILON)).sqrt();
            for value in row {
                *value *= factor;
            }
            factors.push(factor);
        }
        Self {
            rows,
            factors,
            width,
        }
    }

    pub(super) fn values(&self) -> &[T] {
        &self.rows
    }

    /// `n (g - u (u.g))`.
    pub(super) fn jacobian_product(&self, g: &[T]) -> Vec<T> {
        let mut product = Vec::with_capacity(g.len());
        for ((u, n), g) in self
            .rows
            .chunks_exact(self.width)
            .zip(&self.factors)
            .zip(g.chunks_exact(self.width))
        {
            let along = dot(u, g);
            product.extend(u.iter().zip(g).map(|(u, g)| *n * (*g - *u * along)));
        }
        product
    }

    /// Tangent of `n (g - u (u.g))` where the rows `x` have the tangent `dx` and `g` the tangent `dg`:
    ///
    /// `dn (g - u (u.g)) + n (dg - du (u.g) - u (du.g + u.dg))`, `dn = -n^2 (u.dx)`, `du = n (dx - u (u.dx))`
    pub(super) fn pull_tangent(&self, g: &[T], dg: &[T], dx: &[T]) -> Vec<T> {
        let mut tangent = Vec::with_capacity(g.len());
        for (row, (u, n)) in self
            .rows
            .chunks_exact(self.width)
            .zip(&self.factors)
            .enumerate()
        {
            let at = row * self.width;
            let (g, dg, dx) = (
                &g[at..][..self.width],
                &dg[at..][..self.width],
                &dx[at..][..self.width],
            );
            let (u_g, u_dx) = (dot(u, g), dot(u, dx));
            let du: Vec<T> = u
                .iter()
                .zip(dx)
                .map(|(u, dx)| *n * (*dx - *u * u_dx))
                .collect();
            let (dn, along) = (-(*n * *n * u_dx), dot(&du, g) + dot(u, dg));
            tangent.extend(
                (0..self.width)
                    .map(|j| dn * (g[j] - u[j] * u_g) + *n * (dg[j] - du[j] * u_g - u[j] * along)),
            );
        }
        tangent
    }
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(a, b)| *a * *b).sum()
}
