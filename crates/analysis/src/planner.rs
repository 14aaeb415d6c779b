//! What more runs, tasks, support sets or queries would buy: the half-width of a mean's interval, and the power to tell two spreads apart.

use crate::components::{Components, at_size};
use crate::distribution::{student_cdf, student_quantile};
use crate::kurtosis::{FEWEST_RUNS, variance_of_log};
use crate::probe::support_sets::SupportParts;

/// Most seeds that a plan looks at.
pub(crate) const MOST_SEEDS: usize = 200;

/// Runs of Bonett's test that one run of the permutation test is worth (docs/calibration.md compares the power that follows with the
/// measured one).
const EFFICIENCY: f64 = 0.7;

/// Size of an experiment with one learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Runs, R.
    pub n_runs: usize,
    /// Test tasks, T.
    pub n_tasks: usize,
    /// Support sets of a task, S, with the same queries; a test has 1.
    pub n_supports: usize,
    /// Queries of a task, NQ; none where they are not known.
    pub n_queries: Option<usize>,
}

/// Expected half-width of the interval over other trainings and other tasks, if an experiment of the size `now` with these variance
/// components had the size `planned`:
/// `t(df) sqrt(v_run/R + v_task/T + (v_interaction + v_query NQ_now/NQ)/(RT))`, with Satterthwaite's degrees of freedom. Of S support sets
/// for each task, `v_task` loses the part `1 - 1/S` of what the support set brings for all runs, and `v_interaction` of what it brings for each.
///
/// A decision study of generalizability theory. `None` for fewer than two runs or tasks, or if more support sets are planned and `supports`,
/// what one brings, is not known.
///
/// # Source
/// Brennan 2001, Generalizability Theory, chapter 4 (D studies with a crossed p x I design).
#[must_use]
pub fn half_width(
    components: &Components,
    supports: Option<SupportParts>,
    now: Size,
    planned: Size,
) -> Option<f64> {
    if planned.n_runs < 2 || planned.n_tasks < 2 {
        return None;
    }
    let supports = match supports {
        Some(parts) => parts,
        None if planned.n_supports == now.n_supports => SupportParts::default(),
        None => return None,
    };
    let gone = 1.0 - now.n_supports as f64 / planned.n_supports as f64;
    let floor = components
        .query_floor
        .unwrap_or(0.0)
        .min(components.residual.variance);
    let share = match (now.n_queries, planned.n_queries) {
        (Some(now), Some(planned)) => now as f64 / planned as f64,
        (None, _) | (_, None) => 1.0,
    };
    let interaction = components.residual.variance - floor;
    let residual = interaction - gone * supports.own.min(interaction) + floor * share;
    let task = components.task.variance;
    let task = task - gone * supports.common.min(task);
    let (variance, df) = at_size(
        [components.run.variance, task, residual],
        planned.n_runs,
        planned.n_tasks,
    );
    let level = components.interval.level;
    Some(student_quantile((1.0 + level) / 2.0, df) * variance.sqrt())
}

/// Standard error of the logarithm of a ratio of standard deviations of two learners with `n` runs each, as the permutation test sees it.
pub(crate) fn error_of_log_ratio(kurtosis: f64, n: usize) -> f64 {
    (2.0 * variance_of_log(kurtosis, n) / EFFICIENCY).sqrt() / 2.0
}

/// Probability that the test of [`spread_ratio`](crate::steadiness::spread_ratio) tells standard deviations apart whose true ratio is `ratio`,
/// with `n` runs of each learner; 0 under five runs, with which nothing is claimed. `kurtosis` is 3 for normal seeds.
///
/// # Example
/// A ratio of 2 between normal seeds: 32 % at ten runs of each, 66 % at twenty. Simulated with a test noise of a tenth of the variance
/// (docs/calibration.md): 28.5 and 64.5 %, where this gives 29 and 61 %. Under ten runs it promises more than the test holds: 11 % at five
/// runs, simulated 7 %.
#[must_use]
pub fn power_of_ratio(ratio: f64, n: usize, kurtosis: f64, level: f64) -> f64 {
    if n < FEWEST_RUNS {
        return 0.0;
    }
    let df = (2 * n - 2) as f64;
    let distance = ratio.ln().abs() / error_of_log_ratio(kurtosis, n);
    student_cdf(distance - student_quantile((1.0 + level) / 2.0, df), df)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::components;
    use crate::scores::ScoreMatrix;

    fn table() -> ScoreMatrix {
        let run = |seed: usize| -> Vec<f64> {
            (0..12)
                .map(|task| 0.5 + 0.02 * seed as f64 + 0.01 * ((task * 7 + seed * 5) % 11) as f64)
                .collect()
        };
        ScoreMatrix::from_rows(&(0..4).map(run).collect::<Vec<_>>()).unwrap()
    }

    /// At its own size the plan is the interval that was measured.
    #[test]
    fn the_plan_of_what_is_there_is_what_is_there() {
        let found = components(&table(), Some(75), 0.95).unwrap();
        let now = Size {
            n_runs: 4,
            n_tasks: 12,
            n_supports: 1,
            n_queries: Some(75),
        };
        let planned = half_width(&found, None, now, now).unwrap();
        assert!((planned - found.interval.half_width()).abs() < 1e-9);
        let more = Size {
            n_tasks: 1_000_000,
            ..now
        };
        let floor = (found.run.variance / 4.0).sqrt();
        let least = half_width(&found, None, now, more).unwrap() / student_quantile(0.975, 3.0);
        assert!(
            (least - floor).abs() < 1e-3 * floor,
            "tasks take away all but the seeds"
        );
        assert_eq!(
            half_width(&found, None, now, Size { n_runs: 1, ..now }),
            None
        );
    }

    /// Where the support set brings all that differs between tasks and in the residual, many of them leave the seeds alone.
    #[test]
    fn support_sets_take_away_what_they_bring() {
        let found = components(&table(), None, 0.95).unwrap();
        let now = Size {
            n_runs: 4,
            n_tasks: 12,
            n_supports: 1,
            n_queries: None,
        };
        let all = SupportParts {
            common: 1.0,
            own: 1.0,
        };
        let more = Size {
            n_supports: 1_000_000,
            ..now
        };
        let least = half_width(&found, Some(all), now, more).unwrap();
        let seeds = student_quantile(0.975, 3.0) * (found.run.variance / 4.0).sqrt();
        assert!((least - seeds).abs() < 1e-3 * seeds);
        let none = SupportParts::default();
        let same = half_width(&found, Some(none), now, more).unwrap();
        assert!((same - found.interval.half_width()).abs() < 1e-9);
        assert_eq!(half_width(&found, None, now, more), None);
    }

    #[test]
    fn power_grows_with_runs_and_ratio() {
        let power = |ratio, n| power_of_ratio(ratio, n, 3.0, 0.95);
        // The simulation gives each run a test noise of a tenth of the first learner's variance.
        let noisy = |ratio: f64, n| power(((ratio * ratio + 0.1) / 1.1).sqrt(), n);
        assert!(power(2.0, 4).abs() < 1e-15);
        assert!(power(2.0, 10) < power(2.0, 20) && power(1.5, 20) < power(2.0, 20));
        assert!((power(0.5, 20) - power(2.0, 20)).abs() < 1e-12);
        assert!(
            (noisy(2.0, 20) - 0.663).abs() < 0.06,
            "measured: 66.3 +- 1.1 %, in docs/calibration.md 64.5 +- 2.4 %"
        );
        assert!(
            (noisy(4.0, 10) - 0.845).abs() < 0.04,
            "measured: 84.5 +- 0.8 %, in docs/calibration.md 85.8 +- 1.7 %"
        );
    }
}
