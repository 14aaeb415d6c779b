//! Intervals over runs where figures of pairs, or of sorted runs, are not independent: leave one run out at a time.

use crate::estimate::{Estimate, Interval};
use crate::summary::mean;

/// The estimate on all of `n` runs with Student's interval over its pseudo-values `n f - (n - 1) f_(-i)`, `n - 1` degrees of freedom. `f`
/// gets the indices of the runs that are kept. `None` where `f` has no value on all runs; no interval where it has none without some
/// run, or with fewer than three runs.
///
/// # Source
/// Quenouille 1956; Tukey 1958. For means over pairs of runs (Arvesen 1969) the pairs are not taken as independent.
pub(crate) fn over_runs(
    n: usize,
    level: f64,
    f: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Estimate> {
    let all: Vec<usize> = (0..n).collect();
    let value = f(&all)?;
    let without: Option<Vec<f64>> = (0..n)
        .map(|left_out| {
            let kept: Vec<usize> = all.iter().copied().filter(|it| *it != left_out).collect();
            f(&kept)
        })
        .collect();
    let Some(without) = without.filter(|values| values.len() > 2) else {
        return Some(Estimate::bare(value));
    };
    let variance = variance_left_out(&without);
    let method = format!("jackknife over {n} runs, Student t");
    Some(Estimate::new(
        value,
        Interval::student(value, variance, n as f64 - 1.0, level, method),
    ))
}

/// The jackknife's variance of an estimate from its `n` values `f_(-i)` without one run each: `(n - 1)/n sum (f_(-i) - mean)^2`.
pub(crate) fn variance_left_out(without: &[f64]) -> f64 {
    let (center, n) = (mean(without), without.len() as f64);
    let squares: f64 = without.iter().map(|it| (it - center).powi(2)).sum();
    squares * (n - 1.0) / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{normal_quantile, student_quantile};
    use crate::random::{generator, uniform};
    use crate::summary::variance;

    /// Of a mean the jackknife is the textbook's interval.
    #[test]
    fn of_a_mean_it_is_student() {
        let runs = [1.0, 2.0, 4.0, 9.0];
        let of = |kept: &[usize]| Some(mean(&kept.iter().map(|at| runs[*at]).collect::<Vec<_>>()));
        let found = over_runs(4, 0.95, of).unwrap();
        let half = student_quantile(0.975, 3.0) * crate::summary::standard_deviation(&runs) / 2.0;
        assert!((found.value - 4.0).abs() < 1e-12);
        assert!((found.interval.unwrap().half_width() - half).abs() < 1e-9);
        assert!(
            over_runs(2, 0.95, |_| Some(1.0))
                .unwrap()
                .interval
                .is_none()
        );
    }

    /// Figures of pairs that share runs, `(u_i + u_j)/2 + e_ij` with a true mean of 0: over five runs the interval holds in 95 % of
    /// tables (three errors of 400 allowed), and Student's over the ten pairs in far fewer (61 % in a published-size trial).
    #[test]
    fn pairs_that_share_runs_are_not_independent() {
        let n = 5;
        let (mut held, mut of_pairs) = (0, 0);
        for table in 0..400 {
            let mut rng = generator(table, "jackknife/test", 0);
            let mut normal = || normal_quantile(uniform(&mut rng).max(1e-12));
            let effects: Vec<f64> = (0..n).map(|_| normal()).collect();
            let mut values = vec![vec![0.0; n]; n];
            for first in 0..n {
                for second in first + 1..n {
                    values[first][second] =
                        f64::midpoint(effects[first], effects[second]) + 0.2 * normal();
                }
            }
            let among = |kept: &[usize]| -> Vec<f64> {
                let with = |at: usize| kept[at + 1..].iter().map(move |second| (kept[at], *second));
                let pairs = (0..kept.len()).flat_map(with);
                pairs.map(|(first, second)| values[first][second]).collect()
            };
            let found = over_runs(n, 0.95, |kept| Some(mean(&among(kept)))).unwrap();
            held += usize::from(found.interval.unwrap().contains(0.0));
            let pairs = among(&[0, 1, 2, 3, 4]);
            let error = (variance(&pairs) / pairs.len() as f64).sqrt();
            of_pairs += usize::from(mean(&pairs).abs() < student_quantile(0.975, 9.0) * error);
        }
        assert!((366..=396).contains(&held), "{held} of 400");
        assert!(of_pairs < 320, "{of_pairs} of 400");
    }
}
