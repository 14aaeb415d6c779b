//! A factor as columns of a design: a number as a line, or a line and its square; a category as one column for each level that
//! occurs but the first.

use std::collections::BTreeSet;

use nalgebra::{DMatrix, DVector};

use super::tree::Domain;

/// Relative length under which a column is a combination of the ones before it.
const DEPENDENT: f64 = 1e-7;

/// The columns of factor `at` over points with coordinates `x` (see [`super::table::Scale::to_unit`]), each centred.
pub(super) fn columns(x: &[Vec<f64>], at: usize, domain: Domain, powers: usize) -> DMatrix<f64> {
    let levels = || x.iter().map(|point| point[at]);
    let raw: Vec<Vec<f64>> = match domain {
        Domain::Unit => (1..=powers)
            .map(|power| levels().map(|u| (u - 0.5).powi(power as i32)).collect())
            .collect(),
        Domain::Categories(_) => occurring(x, at)
            .into_iter()
            .skip(1)
            .map(|level| {
                let is = |u: f64| f64::from(u8::from(u as usize == level));
                levels().map(is).collect()
            })
            .collect(),
    };
    let mut matrix = DMatrix::from_fn(x.len(), raw.len(), |row, column| raw[column][row]);
    for mut column in matrix.column_iter_mut() {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    }
    matrix
}

/// The levels of a category that occur, ascending.
pub(super) fn occurring(x: &[Vec<f64>], at: usize) -> Vec<usize> {
    let levels: BTreeSet<usize> = x.iter().map(|point| point[at] as usize).collect();
    levels.into_iter().collect()
}

/// Every pair of `n` places, the first under the second.
pub(super) fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |a| (a + 1..n).map(move |b| (a, b)))
}

/// The level of one interval of `n` that hold together at `level` (Bonferroni).
pub(super) fn together(level: f64, n: usize) -> f64 {
    1.0 - (1.0 - level) / n.max(1) as f64
}

/// The intercept alone.
pub(super) fn ones(n: usize) -> DMatrix<f64> {
    DMatrix::from_element(n, 1, 1.0)
}

/// Two designs side by side.
pub(super) fn beside(a: &DMatrix<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let mut both = DMatrix::zeros(a.nrows(), a.ncols() + b.ncols());
    both.columns_mut(0, a.ncols()).copy_from(a);
    both.columns_mut(a.ncols(), b.ncols()).copy_from(b);
    both
}

/// An orthonormal basis of the columns, without those that depend on others.
pub(super) fn orthonormal(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let kept = gram_schmidt(matrix).0;
    DMatrix::from_fn(matrix.nrows(), kept.len(), |row, column| kept[column][row])
}

/// The columns that do not depend on the ones before them, as they are.
pub(super) fn independent(matrix: &DMatrix<f64>) -> DMatrix<f64> {
    matrix.select_columns(&gram_schmidt(matrix).1)
}

/// Directions and the columns that brought them (Gram and Schmidt, each column twice).
fn gram_schmidt(matrix: &DMatrix<f64>) -> (Vec<DVector<f64>>, Vec<usize>) {
    let mut kept: Vec<DVector<f64>> = Vec::new();
    let mut from = Vec::new();
    for (at, column) in matrix.column_iter().enumerate() {
        let mut rest = column.into_owned();
        let length = rest.norm();
        for _ in 0..2 {
            for direction in &kept {
                let part = direction.dot(&rest);
                rest.axpy(-part, direction, 1.0);
            }
        }
        if length > 0.0 && rest.norm() > DEPENDENT * length {
            kept.push(rest.normalize());
            from.push(at);
        }
    }
    (kept, from)
}

/// What a basis leaves of a design.
pub(super) fn without(matrix: &DMatrix<f64>, basis: &DMatrix<f64>) -> DMatrix<f64> {
    matrix - basis * (basis.transpose() * matrix)
}

/// Share of the variation of the design that the basis leaves.
pub(super) fn left(matrix: &DMatrix<f64>, basis: &DMatrix<f64>) -> f64 {
    let all = matrix.norm_squared();
    if all > 0.0 {
        without(matrix, basis).norm_squared() / all
    } else {
        0.0
    }
}
