//! Robust aggregates over settings, exactly as the public rliable library defines them, with repeatable intervals.
//!
//! A *setting* here is what that library calls a task: a data set with its way and shot. Scores are run means, one
//! slice for each setting; settings may have different numbers of runs.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::bootstrap::{percentile_interval, replicates};
use crate::distribution::clopper_pearson;
use crate::error::AnalysisError;
use crate::estimate::{Estimate, Interval};
use crate::jackknife::variance_left_out;
use crate::random::{generator, index};
use crate::summary::{mean, median, ranks, sorted};

pub use crate::summary::chance_normalized;

/// Runs of a setting from which on a percentile bootstrap over runs holds. Of fewer it covers too seldom: 71 to 89 % of the nominal 95 of an
/// interquartile mean at three and five runs.
pub const ENOUGH_TO_RESAMPLE: usize = 10;

/// Scores by setting, `strata[setting][run]`: at least one setting, one run in each, all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Strata(Vec<Vec<f64>>);

impl Strata {
    /// Checks and keeps the scores.
    ///
    /// # Errors
    /// [`AnalysisError::TooFew`] without settings or for a setting without runs, [`AnalysisError::NotFinite`] with
    /// setting and run.
    pub fn new(settings: Vec<Vec<f64>>) -> Result<Self, AnalysisError> {
        if settings.is_empty() {
            return Err(AnalysisError::too_few("settings", 1, 0));
        }
        for (setting, runs) in settings.iter().enumerate() {
            if runs.is_empty() {
                return Err(AnalysisError::too_few(
                    format!("runs of setting {setting}"),
                    1,
                    0,
                ));
            }
            if let Some(run) = runs.iter().position(|score| !score.is_finite()) {
                return Err(AnalysisError::NotFinite {
                    what: "score".to_owned(),
                    value: runs[run].to_string(),
                    position: format!("setting {setting}, run {run}"),
                });
            }
        }
        Ok(Self(settings))
    }

    /// One slice of run scores for each setting.
    #[must_use]
    pub fn settings(&self) -> &[Vec<f64>] {
        &self.0
    }

    fn pooled(&self) -> Vec<f64> {
        self.0.concat()
    }

    /// Runs of the setting that has the fewest.
    fn fewest(&self) -> usize {
        self.0.iter().map(Vec::len).min().unwrap_or_default()
    }

    /// The same without one run of one setting.
    fn without(&self, setting: usize, run: usize) -> Self {
        let mut left = self.clone();
        left.0[setting].remove(run);
        left
    }

    /// A resample: runs with replacement inside each setting; with `settings`, each slot first draws a setting.
    fn resampled(&self, rng: &mut ChaCha8Rng, settings: bool) -> Self {
        let slots = self.0.iter().map(|own| {
            let runs = if settings {
                &self.0[index(rng, self.0.len())]
            } else {
                own
            };
            (0..runs.len())
                .map(|_| runs[index(rng, runs.len())])
                .collect()
        });
        Self(slots.collect())
    }
}

/// Mean of the settings' means.
#[must_use]
pub fn mean_of_settings(scores: &Strata) -> f64 {
    mean(&scores.0.iter().map(|runs| mean(runs)).collect::<Vec<_>>())
}

/// Median of the settings' means.
#[must_use]
pub fn median_of_settings(scores: &Strata) -> f64 {
    median(&scores.0.iter().map(|runs| mean(runs)).collect::<Vec<_>>())
}

/// Interquartile mean: `mean(x_(l+1) .. x_(n-l))`, `l = floor(n / 4)`, over all scores pooled and sorted.
///
/// Whole scores are cut, none in part: the convention of `scipy.stats.trim_mean`, which rliable calls.
///
/// # Source
/// Agarwal et al. 2021, section 4.3.
/// # Example
/// Eight scores `1 1 1 1 2 2 2 2`: the middle four are `1 1 2 2`, so the result is 1.5.
#[must_use]
pub fn iqm(scores: &Strata) -> f64 {
    let pooled = sorted(&scores.pooled());
    let cut = pooled.len() / 4;
    mean(&pooled[cut..pooled.len() - cut])
}

/// Optimality gap: `gamma - mean(min(x, gamma))` over all scores.
///
/// # Source
/// Agarwal et al. 2021, section 4.3.
#[must_use]
pub fn optimality_gap(scores: &Strata, gamma: f64) -> f64 {
    gamma
        - mean(
            &scores
                .pooled()
                .iter()
                .map(|x| x.min(gamma))
                .collect::<Vec<_>>(),
        )
}

/// Mann and Whitney's `U` of `x` over `y`: the number of pairs with `x > y`, ties counting half.
#[must_use]
pub fn mann_whitney(x: &[f64], y: &[f64]) -> f64 {
    let both = [x, y].concat();
    let rank_sum: f64 = ranks(&both)[..x.len()].iter().sum();
    rank_sum - (x.len() * (x.len() + 1)) as f64 / 2.0
}

/// Probability of improvement: `P(X > Y) = (1/M) sum_m U_m / (R_x R_y)`; settings beyond the shorter list are ignored.
///
/// # Source
/// Agarwal et al. 2021, section 4.3.
#[must_use]
pub fn probability_of_improvement(x: &Strata, y: &Strata) -> f64 {
    let settings = x.0.iter().zip(&y.0);
    let each: Vec<f64> = settings
        .map(|(x, y)| mann_whitney(x, y) / (x.len() * y.len()) as f64)
        .collect();
    mean(&each)
}

/// Performance profile: share of all scores above each `tau`.
///
/// # Source
/// Agarwal et al. 2021, section 4.2 (run-score distributions).
#[must_use]
pub fn profile(scores: &Strata, taus: &[f64]) -> Vec<f64> {
    let pooled = scores.pooled();
    let above =
        |tau: &f64| pooled.iter().filter(|score| *score > tau).count() as f64 / pooled.len() as f64;
    taus.iter().map(above).collect()
}

/// How to resample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// Key of the draws.
    pub seed: u64,
    /// Resamples.
    pub n_resamples: usize,
    /// Coverage.
    pub level: f64,
    /// Whether settings are resampled too.
    pub settings: bool,
    /// Runs of each setting from which on runs are resampled: [`ENOUGH_TO_RESAMPLE`].
    pub from_runs: usize,
}

impl Resampling {
    /// Whether the runs are too few to be resampled. Where settings are drawn too, the settings carry the interval.
    fn is_out_of_range(&self, fewest_runs: usize) -> bool {
        !self.settings && fewest_runs < self.from_runs
    }

    fn name(&self) -> String {
        let what = if self.settings {
            "runs and settings"
        } else {
            "runs within settings"
        };
        format!(
            "stratified percentile bootstrap over {what}, {} resamples",
            self.n_resamples
        )
    }
}

/// A statistic with its interval over runs within settings. From [`Resampling::from_runs`] runs of each setting on, a stratified percentile bootstrap: runs are
/// drawn with replacement separately inside each setting. Of fewer, Student's interval with the stratified jackknife's variance
/// `V = sum_m V_m`, `V_m = (R_m - 1)/R_m sum_r (f_(-mr) - mean_r f_(-mr))^2`, and Satterthwaite's degrees of freedom; none where a setting
/// has one run, or nothing scatters.
///
/// Bits depend on the scores and the key only, not on the number of threads. (rliable draws from the global generator
/// even when given a state.)
///
/// # Source
/// Bootstrap: Agarwal et al. 2021. Jackknife in strata: Jones 1974; Shao and Tu 1995, section 6.2.
///
/// # Errors
/// [`AnalysisError::NotFinite`] if the statistic is not finite on a resample.
pub fn with_interval<F>(
    scores: &Strata,
    statistic: F,
    purpose: &str,
    how: Resampling,
) -> Result<Estimate, AnalysisError>
where
    F: Fn(&Strata) -> f64 + Sync,
{
    let value = statistic(scores);
    if how.is_out_of_range(scores.fewest()) {
        let interval = left_out(scores, value, statistic, how.level);
        return Ok(Estimate { value, interval });
    }
    let draws = replicates(how.seed, purpose, how.n_resamples, |rng| {
        statistic(&scores.resampled(rng, how.settings))
    });
    Ok(Estimate::new(
        value,
        percentile_interval(&draws, how.level, how.name())?,
    ))
}

/// Student's interval of a statistic with the variance of the stratified jackknife.
fn left_out(
    scores: &Strata,
    value: f64,
    statistic: impl Fn(&Strata) -> f64,
    level: f64,
) -> Option<Interval> {
    if scores.fewest() < 2 {
        return None;
    }
    let (mut variance, mut by_df) = (0.0, 0.0);
    for (setting, runs) in scores.0.iter().enumerate() {
        let without: Vec<f64> = (0..runs.len())
            .map(|run| statistic(&scores.without(setting, run)))
            .collect();
        let own = variance_left_out(&without);
        variance += own;
        by_df += own * own / (runs.len() as f64 - 1.0);
    }
    (variance > 0.0).then(|| {
        let method = format!(
            "stratified jackknife over {} runs, Student t",
            scores.pooled().len()
        );
        Interval::student(value, variance, variance * variance / by_df, level, method)
    })
}

/// [`probability_of_improvement`] with its interval; settings are never resampled. From [`Resampling::from_runs`] runs of each side and setting on, both sides
/// are resampled independently. Of fewer, Clopper and Pearson's interval of as many independent pairs of runs as the smaller side has, which
/// is wider than that of all pairs, and has a width where one side wins all.
///
/// # Errors
/// As [`with_interval`].
pub fn improvement_with_interval(
    x: &Strata,
    y: &Strata,
    purpose: &str,
    how: Resampling,
) -> Result<Estimate, AnalysisError> {
    let how = Resampling {
        settings: false,
        ..how
    };
    let value = probability_of_improvement(x, y);
    let fewest = x.fewest().min(y.fewest());
    if how.is_out_of_range(fewest) {
        let n = fewest * x.0.len().min(y.0.len());
        let interval = clopper_pearson(value * n as f64, n, how.level);
        return Ok(Estimate { value, interval });
    }
    let settings: Vec<Places> =
        x.0.iter()
            .zip(&y.0)
            .map(|(x, y)| Places::of(x, y))
            .collect();
    let draws = replicates(how.seed, purpose, how.n_resamples, |rng| {
        let x: Vec<_> = settings
            .iter()
            .map(|both| both.resampled(rng, &both.x))
            .collect();
        let y: Vec<_> = settings
            .iter()
            .map(|both| both.resampled(rng, &both.y))
            .collect();
        let shares = settings.iter().zip(x.iter().zip(&y));
        let shares = shares.map(|(both, (x, y))| both.share_above(x, y));
        mean(&shares.collect::<Vec<_>>())
    });
    Ok(Estimate::new(
        value,
        percentile_interval(&draws, how.level, how.name())?,
    ))
}

/// The scores of two sides in one order, so that resamples of them need no sorting.
struct Places {
    /// Of each score of a side, its place among the distinct values of both.
    x: Vec<usize>,
    y: Vec<usize>,
    n_values: usize,
}

impl Places {
    fn of(x: &[f64], y: &[f64]) -> Self {
        let mut values = sorted(&[x, y].concat());
        values.dedup();
        let places = |side: &[f64]| {
            let place = |score: &f64| values.partition_point(|value| value < score);
            side.iter().map(place).collect()
        };
        Self {
            x: places(x),
            y: places(y),
            n_values: values.len(),
        }
    }

    /// How often each value comes in a resample of a side.
    fn resampled(&self, rng: &mut ChaCha8Rng, side: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.n_values];
        for _ in side {
            counts[side[index(rng, side.len())]] += 1;
        }
        counts
    }

    /// [`mann_whitney`] of two sides given by counts, as a share of the pairs.
    fn share_above(&self, x: &[usize], y: &[usize]) -> f64 {
        let (mut below, mut halves) = (0, 0);
        for (x, y) in x.iter().zip(y) {
            halves += x * (2 * below + y);
            below += y;
        }
        halves as f64 / 2.0 / (self.x.len() * self.y.len()) as f64
    }
}

/// [`profile`] with a pointwise band; of fewer than [`Resampling::from_runs`] runs of a setting by Clopper and Pearson over all runs.
///
/// # Errors
/// As [`with_interval`].
pub fn profile_with_band(
    scores: &Strata,
    taus: &[f64],
    purpose: &str,
    how: Resampling,
) -> Result<Vec<Estimate>, AnalysisError> {
    if how.is_out_of_range(scores.fewest()) {
        let n = scores.pooled().len();
        let of = |value: f64| Estimate {
            value,
            // A share of n runs: rounding must not make a part of a run.
            interval: clopper_pearson((value * n as f64).round(), n, how.level),
        };
        return Ok(profile(scores, taus).into_iter().map(of).collect());
    }
    let draws: Vec<Vec<f64>> = (0..how.n_resamples as u64)
        .into_par_iter()
        .map(|replicate| {
            let mut rng = generator(how.seed, purpose, replicate);
            profile(&scores.resampled(&mut rng, how.settings), taus)
        })
        .collect();
    let values = profile(scores, taus);
    let band = values.into_iter().enumerate().map(|(at, value)| {
        let column: Vec<f64> = draws.iter().map(|draw| draw[at]).collect();
        Ok(Estimate::new(
            value,
            percentile_interval(&column, how.level, how.name())?,
        ))
    });
    band.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iqm_by_hand() {
        let iqm_of = |values: &[f64]| iqm(&Strata::new(vec![values.to_vec()]).unwrap());
        assert!((iqm_of(&[1., 1., 1., 1., 2., 2., 2., 2.]) - 1.5).abs() < 1e-15);
        // Seven scores: floor(7 / 4) = 1 is cut on each side, so five stay: (2 + 3 + 4 + 5 + 6) / 5.
        assert!((iqm_of(&[9., 6., 5., 4., 3., 2., -50.]) - 4.0).abs() < 1e-15);
        assert!((iqm_of(&[0.25]) - 0.25).abs() < 1e-15);
    }

    const FEW: Resampling = Resampling {
        seed: 1,
        n_resamples: 100,
        level: 0.95,
        settings: false,
        from_runs: ENOUGH_TO_RESAMPLE,
    };

    /// Of the mean over two settings the jackknife is Welch's: `V = (s_1^2/R_1 + s_2^2/R_2) / 4`, with his degrees of freedom.
    #[test]
    fn few_runs_have_the_interval_of_welch() {
        let (a, b) = (vec![0.1, 0.2, 0.6], vec![0.5, 0.9, 0.7, 0.8, 0.4]);
        let parts = [&a, &b].map(|runs| crate::summary::variance(runs) / runs.len() as f64 / 4.0);
        let variance = parts[0] + parts[1];
        let df = variance * variance / (parts[0].powi(2) / 2.0 + parts[1].powi(2) / 4.0);
        let strata = Strata::new(vec![a, b]).unwrap();
        let found = with_interval(&strata, mean_of_settings, "mean", FEW).unwrap();
        let expected = crate::distribution::student_quantile(0.975, df) * variance.sqrt();
        let interval = found.interval.unwrap();
        assert!((interval.half_width() - expected).abs() < 1e-12);
        assert!(interval.contains(found.value));
        let one = Strata::new(vec![vec![0.5], vec![0.4, 0.6]]).unwrap();
        assert!(
            with_interval(&one, iqm, "iqm", FEW)
                .unwrap()
                .interval
                .is_none()
        );
    }

    /// Three runs that all win: the lower limit of Clopper and Pearson is `0.025^(1/3)`.
    #[test]
    fn few_runs_that_all_win_are_not_certain_to() {
        let of = |runs: [f64; 3]| Strata::new(vec![runs.to_vec()]).unwrap();
        let (x, y) = (of([0.9, 0.8, 0.85]), of([0.1, 0.2, 0.3]));
        let found = improvement_with_interval(&x, &y, "p", FEW).unwrap();
        let limits = found.interval.unwrap();
        assert!((limits.lower - 0.025_f64.cbrt()).abs() < 1e-9 && limits.upper >= 1.0);
        let band = profile_with_band(&x, &[0.0, 0.84], "profile", FEW).unwrap();
        assert!((band[0].interval.as_ref().unwrap().lower - 0.025_f64.cbrt()).abs() < 1e-9);
        assert!((band[1].value - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn mann_whitney_by_hand() {
        // 3 > 1, 3 > 2, 3 = 3 (half); 2 > 1, 2 = 2 (half), 2 < 3.
        assert!((mann_whitney(&[3., 2.], &[1., 2., 3.]) - 4.0).abs() < 1e-15);
    }

    #[test]
    fn a_resample_by_counts_has_the_ranks_of_its_scores() {
        let (x, y) = ([3., 2., 5., 2.], [1., 2., 3.]);
        let both = Places::of(&x, &y);
        // x: 2 twice, 3 once, 5 once, as they are; y drawn as 2, 2, 3.
        let share = both.share_above(&[0, 2, 1, 1], &[0, 2, 1, 0]);
        assert!((share - mann_whitney(&x, &[2., 2., 3.]) / 12.0).abs() < 1e-15);
    }

    #[test]
    fn bad_scores_are_named() {
        let error = Strata::new(vec![vec![1.0], vec![0.5, f64::NAN]])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "score is NaN at setting 1, run 1; every value has to be finite"
        );
        assert!(Strata::new(vec![vec![1.0], vec![]]).is_err());
    }
}
