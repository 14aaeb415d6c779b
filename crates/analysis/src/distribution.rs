//! Quantiles and tails of the standard distributions, from the crate `statrs`.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};
use statrs::function::beta::beta_reg;

use crate::estimate::Interval;

/// Degrees of freedom, and trials, beyond which a quantile no longer changes in a digit that anybody reads: Student's and Fisher's there
/// are within one part in 10^5 of their limits. The iterations of `statrs` do not end beyond 10^7.
const MANY: f64 = 1e6;

/// NaN stays what it is, unlike under `f64::min`.
fn at_most_many(df: f64) -> f64 {
    if df > MANY { MANY } else { df }
}

/// Quantile of the standard normal distribution at `share` in (0, 1).
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// Quantile of Student's t with `df` degrees of freedom (not necessarily whole), at `share` in (0, 1).
#[must_use]
pub fn student_quantile(share: f64, df: f64) -> f64 {
    StudentsT::new(0.0, 1.0, at_most_many(df)).map_or(f64::NAN, |t| t.inverse_cdf(share))
}

/// Distribution function of Student's t.
#[must_use]
pub fn student_cdf(t: f64, df: f64) -> f64 {
    StudentsT::new(0.0, 1.0, df).map_or(f64::NAN, |law| law.cdf(t))
}

/// Two-sided p-value of Student's t.
#[must_use]
pub fn student_two_sided(t: f64, df: f64) -> f64 {
    2.0 * student_cdf(-t.abs(), df)
}

/// Quantile of chi-square with `df` degrees of freedom, at `share` in (0, 1).
#[must_use]
pub fn chi_square_quantile(share: f64, df: f64) -> f64 {
    ChiSquared::new(df).map_or(f64::NAN, |law| law.inverse_cdf(share))
}

/// `P(X > x)` for chi-square with `df` degrees of freedom.
#[must_use]
pub fn chi_square_tail(x: f64, df: f64) -> f64 {
    ChiSquared::new(df).map_or(f64::NAN, |law| law.sf(x))
}

/// `P(X > x)` for Fisher's F with `df_1` and `df_2` degrees of freedom; 0 for an infinite `x`.
#[must_use]
pub fn fisher_tail(x: f64, df_1: f64, df_2: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    beta_reg(df_2 / 2.0, df_1 / 2.0, df_2 / (df_2 + df_1 * x))
}

/// Quantile of Fisher's F with `df_1` and `df_2` degrees of freedom, at `share` in (0, 1).
#[must_use]
pub fn fisher_quantile(share: f64, df_1: f64, df_2: f64) -> f64 {
    FisherSnedecor::new(at_most_many(df_1), at_most_many(df_2))
        .map_or(f64::NAN, |law| law.inverse_cdf(share))
}

/// `P(X <= k)` for `X ~ Binomial(n, p)`.
#[must_use]
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // I_(1-p)(n - k, k + 1)
    beta_reg((n - k) as f64, (k + 1) as f64, 1.0 - p)
}

/// Factors `(lower, upper)` by which a standard deviation from `n` normal values is multiplied to give its interval:
/// `sqrt((n-1) / chi2(1 - a/2))`, `sqrt((n-1) / chi2(a/2))` with `a = 1 - level`. `None` for `n < 2`.
///
/// # Example
/// From three seeds, at 95 %: 0.52 and 6.28.
#[must_use]
pub fn deviation_factors(n: usize, level: f64) -> Option<(f64, f64)> {
    if n < 2 {
        return None;
    }
    let df = (n - 1) as f64;
    let tail = (1.0 - level) / 2.0;
    let factor = |share: f64| (df / chi_square_quantile(share, df)).sqrt();
    Some((factor(1.0 - tail), factor(tail)))
}

/// The exact interval of a share `successes / n` (Clopper and Pearson 1934), from quantiles of the beta distribution; half successes (ties)
/// are counted on the side that makes the interval wider. Of more than a million trials it is [`wilson`]'s, which is then within a few
/// trials of it. `None` for `n = 0`.
#[must_use]
pub fn clopper_pearson(successes: f64, n: usize, level: f64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (count, tail) = (n as f64, (1.0 - level) / 2.0);
    if count > MANY {
        return wilson(successes, n, level);
    }
    let (least, most) = (successes.floor(), successes.ceil());
    let quantile = |a: f64, b: f64, share: f64| {
        statrs::distribution::Beta::new(a, b).map_or(f64::NAN, |law| law.inverse_cdf(share))
    };
    Some(Interval {
        lower: if least <= 0.0 {
            0.0
        } else {
            quantile(least, count - least + 1.0, tail)
        },
        upper: if most >= count {
            1.0
        } else {
            quantile(most + 1.0, count - most, 1.0 - tail)
        },
        level,
        method: format!("Clopper and Pearson, {n} trials"),
    })
}

/// Wilson's score interval of a share `successes / n` (Wilson 1927): usable at 0 and at `n` successes.
///
/// `(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`. `None` for `n = 0`.
#[must_use]
pub fn wilson(successes: f64, n: usize, level: f64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let count = n as f64;
    let share = successes / count;
    let z = normal_quantile((1.0 + level) / 2.0);
    let scale = 1.0 + z * z / count;
    let center = (share + z * z / (2.0 * count)) / scale;
    let half = z * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt() / scale;
    let mut interval = Interval::around(center, half, level, format!("Wilson, {n} trials"));
    // The limits are 0 and 1 exactly there; rounding would miss them by an ulp.
    if successes <= 0.0 {
        interval.lower = 0.0;
    }
    if successes >= count {
        interval.upper = 1.0;
    }
    Some(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A difference that hardly scatters has millions of degrees of freedom by Welch and Satterthwaite. The limits: Student's t is the normal
    /// law, `d F(d, df)` chi-square with `d`.
    #[test]
    fn quantiles_of_many_degrees_of_freedom_end_at_their_limits() {
        for df in [1e6, 1.5e7, 1e9, 1e300, f64::INFINITY] {
            for share in [0.025, 0.3, 0.6, 0.95, 0.999] {
                let limit = normal_quantile(share);
                let t = student_quantile(share, df);
                assert!(
                    (t - limit).abs() < 1e-5 * (1.0 + limit.abs()),
                    "{share} {df}"
                );
                for d in [1.0, 5.0, 30.0] {
                    let limit = chi_square_quantile(share, d) / d;
                    let f = fisher_quantile(share, d, df);
                    assert!((f - limit).abs() < 1e-4 * (1.0 + limit), "{share} {d} {df}");
                }
            }
        }
        assert!(student_quantile(0.975, f64::NAN).is_nan());
        let wide = clopper_pearson(9e6, 30_000_000, 0.95).unwrap();
        let error = 1.96 * (0.3_f64 * 0.7 / 3e7).sqrt();
        assert!((wide.upper - 0.3 - error).abs() < 1e-6, "{wide:?}");
    }
}
