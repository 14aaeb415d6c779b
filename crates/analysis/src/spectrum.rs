//! F1 and F2: the spectrum of a symmetric matrix that is known only by its products with vectors, as a Hessian is.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::distribution::student_quantile;
use crate::error::{AnalysisError, check_finite, check_len};
use crate::estimate::{Estimate, Interval};
use crate::random::{generator, uniform};
use crate::summary::{mean, standard_deviation};

/// What Lanczos' method finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanczosSpectrum {
    /// Ritz values, descending: the outer ones approach eigenvalues first.
    pub values: Vec<f64>,
    /// For each, a bound on its distance to some eigenvalue: `beta_m |last entry of its vector|`.
    pub errors: Vec<f64>,
    /// For each, its weight in the spectral density seen from the random start, adding up to 1.
    pub weights: Vec<f64>,
    /// Products that were made.
    pub n_products: usize,
}

/// Extreme eigenvalues of a symmetric matrix by Lanczos' method with full reorthogonalization.
///
/// From a random unit vector, `steps` products build a basis `Q` and the tridiagonal matrix `T = Q'HQ`, whose eigenvalues
/// are given. It ends earlier where the basis spans an invariant space: then all of them are eigenvalues. The product must be of
/// the same matrix each time: on changing batches the method does not converge.
///
/// # Errors
/// Those of the product; [`AnalysisError::TooFew`] for no dimension or no step; [`AnalysisError::Shape`] or
/// [`AnalysisError::NotFinite`] for a product of another length, or with NaN.
/// # Source
/// Golub and Van Loan 2013, chapter 10; density weights: Ghorbani, Krishnan and Xiao 2019.
pub fn lanczos<E: From<AnalysisError>>(
    dimension: usize,
    steps: usize,
    seed: u64,
    mut product: impl FnMut(&[f64]) -> Result<Vec<f64>, E>,
) -> Result<LanczosSpectrum, E> {
    if dimension == 0 || steps == 0 {
        return Err(AnalysisError::too_few("dimensions and steps of Lanczos' method", 1, 0).into());
    }
    let mut rng = generator(seed, "spectrum/lanczos", 0);
    // Uniform on a cube is random enough for a start: it has a part along every eigenvector.
    let mut q = DVector::from_fn(dimension, |_, _| 2.0 * uniform(&mut rng) - 1.0);
    let length = q.norm();
    q /= length;
    let mut basis: Vec<DVector<f64>> = Vec::new();
    let (mut alphas, mut betas): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut scale = 0.0_f64;
    for _ in 0..steps.min(dimension) {
        let mut next = checked(product(q.as_slice())?, dimension)?;
        alphas.push(q.dot(&next));
        basis.push(q);
        // Twice is enough (Kahan and Parlett): one pass leaves an error of the size of what it took away.
        for _ in 0..2 {
            for earlier in &basis {
                let along = earlier.dot(&next);
                next.axpy(-along, earlier, 1.0);
            }
        }
        let beta = next.norm();
        scale = scale.max(beta).max(alphas[alphas.len() - 1].abs());
        betas.push(beta);
        if beta <= 1e-12 * scale {
            break;
        }
        q = next / beta;
    }
    let m = alphas.len();
    let tridiagonal = DMatrix::from_fn(m, m, |a, b| match a.abs_diff(b) {
        0 => alphas[a],
        1 => betas[a.min(b)],
        _ => 0.0,
    });
    let eigen = SymmetricEigen::new(tridiagonal);
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    Ok(LanczosSpectrum {
        values: order.iter().map(|&at| eigen.eigenvalues[at]).collect(),
        errors: order
            .iter()
            .map(|&at| (betas[m - 1] * eigen.eigenvectors[(m - 1, at)]).abs())
            .collect(),
        weights: order
            .iter()
            .map(|&at| eigen.eigenvectors[(0, at)].powi(2))
            .collect(),
        n_products: m,
    })
}

/// Spectral density from several starts: the weighted Ritz values, each widened to a normal curve of standard deviation
/// `sigma`, at each point of `at`. Integrates to 1.
///
/// # Errors
/// [`AnalysisError::TooFew`] without a spectrum; [`AnalysisError::OutOfRange`] for `sigma` not above 0.
pub fn spectral_density(
    spectra: &[LanczosSpectrum],
    at: &[f64],
    sigma: f64,
) -> Result<Vec<f64>, AnalysisError> {
    if spectra.is_empty() {
        return Err(AnalysisError::too_few("spectra", 1, 0));
    }
    if !(sigma > 0.0 && sigma.is_finite()) {
        return Err(AnalysisError::out_of_range(
            "sigma",
            sigma,
            "the argument",
            "a positive number",
        ));
    }
    let scale = sigma * std::f64::consts::TAU.sqrt() * spectra.len() as f64;
    let bump = |x: f64, value: f64| (-0.5 * ((x - value) / sigma).powi(2)).exp() / scale;
    let density = |x: &f64| {
        spectra
            .iter()
            .flat_map(|s| s.values.iter().zip(&s.weights))
            .map(|(value, weight)| weight * bump(*x, *value))
            .sum()
    };
    Ok(at.iter().map(density).collect())
}

/// Trace of a symmetric matrix by Hutchinson's estimator, `mean_i v_i' H v_i` over `n_draws` vectors of random signs;
/// unbiased, with Student's interval from the scatter of the draws. A diagonal matrix is found exactly by one draw.
///
/// # Errors
/// Those of the product; [`AnalysisError::TooFew`] for no dimension or fewer than 2 draws; [`AnalysisError::Shape`] or
/// [`AnalysisError::NotFinite`] as in [`lanczos`].
/// # Source
/// Hutchinson 1989.
pub fn hutchinson<E: From<AnalysisError>>(
    dimension: usize,
    n_draws: usize,
    seed: u64,
    level: f64,
    mut product: impl FnMut(&[f64]) -> Result<Vec<f64>, E>,
) -> Result<Estimate, E> {
    if dimension == 0 || n_draws < 2 {
        return Err(AnalysisError::too_few(
            "draws of Hutchinson's estimator",
            2,
            n_draws.min(dimension),
        )
        .into());
    }
    let mut draws = Vec::with_capacity(n_draws);
    for draw in 0..n_draws as u64 {
        let mut rng = generator(seed, "spectrum/hutchinson", draw);
        let v = signs(dimension, &mut rng);
        draws.push(checked(product(&v)?, dimension)?.dot(&DVector::from_vec(v)));
    }
    let center = mean(&draws);
    let error = standard_deviation(&draws) / (n_draws as f64).sqrt();
    let half = student_quantile((1.0 + level) / 2.0, (n_draws - 1) as f64) * error;
    Ok(Estimate::new(
        center,
        Interval::around(
            center,
            half,
            level,
            format!("Student t over {n_draws} random vectors"),
        ),
    ))
}

fn signs(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n)
        .map(|_| if uniform(rng) < 0.5 { -1.0 } else { 1.0 })
        .collect()
}

fn checked(values: Vec<f64>, dimension: usize) -> Result<DVector<f64>, AnalysisError> {
    check_len("product with the matrix", dimension, values.len())?;
    check_finite("product with the matrix", &values)?;
    Ok(DVector::from_vec(values))
}
