//! E1: steps until a validation accuracy is reached and held; runs that never reach it are kept, as censored.

use serde::{Deserialize, Serialize};

use crate::distribution::normal_quantile;
use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::validation::{smoothed, validation_curve};

/// Steps to threshold of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepsToThreshold {
    /// The validation accuracy to reach, 0 to 1: the same for all learners of a setting.
    pub threshold: f64,
    /// Every run that validated, in order of seed.
    pub runs: Vec<RunSteps>,
    /// Runs that reached it.
    pub n_reached: usize,
    /// Kaplan-Meier median of the steps; absent if fewer than half of the runs are estimated to reach it.
    pub median: Option<f64>,
    /// Limits of the median; absent where the data do not bound it.
    #[serde(default)]
    pub median_limits: [Option<f64>; 2],
    /// Steps after which a quarter and three quarters of the runs have reached it; absent as for the median.
    #[serde(default)]
    pub quartiles: [Option<f64>; 2],
    /// Training tasks seen at the median; absent without it, and where the size of a meta-batch is not known.
    #[serde(default)]
    pub tasks: Option<f64>,
    /// Share of runs that have not reached it after a step, by Kaplan and Meier.
    pub survival: Vec<SurvivalPoint>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSteps {
    /// Its seed.
    pub seed: u64,
    /// First outer step of the stretch that holds; absent if there is none.
    pub step: Option<usize>,
    /// Last step with a validation: until then the run was watched.
    pub last_step: usize,
}

/// A step of the survival curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurvivalPoint {
    /// Time, in outer steps.
    pub time: f64,
    /// Share of runs for which the event has not happened after `time`.
    pub share: f64,
    /// Greenwood's variance of its logarithm, `sum d_i / (n_i (n_i - d_i))`; absent once no run is left.
    #[serde(default)]
    pub variance: Option<f64>,
}

impl SurvivalPoint {
    /// Limits of the share on the scale of `log(-log S)`, within 0 to 1 (Kalbfleisch and Prentice 1980, section 1.3). `None` once no
    /// run is left.
    #[must_use]
    pub fn limits(&self, level: f64) -> Option<(f64, f64)> {
        let variance = self
            .variance
            .filter(|_| self.share > 0.0 && self.share < 1.0)?;
        let error = normal_quantile((1.0 + level) / 2.0) * variance.sqrt() / self.share.ln().abs();
        Some((
            self.share.powf(error.exp()),
            self.share.powf((-error).exp()),
        ))
    }
}

/// The interval of the median: the times at which the limits of the curve fall to a half (Brookmeyer and Crowley 1982). An end is absent
/// if its limit never falls so far.
#[must_use]
pub fn median_limits(survival: &[SurvivalPoint], level: f64) -> [Option<f64>; 2] {
    let first = |of: fn((f64, f64)) -> f64| {
        let fallen = survival.iter().find(|point| match point.limits(level) {
            Some(limits) => of(limits) <= 0.5,
            None => point.share <= 0.5,
        });
        fallen.map(|point| point.time)
    };
    [first(|limits| limits.0), first(|limits| limits.1)]
}

impl Measure for StepsToThreshold {
    const ID: &'static str = "threshold";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: StepsToThreshold::ID,
    title: "Steps to the threshold accuracy (E1)",
    measure,
};

/// First step from which `held` consecutive checks of the curve are at `threshold` or above.
///
/// A stretch that the end of the log cuts short does not count: the run is censored.
#[must_use]
pub fn first_held(curve: &[(usize, f64)], threshold: f64, held: usize) -> Option<usize> {
    curve
        .windows(held.max(1))
        .find(|stretch| stretch.iter().all(|point| point.1 >= threshold))
        .map(|stretch| stretch[0].0)
}

/// Kaplan-Meier estimate of the share for which an event has not happened, `S(t) = prod_(t_i <= t) (1 - d_i / n_i)`.
///
/// `times[i]` is the time of the event if `happened[i]`, else the time until which it was watched for. One point for
/// each time with an event, ascending. At equal times events come before censorings.
///
/// # Errors
/// [`AnalysisError::Shape`] for slices of unequal length, [`AnalysisError::NotFinite`] with the index.
/// # Source
/// Kaplan and Meier 1958.
/// # Example
/// Times `1, 2+, 3` (`+`: censored): `S(1) = 2/3`, `S(3) = 0`.
pub fn kaplan_meier(times: &[f64], happened: &[bool]) -> Result<Vec<SurvivalPoint>, AnalysisError> {
    crate::error::check_len("happened", times.len(), happened.len())?;
    crate::error::check_finite("time", times)?;
    let mut events: Vec<f64> = times
        .iter()
        .zip(happened)
        .filter(|(_, yes)| **yes)
        .map(|(time, _)| *time)
        .collect();
    events.sort_by(f64::total_cmp);
    events.dedup();
    let mut share = 1.0;
    let mut variance = Some(0.0);
    let point = |time: f64| {
        let at_risk = times.iter().filter(|other| **other >= time).count();
        let now = times
            .iter()
            .zip(happened)
            .filter(|(other, yes)| **yes && **other <= time && **other >= time);
        let (now, at_risk) = (now.count() as f64, at_risk as f64);
        share *= 1.0 - now / at_risk;
        variance = variance
            .filter(|_| at_risk > now)
            .map(|sum| sum + now / (at_risk * (at_risk - now)));
        SurvivalPoint {
            time,
            share,
            variance,
        }
    };
    Ok(events.into_iter().map(point).collect())
}

/// First time at which at most half are left; `None` if more than half are left at the end.
#[must_use]
pub fn median_survival(survival: &[SurvivalPoint]) -> Option<f64> {
    survival_time(survival, 0.5)
}

/// First time at which at most the share `left` is left; `None` if more are left at the end.
#[must_use]
pub fn survival_time(survival: &[SurvivalPoint], left: f64) -> Option<f64> {
    // The products of Kaplan and Meier meet a share only up to rounding.
    survival
        .iter()
        .find(|point| point.share <= left + 1e-12)
        .map(|point| point.time)
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let Some(threshold) = group.threshold else {
        return Ok(Measured::absent());
    };
    let mut runs = Vec::new();
    for run in &group.runs {
        let curve = smoothed(&validation_curve(run), options.smoothing);
        let Some(last) = curve.last() else { continue };
        runs.push(RunSteps {
            seed: run.seed,
            step: first_held(&curve, threshold, options.held),
            last_step: last.0,
        });
    }
    if runs.is_empty() {
        return Ok(Measured::absent());
    }
    let times: Vec<f64> = runs
        .iter()
        .map(|run| run.step.unwrap_or(run.last_step) as f64)
        .collect();
    let happened: Vec<bool> = runs.iter().map(|run| run.step.is_some()).collect();
    let survival = kaplan_meier(&times, &happened)?;
    let median = median_survival(&survival);
    let log = group.runs.iter().find_map(|run| run.training.as_ref());
    let result = StepsToThreshold {
        threshold,
        quartiles: [0.75, 0.25].map(|left| survival_time(&survival, left)),
        tasks: median
            .zip(log)
            .map(|(steps, log)| steps * log.n_tasks as f64),
        median_limits: median_limits(&survival, options.level),
        n_reached: happened.iter().filter(|yes| **yes).count(),
        median,
        survival,
        runs,
    };
    let when = match result.median {
        Some(median) => {
            let tasks = result
                .tasks
                .map_or_else(String::new, |n| format!(", {n:.0} tasks"));
            let end = |limit: Option<f64>| {
                limit.map_or_else(|| "no limit".to_owned(), |it| format!("{it:.0}"))
            };
            let [low, high] = result.median_limits.map(end);
            format!("at a median of {median:.0} steps [{low}, {high}]{tasks}")
        }
        None => "too few to give a median".to_owned(),
    };
    let text = format!(
        "{} of {} runs of {} reach {} validation accuracy and hold it, {}.",
        result.n_reached,
        result.runs.len(),
        group.learner,
        percent(threshold),
        when
    );
    let finding = Finding::of_learner(group, StepsToThreshold::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_has_to_be_held() {
        let curve = [
            (10, 0.9),
            (20, 0.5),
            (30, 0.8),
            (40, 0.9),
            (50, 0.8),
            (60, 0.1),
        ];
        assert_eq!(first_held(&curve, 0.8, 3), Some(30));
        assert_eq!(first_held(&curve, 0.85, 2), None);
        assert_eq!(
            first_held(&curve[..4], 0.8, 3),
            None,
            "cut short by the end of the log"
        );
    }

    #[test]
    fn smoothing_is_a_trailing_mean() {
        let curve = smoothed(&[(1, 0.0), (2, 0.3), (3, 0.6), (4, 0.9)], 3);
        let expected = [0.0, 0.15, 0.3, 0.6];
        for (point, value) in curve.iter().zip(expected) {
            assert!((point.1 - value).abs() < 1e-15, "{curve:?}");
        }
    }

    /// The 6-MP arm of Freireich et al. 1963, in every textbook of survival analysis (e.g. Kleinbaum and Klein, table
    /// 2.2): S = 0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482 at weeks 6, 7, 10, 13, 16, 22, 23; median 23.
    #[test]
    fn kaplan_meier_of_the_leukemia_trial() {
        let events = [6., 6., 6., 7., 10., 13., 16., 22., 23.];
        let censored = [6., 9., 10., 11., 17., 19., 20., 25., 32., 32., 34., 35.];
        let times: Vec<f64> = events.iter().chain(&censored).copied().collect();
        let happened: Vec<bool> = (0..times.len()).map(|at| at < events.len()).collect();
        let survival = kaplan_meier(&times, &happened).unwrap();
        let expected = [
            (6., 0.8571),
            (7., 0.8067),
            (10., 0.7529),
            (13., 0.6902),
            (16., 0.6275),
            (22., 0.5378),
            (23., 0.4482),
        ];
        assert_eq!(survival.len(), expected.len());
        for (point, (time, share)) in survival.iter().zip(expected) {
            assert!(
                (point.time - time).abs() < 1e-12 && (point.share - share).abs() < 5e-5,
                "{point:?}"
            );
        }
        assert_eq!(median_survival(&survival), Some(23.0));
        // lifelines 0.30.3, KaplanMeierFitter: 0.6197 to 0.9516 at week 6; the median has the lower limit 13 and no upper one.
        let (low, high) = survival[0].limits(0.95).unwrap();
        assert!(
            (low - 0.620).abs() < 1e-3 && (high - 0.952).abs() < 1e-3,
            "{low} {high}"
        );
        assert_eq!(median_limits(&survival, 0.95), [Some(13.0), None]);
        // The quarter of Kaplan and Meier: S falls to 0.7529 at week 10 and under three quarters at week 13.
        assert_eq!(survival_time(&survival, 0.75), Some(13.0));
        assert_eq!(survival_time(&survival, 0.25), None);
        assert!(median_survival(&survival[..6]).is_none());
    }
}
