//! Draws from usual distributions, written out here so that no release of another crate can change a figure.

use rand::Rng;

/// Uniform in `[0, 1)`, from 53 bits of one word.
pub fn unit(rng: &mut dyn Rng) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * SCALE
}

/// Uniform in `[low, high)`.
pub fn uniform(rng: &mut dyn Rng, low: f64, high: f64) -> f64 {
    low + unit(rng) * (high - low)
}

/// Uniform among `0 .. n`; `n` is at least 1 and small, so that the bias of a product, `n / 2^53`, is far below any error of sampling.
pub fn below(rng: &mut dyn Rng, n: usize) -> usize {
    ((unit(rng) * n as f64) as usize).min(n - 1)
}

/// Standard normal.
///
/// # Source
/// Box & Muller 1958, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29: the cosine branch.
pub fn normal(rng: &mut dyn Rng) -> f64 {
    let (radius, angle) = (1.0 - unit(rng), unit(rng));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// Exponential of mean 1.
pub fn exponential(rng: &mut dyn Rng) -> f64 {
    -(1.0 - unit(rng)).ln()
}

/// Beta distributed with whole parameters `a` and `b`, both at least 1: the `a`-th smallest of `a + b - 1` uniform draws.
pub fn beta(rng: &mut dyn Rng, a: usize, b: usize) -> f64 {
    let mut draws: Vec<f64> = (0..a + b - 1).map(|_| unit(rng)).collect();
    draws.sort_by(f64::total_cmp);
    draws[a - 1]
}

/// Shares of `n` outcomes, uniform over all of them (Dirichlet with parameters 1): exponential draws over their sum.
pub fn shares(rng: &mut dyn Rng, n: usize) -> Vec<f64> {
    let draws: Vec<f64> = (0..n).map(|_| exponential(rng)).collect();
    let sum: f64 = draws.iter().sum();
    draws.into_iter().map(|draw| draw / sum).collect()
}

/// An outcome by its shares, which sum to 1 but for rounding.
pub fn outcome(rng: &mut dyn Rng, shares: &[f64]) -> usize {
    let mut rest = unit(rng);
    for (outcome, share) in shares.iter().enumerate() {
        if rest < *share {
            return outcome;
        }
        rest -= share;
    }
    shares.len() - 1
}

#[cfg(test)]
mod tests {
    use metastable_data::{Seeds, Stream};

    use super::*;

    /// Mean and variance of 20,000 draws against those of the distribution, within five standard errors.
    fn check(
        name: &str,
        mean: f64,
        variance: f64,
        fourth: f64,
        draw: impl Fn(&mut dyn Rng) -> f64,
    ) {
        let n = 20_000;
        let mut rng = Seeds::all(1).rng(Stream::Task, 0);
        let draws: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
        let found = draws.iter().sum::<f64>() / f64::from(n);
        let spread = draws.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / f64::from(n);
        let error = 5.0 * (variance / f64::from(n)).sqrt();
        assert!((found - mean).abs() < error, "{name}: mean {found}");
        let error = 5.0 * ((fourth - variance * variance) / f64::from(n)).sqrt();
        assert!(
            (spread - variance).abs() < error,
            "{name}: variance {spread}"
        );
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        check("uniform", 0.5, 1.0 / 12.0, 1.0 / 80.0, unit);
        check("normal", 0.0, 1.0, 3.0, normal);
        check("exponential", 1.0, 1.0, 9.0, exponential);
        // Beta(2, 5): mean 2/7, variance 10/392, kurtosis 3 - 0.12.
        let variance = 10.0 / 392.0;
        check(
            "beta",
            2.0 / 7.0,
            variance,
            2.88 * variance * variance,
            |rng| beta(rng, 2, 5),
        );
    }

    #[test]
    fn outcomes_come_as_often_as_their_shares() {
        let mut rng = Seeds::all(2).rng(Stream::Task, 0);
        let of = shares(&mut rng, 4);
        assert!((of.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let n = 20_000;
        let mut counts = [0.0; 4];
        for _ in 0..n {
            counts[outcome(&mut rng, &of)] += 1.0;
        }
        for (count, share) in counts.iter().zip(&of) {
            let error = 5.0 * (share * (1.0 - share) / f64::from(n)).sqrt();
            assert!(
                (count / f64::from(n) - share).abs() < error,
                "{counts:?} {of:?}"
            );
        }
    }
}
