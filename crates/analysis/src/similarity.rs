//! F6: do two networks, layers or runs represent the same examples alike?

use nalgebra::DMatrix;

use crate::error::{AnalysisError, check_finite};
use crate::summary::mean;

/// Representations of `n` examples, one row each.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    matrix: DMatrix<f64>,
}

impl Features {
    /// Representations from values row by row, columns centered here.
    ///
    /// # Shapes
    /// `values`: `(n, width)`.
    /// # Errors
    /// [`AnalysisError::TooFew`] for fewer than 4 rows or no column; [`AnalysisError::Shape`];
    /// [`AnalysisError::NotFinite`] with the index.
    pub fn new(values: &[f64], n: usize) -> Result<Self, AnalysisError> {
        if n < 4 {
            return Err(AnalysisError::too_few("examples", 4, n));
        }
        if values.is_empty() {
            return Err(AnalysisError::too_few("features of each example", 1, 0));
        }
        crate::error::check_len("features", values.len() / n * n, values.len())?;
        check_finite("feature", values)?;
        let mut matrix = DMatrix::from_row_slice(n, values.len() / n, values);
        for mut column in matrix.column_iter_mut() {
            let center = mean(column.as_slice());
            column.add_scalar_mut(-center);
        }
        Ok(Self { matrix })
    }
}

fn same_examples(x: &Features, y: &Features) -> Result<(), AnalysisError> {
    crate::error::check_len(
        "examples of the second representation",
        x.matrix.nrows(),
        y.matrix.nrows(),
    )
}

/// Linear centered kernel alignment, `|Y'X|^2 / (|X'X| |Y'Y|)` (Frobenius norms, columns centered): 0 to 1, and 1 for
/// representations that differ by a rotation, a common factor and a shift.
///
/// Biased upwards when there are not many more examples than features (take at least five times as many, or
/// [`debiased_cka`]). `None` if a representation is constant.
///
/// # Errors
/// [`AnalysisError::Shape`] if the numbers of examples differ.
/// # Source
/// Kornblith et al. 2019, equation 4.
pub fn linear_cka(x: &Features, y: &Features) -> Result<Option<f64>, AnalysisError> {
    same_examples(x, y)?;
    let own = |m: &DMatrix<f64>| m.tr_mul(m).norm();
    let scale = own(&x.matrix) * own(&y.matrix);
    Ok((scale > 0.0).then(|| (y.matrix.tr_mul(&x.matrix).norm_squared() / scale).min(1.0)))
}

/// The same from unbiased estimates of the Hilbert-Schmidt independence criterion: about 0 for unrelated representations of
/// any width, and slightly negative as often as positive there.
///
/// `HSIC = (tr(KL) + 1'K1 1'L1 / ((n-1)(n-2)) - 2 1'KL1 / (n-2)) / (n (n-3))`, diagonals of `K = XX'`, `L = YY'` set to 0.
/// `None` if an estimate of a representation with itself is not positive.
///
/// # Errors
/// [`AnalysisError::Shape`] if the numbers of examples differ.
/// # Source
/// Song et al. 2012; Nguyen, Raghu and Kornblith 2021.
pub fn debiased_cka(x: &Features, y: &Features) -> Result<Option<f64>, AnalysisError> {
    same_examples(x, y)?;
    let kernel = |m: &DMatrix<f64>| {
        let mut kernel = m * m.transpose();
        kernel.fill_diagonal(0.0);
        kernel
    };
    let (k, l) = (kernel(&x.matrix), kernel(&y.matrix));
    let n = k.nrows() as f64;
    let hsic = |k: &DMatrix<f64>, l: &DMatrix<f64>| {
        // The kernels are symmetric: row sums are column sums, and tr(KL) is their dot product.
        let (rows_k, rows_l) = (k.row_sum(), l.row_sum());
        (k.dot(l) + k.sum() * l.sum() / ((n - 1.0) * (n - 2.0))
            - 2.0 * rows_k.dot(&rows_l) / (n - 2.0))
            / (n * (n - 3.0))
    };
    let scale = hsic(&k, &k) * hsic(&l, &l);
    Ok((scale > 0.0 && hsic(&k, &k) > 0.0).then(|| hsic(&k, &l) / scale.sqrt()))
}

/// F9: effective rank, the exponential of the entropy of the normalized spectrum of the covariance: 1 if all examples lie
/// on a line, the width if they fill all directions alike. 0 for a constant representation.
///
/// # Source
/// Roy and Vetterli 2007 (there of the singular values; here of their squares, the variances along the axes).
#[must_use]
pub fn effective_rank(x: &Features) -> f64 {
    let m = &x.matrix;
    let gram = if m.nrows() < m.ncols() {
        m * m.transpose()
    } else {
        m.tr_mul(m)
    };
    let values = gram.symmetric_eigenvalues();
    let total: f64 = values.iter().map(|v| v.max(0.0)).sum();
    if total <= 0.0 {
        return 0.0;
    }
    let entropy: f64 = values
        .iter()
        .map(|v| v.max(0.0) / total)
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    entropy.exp()
}
