//! Task2Vec: a task as the diagonal of its Fisher information, and how far tasks are apart.

use std::ops::Range;

use nalgebra::{DMatrix, SymmetricEigen};

use crate::error::{AnalysisError, check_finite, check_len};
use crate::random::{generator, uniform};

/// The diagonal of the Fisher information of a table of predictions, from gradients under labels drawn from the
/// predictions themselves.
///
/// For `n` judged rows with independent labels, the gradient `g` of the *mean* negative log-likelihood has mean 0 and
/// `E g^2 = (1 / n^2) sum_i F_i`, so `n E g^2` is the mean of the rows' Fisher diagonals: no gradient of a single row is
/// needed, which batch statistics would not even define.
#[derive(Clone, Debug)]
pub struct FisherDiagonal {
    sum: Vec<f64>,
    n_draws: usize,
}

impl FisherDiagonal {
    /// Without draws.
    #[must_use]
    pub fn new(dimension: usize) -> Self {
        Self {
            sum: vec![0.0; dimension],
            n_draws: 0,
        }
    }

    /// Adds the gradient of the mean loss under one draw of labels.
    ///
    /// # Errors
    /// [`AnalysisError::Shape`], [`AnalysisError::NotFinite`].
    pub fn add(&mut self, gradient: &[f64]) -> Result<(), AnalysisError> {
        check_len("gradient", self.sum.len(), gradient.len())?;
        check_finite("gradient", gradient)?;
        for (sum, g) in self.sum.iter_mut().zip(gradient) {
            *sum += g * g;
        }
        self.n_draws += 1;
        Ok(())
    }

    /// Mean over each filter of the diagonal, for `n_rows` judged rows: the embedding of the task.
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`] without a draw; [`AnalysisError::OutOfRange`] for a filter beyond the end.
    pub fn embedding(
        &self,
        n_rows: usize,
        filters: &[Range<usize>],
    ) -> Result<Vec<f64>, AnalysisError> {
        if self.n_draws == 0 {
            return Err(AnalysisError::too_few("draws of labels", 1, 0));
        }
        let scale = n_rows as f64 / self.n_draws as f64;
        let of = |filter: &Range<usize>| {
            let own = self.sum.get(filter.clone()).ok_or_else(|| {
                AnalysisError::out_of_range(
                    "end of a filter",
                    filter.end as f64,
                    "filters",
                    &format!("at most {}", self.sum.len()),
                )
            })?;
            Ok(scale * own.iter().sum::<f64>() / own.len().max(1) as f64)
        };
        filters.iter().map(of).collect()
    }
}

/// Labels drawn from rows of log-probabilities, draw `index` under `seed`.
#[must_use]
pub fn drawn_labels(log_probabilities: &[f64], n_way: usize, seed: u64, index: u64) -> Vec<usize> {
    let mut rng = generator(seed, "task_distance/labels", index);
    let rows = log_probabilities.chunks_exact(n_way);
    rows.map(|row| {
        let mut left = uniform(&mut rng);
        let fits = |p: &f64| {
            left -= p.exp();
            left < 0.0
        };
        // Rounding may leave a little over: then it is the last.
        row.iter().position(fits).unwrap_or(n_way - 1)
    })
    .collect()
}

/// Symmetric distance of two embeddings, `1 - cos(a / (a + b), b / (a + b))`: 0 for equal ones, 1 for disjoint ones.
/// Entries that are 0 in both do not count.
///
/// # Source
/// Achille et al. 2019, "Task2Vec: task embedding for meta-learning", section 3.
#[must_use]
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let sum = a + b;
        if sum > 0.0 {
            let (a, b) = (a / sum, b / sum);
            product += a * b;
            square_a += a * a;
            square_b += b * b;
        }
    }
    let scale = (square_a * square_b).sqrt();
    if scale > 0.0 {
        (1.0 - product / scale).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// Points in the plane whose distances are as near to the given ones as a plane allows (classical scaling: the two
/// leading axes of the doubly centered squares). `(x, y)` for each.
///
/// # Shapes
/// `distances`: `(n, n)`, symmetric.
/// # Errors
/// [`AnalysisError::Shape`], [`AnalysisError::NotFinite`].
/// # Source
/// Torgerson 1952.
pub fn plane(distances: &[f64], n: usize) -> Result<Vec<(f64, f64)>, AnalysisError> {
    check_len("distances", n * n, distances.len())?;
    check_finite("distance", distances)?;
    if n < 3 {
        return Ok((0..n).map(|at| (distances[at * n], 0.0)).collect());
    }
    let squares = DMatrix::from_fn(n, n, |i, j| distances[i * n + j].powi(2));
    let (rows, all) = (squares.column_mean(), squares.mean());
    let centered = DMatrix::from_fn(n, n, |i, j| {
        -0.5 * (squares[(i, j)] - rows[i] - rows[j] + all)
    });
    let eigen = SymmetricEigen::new(centered);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let axis = |which: usize, at: usize| {
        let column = order[which];
        // The sign of an eigenvector is arbitrary: its largest entry is made positive.
        let vector = eigen.eigenvectors.column(column);
        let sign = vector[vector.iamax()].signum();
        sign * vector[at] * eigen.eigenvalues[column].max(0.0).sqrt()
    };
    Ok((0..n).map(|at| (axis(0, at), axis(1, at))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row, softmax over two logits `(w, 0)`: the Fisher information of `w` is `p (1 - p)`.
    #[test]
    fn fisher_of_a_coin_is_its_variance() {
        let p = 0.3_f64;
        let rows = [p.ln(), (1.0 - p).ln()].repeat(4);
        let mut fisher = FisherDiagonal::new(1);
        for draw in 0..20_000 {
            let labels = drawn_labels(&rows, 2, 7, draw);
            // d/dw of -log p_y is p - [y = 0]; the mean over four rows.
            let gradient = labels
                .iter()
                .map(|y| p - f64::from(u8::from(*y == 0)))
                .sum::<f64>()
                / 4.0;
            fisher.add(&[gradient]).unwrap();
        }
        let found = fisher.embedding(4, std::slice::from_ref(&(0..1))).unwrap()[0];
        // The SD of the estimate is about sqrt(2 / 20,000) of it: five of them.
        assert!((found / (p * (1.0 - p)) - 1.0).abs() < 0.05, "{found}");
    }

    #[test]
    fn distances_and_their_plane() {
        assert!(distance(&[1.0, 2.0, 0.0], &[1.0, 2.0, 0.0]).abs() < 1e-12);
        assert!((distance(&[1.0, 0.0], &[0.0, 3.0]) - 1.0).abs() < 1e-12);
        // A 3-4-5 triangle is found again.
        let sides = [0.0, 3.0, 4.0, 3.0, 0.0, 5.0, 4.0, 5.0, 0.0];
        let points = plane(&sides, 3).unwrap();
        let apart =
            |a: usize, b: usize| (points[a].0 - points[b].0).hypot(points[a].1 - points[b].1);
        for (a, b, side) in [(0, 1, 3.0), (0, 2, 4.0), (1, 2, 5.0)] {
            assert!((apart(a, b) - side).abs() < 1e-9);
        }
    }
}
