//! Small dense matrices in double precision, for systems of as many equations as a task has supports.
//!
//! Sums go in one order. What is not finite passes through: a negative pivot gives NaN, which the loss then shows.

/// Rows end to end.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Of `rows` rows; `values` holds them end to end.
    pub(crate) fn of(rows: usize, values: Vec<f64>) -> Self {
        let columns = values.len() / rows.max(1);
        Self {
            rows,
            columns,
            values,
        }
    }

    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            values: vec![0.0; rows * columns],
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub(crate) fn at_mut(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.values[row * self.columns + column]
    }

    /// `self other`.
    pub(crate) fn times(&self, other: &Self) -> Self {
        Self::filled(self.rows, other.columns, |i, j| {
            (0..self.columns)
                .map(|k| self.at(i, k) * other.at(k, j))
                .sum()
        })
    }

    /// `self^T other`.
    pub(crate) fn transposed_times(&self, other: &Self) -> Self {
        Self::filled(self.columns, other.columns, |i, j| {
            (0..self.rows).map(|k| self.at(k, i) * other.at(k, j)).sum()
        })
    }

    /// `self other^T`.
    pub(crate) fn times_transposed(&self, other: &Self) -> Self {
        Self::filled(self.rows, other.rows, |i, j| {
            (0..self.columns)
                .map(|k| self.at(i, k) * other.at(j, k))
                .sum()
        })
    }

    /// `self <- self - other`.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (own, other) in self.values.iter_mut().zip(&other.values) {
            *own -= other;
        }
    }

    fn filled(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let mut matrix = Self::zeros(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                *matrix.at_mut(row, column) = value(row, column);
            }
        }
        matrix
    }
}

/// `L` of `A = L L^T`, for a symmetric positive definite `A`.
#[derive(Clone, Debug)]
pub(crate) struct Cholesky(Matrix);

impl Cholesky {
    /// Row by row (Golub & Van Loan 2013, "Matrix computations", section 4.2.5); the upper half of `a` is not read.
    pub(crate) fn of(mut a: Matrix) -> Self {
        for i in 0..a.rows {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| a.at(i, k) * a.at(j, k)).sum();
                let rest = a.at(i, j) - known;
                *a.at_mut(i, j) = if i == j {
                    rest.sqrt()
                } else {
                    rest / a.at(j, j)
                };
            }
        }
        Self(a)
    }

    /// `A^-1 right`, by a forward and a backward substitution.
    pub(crate) fn solve(&self, right: &Matrix) -> Matrix {
        let (l, mut x) = (&self.0, right.clone());
        for column in 0..x.columns {
            for i in 0..l.rows {
                let known: f64 = (0..i).map(|k| l.at(i, k) * x.at(k, column)).sum();
                *x.at_mut(i, column) = (x.at(i, column) - known) / l.at(i, i);
            }
            for i in (0..l.rows).rev() {
                let known: f64 = (i + 1..l.rows).map(|k| l.at(k, i) * x.at(k, column)).sum();
                *x.at_mut(i, column) = (x.at(i, column) - known) / l.at(i, i);
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[[4, 2], [2, 3]]` has the factor `[[2, 0], [1, sqrt 2]]` and the inverse `[[3, -2], [-2, 4]] / 8`.
    #[test]
    fn a_factor_and_a_solution_by_hand() {
        let factor = Cholesky::of(Matrix::of(2, vec![4.0, 2.0, 2.0, 3.0]));
        for (row, column, expected) in [(0, 0, 2.0), (1, 0, 1.0), (1, 1, 2.0_f64.sqrt())] {
            assert!((factor.0.at(row, column) - expected).abs() < 1e-15);
        }
        let inverse = factor.solve(&Matrix::of(2, vec![1.0, 0.0, 0.0, 1.0]));
        for (found, expected) in inverse.values().iter().zip([0.375, -0.25, -0.25, 0.5]) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn products_by_hand() {
        let a = Matrix::of(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let b = Matrix::of(3, vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(a.times(&b).values(), [4.0, 5.0, 10.0, 11.0]);
        assert_eq!(a.times_transposed(&a).values(), [14.0, 32.0, 32.0, 77.0]);
        let square = a.transposed_times(&a);
        assert_eq!(
            square.values(),
            [17.0, 22.0, 27.0, 22.0, 29.0, 36.0, 27.0, 36.0, 45.0]
        );
        let mut zero = square.clone();
        zero.subtract(&square);
        assert!(zero.values().iter().all(|value| *value == 0.0));
    }

    #[test]
    fn what_is_not_positive_definite_is_not_a_number() {
        let factor = Cholesky::of(Matrix::of(1, vec![-1.0]));
        assert!(factor.solve(&Matrix::of(1, vec![1.0])).values()[0].is_nan());
    }
}
