//! B4: Sobol indices of a response: how much of its variance each factor brings alone, and together with others.
//!
//! Make the seed bundle one of the factors ([`super::table::Scale::Categories`]): its total index is the share that no tuning
//! removes. A noisy response without that factor inflates every total index.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::percentile_interval;
use crate::error::{AnalysisError, check_finite, check_len};
use crate::estimate::Estimate;
use crate::random::{generator, index};
use crate::summary::mean;

/// Longest sequence that is known.
pub const MOST_POINTS: usize = 1 << 16;
/// Most factors: a design takes two dimensions for each.
pub const MOST_FACTORS: usize = 128;

/// Where to evaluate a response: coordinates from 0 to 1, one for each factor.
#[derive(Clone, Debug, PartialEq)]
pub struct SaltelliDesign {
    /// `A`, `(n, k)`.
    pub a: Vec<Vec<f64>>,
    /// `B`, `(n, k)`: independent of `A`.
    pub b: Vec<Vec<f64>>,
}

/// The response at the points of a design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluations {
    /// `f(A)`, `(n)`.
    pub a: Vec<f64>,
    /// `f(B)`, `(n)`.
    pub b: Vec<f64>,
    /// `f(AB_i)`, `(k, n)`: `A` with column `i` from `B`.
    pub ab: Vec<Vec<f64>>,
}

/// Sobol indices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SobolIndices {
    /// Rows of the design, n; the response was evaluated `n (k + 2)` times.
    pub n: usize,
    /// Variance of the response over `A` and `B`.
    pub variance: f64,
    /// For each factor in order.
    pub factors: Vec<FactorIndices>,
}

/// Indices of one factor. Estimates may lie a little outside 0 to 1: they are not cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorIndices {
    /// `S_i`, what it brings alone (Saltelli et al. 2010).
    pub first: Estimate,
    /// The same by Jansen's estimator.
    pub first_jansen: Estimate,
    /// `ST_i`, what it brings alone and together with others (Jansen).
    pub total: Estimate,
}

/// The first `n` points of an Owen-scrambled Sobol sequence, coordinates from 0 to 1 (1 excluded).
///
/// Each seed gives an independent scrambling (Burley 2020); a power of two for `n` fills the cube most evenly.
///
/// # Errors
/// [`AnalysisError::OutOfRange`] for more than [`MOST_POINTS`] points or 256 dimensions.
pub fn quasi_random(
    n: usize,
    dimensions: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>, AnalysisError> {
    for (what, value, most) in [
        ("points", n, MOST_POINTS),
        ("dimensions", dimensions, 2 * MOST_FACTORS),
    ] {
        if value > most {
            return Err(AnalysisError::out_of_range(
                &format!("{what} of a quasi-random sequence"),
                value as f64,
                "the argument",
                &format!("at most {most}"),
            ));
        }
    }
    let seed = (seed ^ (seed >> 32)) as u32;
    let point = |at: usize| {
        (0..dimensions)
            .map(|d| f64::from(sobol_burley::sample(at as u32, d as u32, seed)))
            .collect()
    };
    Ok((0..n).map(point).collect())
}

impl SaltelliDesign {
    /// A design of `n` rows for `k` factors, from one scrambled Sobol sequence in `2k` dimensions.
    ///
    /// # Errors
    /// As [`quasi_random`].
    pub fn new(n: usize, k: usize, seed: u64) -> Result<Self, AnalysisError> {
        let both = quasi_random(n, 2 * k, seed)?;
        Ok(Self {
            a: both.iter().map(|row| row[..k].to_vec()).collect(),
            b: both.iter().map(|row| row[k..].to_vec()).collect(),
        })
    }

    /// Row `row` of `AB_i`: that of `A` with coordinate `i` from `B`.
    #[must_use]
    pub fn mixed(&self, row: usize, i: usize) -> Vec<f64> {
        let mut point = self.a[row].clone();
        point[i] = self.b[row][i];
        point
    }

    /// Evaluates a response at all `n (k + 2)` points.
    #[must_use]
    pub fn evaluate(&self, f: impl Fn(&[f64]) -> f64 + Sync) -> Evaluations {
        let k = self.a.first().map_or(0, Vec::len);
        let of = |rows: &[Vec<f64>]| rows.par_iter().map(|row| f(row)).collect();
        Evaluations {
            a: of(&self.a),
            b: of(&self.b),
            ab: (0..k)
                .map(|i| {
                    (0..self.a.len())
                        .into_par_iter()
                        .map(|row| f(&self.mixed(row, i)))
                        .collect()
                })
                .collect(),
        }
    }
}

/// Sobol indices from the evaluations of a design, with percentile bootstrap intervals over its rows.
///
/// With `V` the variance of all `f(A)` and `f(B)`, and the response centered at the mean of all evaluations (which
/// takes most of the error out of the first estimator):
/// - first order: `S_i = mean(f(B) (f(AB_i) - f(A))) / V` (Saltelli et al. 2010), and
///   `S_i = 1 - mean((f(B) - f(AB_i))^2) / 2V` (Jansen 1999);
/// - total: `ST_i = mean((f(A) - f(AB_i))^2) / 2V` (Jansen 1999).
///
/// `ST_i - S_i` is what the factor does together with others; `sum S_i` near 1 means that the factors add up.
/// A response without variance has all indices 0. On quasi-random rows the bootstrap, which takes them for random ones,
/// gives intervals that are too wide rather than too narrow.
///
/// # Errors
/// [`AnalysisError::TooFew`] for fewer than 8 rows or no factor, [`AnalysisError::Shape`], [`AnalysisError::NotFinite`].
/// # Source
/// Saltelli et al. 2010, table 2; the centering is that of SALib.
pub fn sobol_indices(
    evaluations: &Evaluations,
    seed: u64,
    n_resamples: usize,
    level: f64,
) -> Result<SobolIndices, AnalysisError> {
    let n = evaluations.a.len();
    if n < 8 {
        return Err(AnalysisError::too_few("rows of the design", 8, n));
    }
    if evaluations.ab.is_empty() {
        return Err(AnalysisError::too_few("factors of the design", 1, 0));
    }
    check_len("f(B)", n, evaluations.b.len())?;
    check_finite("f(A)", &evaluations.a)?;
    check_finite("f(B)", &evaluations.b)?;
    for (i, ab) in evaluations.ab.iter().enumerate() {
        check_len(&format!("f(AB) of factor {i}"), n, ab.len())?;
        check_finite(&format!("f(AB) of factor {i}"), ab)?;
    }
    let all: Vec<usize> = (0..n).collect();
    let own = point_estimates(evaluations, &all);
    let draws: Vec<Vec<f64>> = (0..n_resamples as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = generator(seed, "sobol/rows", draw);
            let rows: Vec<usize> = (0..n).map(|_| index(&mut rng, n)).collect();
            point_estimates(evaluations, &rows).1
        })
        .collect();
    let estimate = |at: usize| -> Result<Estimate, AnalysisError> {
        let column: Vec<f64> = draws.iter().map(|draw| draw[at]).collect();
        let method = format!("percentile bootstrap over {n} rows, {n_resamples} resamples");
        Ok(Estimate::new(
            own.1[at],
            percentile_interval(&column, level, method)?,
        ))
    };
    let factors = (0..evaluations.ab.len()).map(|i| {
        Ok(FactorIndices {
            first: estimate(3 * i)?,
            first_jansen: estimate(3 * i + 1)?,
            total: estimate(3 * i + 2)?,
        })
    });
    Ok(SobolIndices {
        n,
        variance: own.0,
        factors: factors.collect::<Result<_, AnalysisError>>()?,
    })
}

/// Total indices alone, without intervals: for surrogates that are evaluated again and again.
pub(super) fn total_indices(evaluations: &Evaluations) -> Vec<f64> {
    let all: Vec<usize> = (0..evaluations.a.len()).collect();
    point_estimates(evaluations, &all)
        .1
        .into_iter()
        .skip(2)
        .step_by(3)
        .collect()
}

/// Variance, and first, first by Jansen, total of each factor, on the listed rows.
fn point_estimates(evaluations: &Evaluations, rows: &[usize]) -> (f64, Vec<f64>) {
    let n = rows.len() as f64;
    let sum = |values: &[f64]| rows.iter().map(|&row| values[row]).sum::<f64>();
    let total: f64 = sum(&evaluations.a)
        + sum(&evaluations.b)
        + evaluations.ab.iter().map(|ab| sum(ab)).sum::<f64>();
    let center = total / (n * (evaluations.ab.len() + 2) as f64);
    let base = [&evaluations.a, &evaluations.b];
    let middle = mean(&base.map(|values| sum(values) / n));
    let variance = base
        .iter()
        .flat_map(|values| rows.iter().map(|&row| values[row] - middle))
        .map(|d| d * d)
        .sum::<f64>()
        / (2.0 * n);
    let mut found = Vec::with_capacity(3 * evaluations.ab.len());
    for ab in &evaluations.ab {
        let (mut product, mut from_b, mut from_a) = (0.0, 0.0, 0.0);
        for &row in rows {
            let (a, b, mixed) = (evaluations.a[row], evaluations.b[row], ab[row]);
            product += (b - center) * (mixed - a);
            from_b += (b - mixed) * (b - mixed);
            from_a += (a - mixed) * (a - mixed);
        }
        let share = |sum: f64| {
            if variance > 0.0 {
                sum / n / variance
            } else {
                0.0
            }
        };
        found.push(share(product));
        found.push(if variance > 0.0 {
            1.0 - 0.5 * share(from_b)
        } else {
            0.0
        });
        found.push(0.5 * share(from_a));
    }
    (variance, found)
}
