//! Quantiles and tails of the standard distributions, from the crate `statrs`.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};
use statrs::function::beta::beta_reg;

use crate::estimate::Interval;

/// Degrees of freedom, and trials, up to which the inverses of `statrs` are right. From 10^5 on they are off in the fifth digit, and
/// beyond 10^7 its iterations do not end. Its distribution function of the beta law makes 140 steps of a continued fraction: enough for
/// all shares where one parameter is small, and for the tails where both are large, but not within a standard deviation of the mean where
/// both are beyond 10^5 (0.4988 for 0.5 at twice 5 * 10^5). Student's t has one small parameter; intervals take tails.
const SURE: f64 = 2e4;
/// Degrees of freedom that stand for all above: the quantiles of Student's t and of F are there within one part in 10^5 of their limits.
const MOST: f64 = 1e6;

/// NaN stays what it is, unlike under `f64::min`.
fn at_most(df: f64, most: f64) -> f64 {
    if df > most { most } else { df }
}

/// Quantile of the beta law at `share` in (0, 1), to the last bit of what the distribution function gives: the bits of positive numbers have their
/// order, so halving them takes 62 steps whatever the size of the quantile.
fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0_u64, 1.0_f64.to_bits());
    while high - low > 1 {
        let middle = low.midpoint(high);
        if beta_reg(a, b, f64::from_bits(middle)) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::from_bits(high)
}

/// Quantile of the standard normal distribution at `share` in (0, 1).
#[must_use]
pub fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// Quantile of Student's t with `df` degrees of freedom (not necessarily whole), at `share` in (0, 1).
#[must_use]
pub fn student_quantile(share: f64, df: f64) -> f64 {
    if df > SURE {
        let df = at_most(df, MOST);
        // t^2 / (df + t^2) has a beta law.
        let y = beta_quantile((2.0 * share - 1.0).abs(), 0.5, df / 2.0);
        return (df * y / (1.0 - y)).sqrt().copysign(share - 0.5);
    }
    StudentsT::new(0.0, 1.0, df).map_or(f64::NAN, |t| t.inverse_cdf(share))
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
    if df_1.max(df_2) > SURE {
        let [df_1, df_2] = [df_1, df_2].map(|df| at_most(df, MOST));
        // d x / (d x + d') has a beta law.
        let y = beta_quantile(share, df_1 / 2.0, df_2 / 2.0);
        return df_2 * y / (df_1 * (1.0 - y));
    }
    FisherSnedecor::new(df_1, df_2).map_or(f64::NAN, |law| law.inverse_cdf(share))
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
/// are counted on the side that makes the interval wider. `None` for `n = 0`.
#[must_use]
pub fn clopper_pearson(successes: f64, n: usize, level: f64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let (count, tail) = (n as f64, (1.0 - level) / 2.0);
    let (least, most) = (successes.floor(), successes.ceil());
    let quantile = |a: f64, b: f64, share: f64| {
        if count > SURE {
            return beta_quantile(share, a, b);
        }
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

    /// Values of scipy 1.17.1 (`t.ppf`, `f.ppf`, `beta.ppf`), on both sides of where another way is taken.
    #[test]
    fn quantiles_are_those_of_scipy_at_many_degrees_of_freedom() {
        let near = |got: f64, expected: f64| {
            assert!((got / expected - 1.0).abs() < 1e-8, "{got} for {expected}");
        };
        for (share, df, expected) in [
            (0.975, 2e4, 1.960_082_605_158_134_8),
            (0.6, 2e4, 0.253_350_473_264_062_8),
            (0.975, 1e5, 1.959_987_707_534_609_5),
            (0.6, 1e5, 0.253_347_777_157_180_15),
            (0.975, 1e6, 1.959_966_356_814_107),
            (0.025, 1e6, -1.959_966_356_814_107),
            (0.6, 1e6, 0.253_347_170_537_841_84),
        ] {
            near(student_quantile(share, df), expected);
        }
        for (share, df_1, df_2, expected) in [
            (0.95, 5.0, 2e4, 2.214_546_306_940_876),
            (0.95, 5.0, 1e6, 2.214_108_473_164_322),
            (0.05, 5.0, 1e6, 0.229_095_032_781_469_64),
            (0.95, 30.0, 1e5, 1.459_214_131_176_464_1),
            (0.05, 1000.0, 1e5, 0.927_268_725_918_820_9),
        ] {
            near(fisher_quantile(share, df_1, df_2), expected);
        }
        for (k, n, lower, upper) in [
            (
                3.0,
                20_000,
                3.093_467_444_528_525e-5,
                0.000_438_300_453_393_636_95,
            ),
            (
                9000.0,
                30_000,
                0.294_817_322_114_635,
                0.305_221_431_112_615_24,
            ),
            (
                29_990.0,
                30_000,
                0.999_387_073_853_648_1,
                0.999_840_142_507_106_7,
            ),
        ] {
            let found = clopper_pearson(k, n, 0.95).unwrap();
            near(found.lower, lower);
            near(found.upper, upper);
        }
    }

    /// A difference that hardly scatters has millions of degrees of freedom by Welch and Satterthwaite. The limits: Student's t is the normal
    /// law, `d F(d, df)` chi-square with `d`.
    #[test]
    fn quantiles_of_many_degrees_of_freedom_end_at_their_limits() {
        for df in [1.5e7, 1e9, 1e300, f64::INFINITY] {
            for share in [0.025, 0.3, 0.6, 0.95, 0.999] {
                let limit = normal_quantile(share);
                let t = student_quantile(share, df);
                assert!((t / limit - 1.0).abs() < 1e-5, "t {share} {df}: {t}");
                for d in [1.0, 5.0, 30.0] {
                    let limit = chi_square_quantile(share, d) / d;
                    let f = fisher_quantile(share, d, df);
                    assert!((f / limit - 1.0).abs() < 1e-4, "F {share} {d} {df}: {f}");
                }
            }
        }
        assert!(student_quantile(0.975, f64::NAN).is_nan());
        assert!(fisher_quantile(0.975, 3.0, f64::NAN).is_nan());
        let wide = clopper_pearson(9e6, 30_000_000, 0.95).unwrap();
        let error = 1.96 * (0.3_f64 * 0.7 / 3e7).sqrt();
        assert!((wide.upper - 0.3 - error).abs() < 1e-6, "{wide:?}");
    }
}
