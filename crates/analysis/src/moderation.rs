//! Variances of several groups, each drawn towards what all of them are: the empirical Bayes of limma.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::digamma;

use crate::summary::{mean, variance};

/// What the variances of a list have in common: `1 / sigma^2` has a chi-square law with `df` degrees of freedom over `df variance`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// `d_0`; absent where the list scatters no more than its own degrees of freedom give: then all share one variance.
    pub df: Option<f64>,
    /// `s_0^2`, in the unit of the variances.
    pub variance: f64,
}

impl Prior {
    /// The prior of variances with their degrees of freedom, `(s^2, d)`, by the moments of their logarithms: `s^2 / s_0^2` has an F law with
    /// `d` and `d_0` degrees of freedom, so that `e = ln s^2 - psi(d/2) + ln(d/2)` has the mean `ln s_0^2 - psi(d_0/2) + ln(d_0/2)` and the
    /// variance `psi'(d/2) + psi'(d_0/2)`. Where the variance of `e` is no more than the mean of `psi'(d/2)`, `d_0` is infinite and
    /// `s_0^2` the mean of the variances.
    ///
    /// `None` for fewer than two variances, or if one of them is not positive and finite or has no degree of freedom.
    ///
    /// # Source
    /// Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1), article 3, section 6.2; `fitFDist` of limma.
    #[must_use]
    pub fn fit(variances: &[(f64, f64)]) -> Option<Self> {
        let usable = |(s2, df): &(f64, f64)| *s2 > 0.0 && s2.is_finite() && *df > 0.0;
        if variances.len() < 2 || !variances.iter().all(usable) {
            return None;
        }
        let logs: Vec<f64> = variances
            .iter()
            .map(|&(s2, df)| unbiased_log(s2, df))
            .collect();
        let own: Vec<f64> = variances.iter().map(|it| trigamma(it.1 / 2.0)).collect();
        let rest = variance(&logs) - mean(&own);
        if rest <= 0.0 {
            let all: Vec<f64> = variances.iter().map(|it| it.0).collect();
            return Some(Self {
                df: None,
                variance: mean(&all),
            });
        }
        let half = trigamma_inverse(rest);
        Some(Self {
            df: Some(2.0 * half),
            variance: (mean(&logs) + digamma(half) - half.ln()).exp(),
        })
    }

    /// A variance of the list after it was drawn towards the prior, `(d_0 s_0^2 + d s^2) / (d_0 + d)`, with its degrees of freedom
    /// `d_0 + d` (infinite where `d_0` is).
    ///
    /// # Source
    /// Smyth 2004, equation 1.
    #[must_use]
    pub fn moderate(&self, variance: f64, df: f64) -> (f64, f64) {
        match self.df {
            Some(prior) => (
                (prior * self.variance + df * variance) / (prior + df),
                prior + df,
            ),
            None => (self.variance, f64::INFINITY),
        }
    }
}

/// The logarithm of a variance without its bias under normal values, `ln s^2 - psi(d/2) + ln(d/2)`.
#[must_use]
pub(crate) fn unbiased_log(variance: f64, df: f64) -> f64 {
    variance.ln() - digamma(df / 2.0) + (df / 2.0).ln()
}

/// Argument from which the asymptotic series are right to the last bits.
const LARGE: f64 = 12.0;

/// `psi'(x)` for positive `x`: up by `psi'(x) = psi'(x + 1) + 1/x^2`, then the asymptotic series.
///
/// # Source
/// Abramowitz and Stegun 1964, 6.4.6 and 6.4.12.
fn trigamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < LARGE {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series =
        y * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * 5.0 / 66.0))));
    sum + 1.0 / x + y / 2.0 + series / x
}

/// `psi''(x)` for positive `x`, likewise.
///
/// # Source
/// Abramowitz and Stegun 1964, 6.4.6 and 6.4.13.
fn tetragamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < LARGE {
        sum -= 2.0 / (x * x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * y * (0.5 - y * (1.0 / 6.0 - y * (1.0 / 6.0 - y * (0.3 - y * 5.0 / 6.0))));
    sum - y - y / x - series
}

/// The `x` with `psi'(x) = y`, by Newton's method on `1 / psi'`, which is convex and nearly straight: from `0.5 + 1/y` it converges from one
/// side.
///
/// # Source
/// Smyth 2004, appendix.
fn trigamma_inverse(y: f64) -> f64 {
    // Beyond these ends one term of the series at 0, or at infinity, is all there is.
    if y > 1e7 {
        return 1.0 / y.sqrt();
    }
    if y < 1e-6 {
        return 1.0 / y;
    }
    let mut x = 0.5 + 1.0 / y;
    for _ in 0..50 {
        let value = trigamma(x);
        let step = value * (1.0 - value / y) / tetragamma(x);
        x += step;
        if -step / x < 1e-10 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn trigamma_of_a_half_and_of_one_are_known() {
        assert!((trigamma(0.5) - PI * PI / 2.0).abs() < 1e-13);
        assert!((trigamma(1.0) - PI * PI / 6.0).abs() < 1e-13);
        // psi''(1) = -2 zeta(3).
        assert!((tetragamma(1.0) + 2.0 * 1.202_056_903_159_594_3).abs() < 1e-12);
        for x in [1e-3, 0.1, 0.7, 2.5, 11.9, 40.0, 1e4] {
            let back = trigamma_inverse(trigamma(x));
            assert!((back / x - 1.0).abs() < 1e-8, "{x} {back}");
        }
    }
}
