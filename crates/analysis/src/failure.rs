//! A7: how many runs failed, by which rule.

use serde::{Deserialize, Serialize};

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::bootstrap::replicates;
use crate::distribution::wilson;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::options::Options;
use crate::record::{Outcome, Run};
use crate::summary::{median, quantile_of_sorted, robust_deviation, sorted};

/// Fewest runs among which one can lie outside.
const FEWEST_FOR_OUTLIERS: usize = 4;
/// Simulated sets of normal runs for the limit.
const N_NULL_RUNS: usize = 4_000;

/// Failed runs of one learner in one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// Runs looked at.
    pub n_runs: usize,
    /// Those that failed, in order of seed.
    pub failed: Vec<FailedRun>,
    /// Share that failed, with Wilson's interval.
    pub rate: Estimate,
    /// Runs without a usable test: they enter no figure on accuracy, also where failed runs are included.
    pub n_untested: usize,
    /// Mean accuracy if a run without a usable test counts as guessing, `1/N`: what somebody who trains once and cannot
    /// repeat has to expect. Absent if no run was tested.
    pub mean_counting_untested_as_chance: Option<f64>,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedRun {
    /// Its folder name.
    pub id: String,
    /// Its seed.
    pub seed: u64,
    /// Every rule that it broke.
    pub reasons: Vec<FailureReason>,
}

/// Why a run counts as failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FailureReason {
    /// Training met a number that was not finite.
    Diverged {
        /// Outer step, counted from 1.
        step: usize,
        /// What was found.
        cause: String,
    },
    /// A loss of the test, or the last validation accuracy, is not finite.
    NotFinite,
    /// The run ended without a test.
    Untested,
    /// Accuracy at most chance plus the margin.
    AtChance {
        /// Its accuracy.
        accuracy: f64,
        /// `1/N + margin`.
        limit: f64,
    },
    /// Far under the median run.
    Outlier {
        /// Its accuracy.
        accuracy: f64,
        /// Median of the runs.
        median: f64,
        /// Robust standard deviation of the runs.
        robust_sd: f64,
    },
}

/// Finds the failed runs of a group and their rate.
///
/// A run fails if training diverged, if its test is missing or holds a non-finite loss, if its accuracy is at most
/// `1/N + margin`, or if it lies outside: `failure_margin` (5 percentage points) under the median run, and by more robust standard
/// deviations (1.4826 times the median absolute deviation) than the lowest of as many normal runs does with probability
/// [`Options::outlier_level`]. That limit is simulated for the number of runs, so that the share of studies with a run that is called
/// failed does not grow with it. None of fewer than four runs lies outside. On another scale than accuracy
/// ([`Options::scale`]) there is no margin, and none lies outside where more than half of the runs are equal. The accuracy is that of the last validation, else of the test.
///
/// # Source
/// Wilson 1927 for the interval.
#[must_use]
pub fn failures(group: &LearnerRuns<'_>, options: &Options) -> Failures {
    let accuracies: Vec<Option<f64>> = group.runs.iter().map(|run| final_accuracy(run)).collect();
    let finite: Vec<f64> = accuracies
        .iter()
        .flatten()
        .copied()
        .filter(|accuracy| accuracy.is_finite())
        .collect();
    let center = median(&finite);
    let robust_sd = robust_deviation(&finite);
    // Under four runs the deviation of the others is no scale; nor is one of zero, where no margin stands beside it.
    let has_scale = robust_sd > 0.0 || options.scale.is_none();
    let far = if finite.len() < FEWEST_FOR_OUTLIERS || !has_scale {
        f64::INFINITY
    } else {
        outlying(finite.len(), options) * robust_sd
    };
    // The margin is one of accuracies; on another scale the scatter alone says what lies outside.
    let margin = if options.scale.is_none() {
        options.failure_margin
    } else {
        0.0
    };
    let outlier_limit = center - far.max(margin);
    let mut failed = Vec::new();
    for (&run, accuracy) in group.runs.iter().zip(&accuracies) {
        let mut reasons = by_itself(run, group.chance, options);
        if let Some(accuracy) = accuracy.filter(|it| it.is_finite() && *it < outlier_limit) {
            reasons.push(FailureReason::Outlier {
                accuracy,
                median: center,
                robust_sd,
            });
        }
        if !reasons.is_empty() {
            failed.push(FailedRun {
                id: run.id.clone(),
                seed: run.seed,
                reasons,
            });
        }
    }
    let n_runs = group.runs.len();
    let n_untested = n_runs - group.scored.len();
    let tested_sum = group
        .scores
        .as_ref()
        .map(|scores| scores.run_means().iter().sum::<f64>());
    Failures {
        n_runs,
        rate: Estimate {
            value: failed.len() as f64 / n_runs.max(1) as f64,
            interval: wilson(failed.len() as f64, n_runs, options.level),
        },
        failed,
        n_untested,
        mean_counting_untested_as_chance: tested_sum
            .zip(group.chance)
            .map(|(sum, chance)| (sum + n_untested as f64 * chance) / n_runs as f64),
    }
}

/// Robust standard deviations under the median that the lowest of `n` normal runs exceeds with the probability of the options.
fn outlying(n: usize, options: &Options) -> f64 {
    let lowest = |rng: &mut ChaCha8Rng| {
        let runs: Vec<f64> = (0..n).map(|_| StandardNormal.sample(rng)).collect();
        let least = runs.iter().copied().fold(f64::INFINITY, f64::min);
        (median(&runs) - least) / robust_deviation(&runs)
    };
    let draws = replicates(options.seed, "failures/outliers", N_NULL_RUNS, lowest);
    quantile_of_sorted(&sorted(&draws), 1.0 - options.outlier_level)
}

/// Every rule that a run breaks whatever others do: all but that on outliers. `chance` is `1/N`, where it is known.
pub(crate) fn by_itself(run: &Run, chance: Option<f64>, options: &Options) -> Vec<FailureReason> {
    let mut reasons = Vec::new();
    if let Outcome::Diverged { step, cause } = &run.outcome {
        reasons.push(FailureReason::Diverged {
            step: *step,
            cause: cause.clone(),
        });
    }
    match &run.test {
        None if run.scores.is_none() => reasons.push(FailureReason::Untested),
        Some(test) if test.task_nll.iter().any(|nll| !nll.is_finite()) => {
            reasons.push(FailureReason::NotFinite)
        }
        _ => {}
    }
    if let Some(accuracy) = final_accuracy(run) {
        let limit = chance.map(|chance| chance + options.failure_margin);
        if !accuracy.is_finite() {
            if !reasons.contains(&FailureReason::NotFinite) {
                reasons.push(FailureReason::NotFinite);
            }
        } else if let Some(limit) = limit.filter(|limit| accuracy <= *limit) {
            reasons.push(FailureReason::AtChance { accuracy, limit });
        }
    }
    reasons
}

/// Accuracy of the last validation, else of the test; may be NaN.
fn final_accuracy(run: &Run) -> Option<f64> {
    let validated = run
        .history
        .iter()
        .rev()
        .find_map(|progress| progress.validation_accuracy);
    validated.or_else(|| {
        let accuracies = match (&run.test, &run.scores) {
            (Some(test), _) => test.task_accuracies(),
            (None, scores) => scores.as_ref()?.accuracies.clone(),
        };
        Some(accuracies.iter().sum::<f64>() / accuracies.len() as f64)
    })
}

/// The sentence on failures.
pub(crate) fn finding(group: &LearnerRuns<'_>, failures: &Failures) -> Finding {
    let upper = failures
        .rate
        .interval
        .as_ref()
        .map_or(1.0, |interval| interval.upper);
    let lower = failures
        .rate
        .interval
        .as_ref()
        .map_or(0.0, |interval| interval.lower);
    let text = if failures.failed.is_empty() {
        format!(
            "None of {}'s {} runs failed; a failure rate of up to {:.0} % is still compatible with that.",
            group.learner,
            failures.n_runs,
            100.0 * upper
        )
    } else {
        let seeds: Vec<String> = failures
            .failed
            .iter()
            .map(|run| run.seed.to_string())
            .collect();
        format!(
            "{} of {}'s {} runs failed (seed {}): {}, with {:.0} to {:.0} % compatible. Figures are given with and \
             without them.",
            failures.failed.len(),
            group.learner,
            failures.n_runs,
            seeds.join(", "),
            percent(failures.rate.value),
            100.0 * lower,
            100.0 * upper
        )
    };
    Finding::of_learner(group, "failures", Certainty::Estimated, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprint;
    use crate::group::StudyRuns;
    use crate::random::generator;
    use crate::record::{Study, TaskScores};
    use crate::scale::ScoreScale;

    fn run(seed: u64, score: f64) -> Run {
        Run {
            id: format!("r{seed}"),
            learner: "a".to_owned(),
            setting: "s".to_owned(),
            seed,
            outcome: Outcome::Completed,
            history: Vec::new(),
            train_seconds: 0.0,
            test: None,
            scores: Some(TaskScores {
                accuracies: vec![score],
                ..TaskScores::default()
            }),
            adaptation: None,
            training: None,
            selection: None,
            fingerprint: Fingerprint::new(),
        }
    }

    /// Seeds of the runs that lie outside.
    fn outside(scores: &[f64], options: &Options) -> Vec<u64> {
        let study = Study {
            runs: (0..).zip(scores).map(|(at, it)| run(at, *it)).collect(),
            ..Study::default()
        };
        let runs = StudyRuns::new(&study, options).unwrap();
        let found = failures(&runs.settings[0].learners[0], options);
        found.failed.iter().map(|run| run.seed).collect()
    }

    fn returns() -> Options {
        Options {
            scale: Some(ScoreScale {
                name: "return".to_owned(),
                lower_is_better: false,
            }),
            ..Options::default()
        }
    }

    #[test]
    fn none_of_fewer_than_four_runs_lies_outside() {
        let shares = Options::default();
        assert!(outside(&[0.9, 0.9, 0.8], &shares).is_empty());
        assert!(outside(&[500.0, 500.0, 498.0], &returns()).is_empty());
        // From four on, the margin of accuracies stands where the others are equal.
        assert_eq!(outside(&[0.9, 0.9, 0.9, 0.8], &shares), [3]);
    }

    /// Normal runs with a standard deviation of 4 points, where a fixed margin called a run failed in 9 to 14 % of studies: at a level of
    /// 1 %, more than 5 of 100 have a probability under 0.1 %, whatever the number of runs.
    #[test]
    fn normal_runs_seldom_lie_outside_whatever_their_number() {
        let options = Options::default();
        for n in [3, 4, 10, 20] {
            let studies = (0..100).filter(|study| {
                let mut rng = generator(*study, "failures/test", n);
                let each = (0..n).map(|_| {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    0.7 + 0.04 * z
                });
                !outside(&each.collect::<Vec<_>>(), &options).is_empty()
            });
            let called = studies.count();
            assert!(called <= 5, "{called} of 100 studies of {n} runs");
        }
    }

    #[test]
    fn equal_runs_of_another_scale_are_no_measure() {
        let returns = returns();
        assert!(outside(&[500.0, 500.0, 500.0, 498.0], &returns).is_empty());
        assert!(outside(&[500.0; 5], &returns).is_empty());
        // Where they differ, their scatter is one.
        let scores = [500.0, 501.0, 499.0, 500.5, 499.5, 500.2, 9.0];
        assert_eq!(outside(&scores, &returns), [6]);
    }
}
