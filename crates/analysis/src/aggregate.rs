//! A3: one number over several settings, robust against single bad or lucky runs.

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::{LearnerRuns, StudyRuns};
use crate::metric::{Measure, Measured, StudyMetric};
use crate::options::Options;
use crate::record::TaskScores;
use crate::robust::{
    ENOUGH_TO_RESAMPLE, Resampling, Strata, chance_normalized, improvement_with_interval, iqm,
    mean_of_settings, median_of_settings, optimality_gap, profile_with_band, with_interval,
};
use crate::summary::mean;

/// Points of a performance profile, `tau = 0, 0.01, ..., 1`.
const PROFILE_POINTS: usize = 101;

/// Aggregates over settings of run means, chance-normalized: 0 is guessing, 1 is perfect.
///
/// A run without a usable test counts as guessing (0) here; without failed runs it is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregates {
    /// `tau` of the profiles.
    pub taus: Vec<f64>,
    /// In order of first appearance.
    pub learners: Vec<LearnerAggregate>,
    /// Every pair of learners with a setting in common; the learner listed first comes first.
    pub improvements: Vec<Improvement>,
}

/// One learner over its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerAggregate {
    /// Name of the learner.
    pub learner: String,
    /// Settings that it was run in.
    pub settings: Vec<String>,
    /// Chance-normalized run means, `scores[setting][run]`.
    pub scores: Vec<Vec<f64>>,
    /// Interquartile mean.
    pub iqm: Estimate,
    /// Mean of the settings' means.
    pub mean: Estimate,
    /// Median of the settings' means.
    pub median: Estimate,
    /// Gap to the target of the options, above which scores do not count.
    pub optimality_gap: Estimate,
    /// Share of runs above each `tau`, with its pointwise band.
    pub profile: Vec<Estimate>,
}

/// `P(X > Y)`: the probability that a run of `x` beats a run of `y`, in a setting drawn from those that both have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Improvement {
    /// Learner X.
    pub x: String,
    /// Learner Y.
    pub y: String,
    /// Settings that both were run in.
    pub settings: Vec<String>,
    /// The probability, ties half.
    pub probability: Estimate,
}

impl Measure for Aggregates {
    const ID: &'static str = "aggregates";
}

pub(crate) const METRIC: StudyMetric = StudyMetric {
    id: Aggregates::ID,
    title: "Robust aggregates over settings (A3)",
    measure,
};

/// Chance-normalized run means; runs without a usable test count as guessing.
fn scores_of(group: &LearnerRuns<'_>) -> Option<Vec<f64>> {
    let n_way = (1.0 / group.chance?).round() as usize;
    let score = |run: &&crate::record::Run| {
        if let Some(above) = run.scores.as_ref().and_then(TaskScores::above_chance) {
            return above;
        }
        run.task_accuracies().map_or(0.0, |accuracies| {
            chance_normalized(mean(&accuracies), n_way)
        })
    };
    (!group.runs.is_empty()).then(|| group.runs.iter().map(score).collect())
}

struct Row<'a> {
    learner: &'a str,
    settings: Vec<(&'a str, Vec<f64>)>,
}

fn rows<'a>(study: &StudyRuns<'a>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    for setting in &study.settings {
        for group in &setting.learners {
            let Some(scores) = scores_of(group) else {
                continue;
            };
            let entry = (setting.setting, scores);
            match rows.iter_mut().find(|row| row.learner == group.learner) {
                Some(row) => row.settings.push(entry),
                None => rows.push(Row {
                    learner: group.learner,
                    settings: vec![entry],
                }),
            }
        }
    }
    rows
}

fn measure(study: &StudyRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let rows = rows(study);
    if rows.is_empty() {
        return Ok(Measured::absent());
    }
    let how = Resampling {
        seed: options.seed,
        n_resamples: options.n_resamples,
        level: options.level,
        settings: options.resample_settings,
        from_runs: ENOUGH_TO_RESAMPLE,
    };
    let profiles = Resampling {
        n_resamples: options.n_profile_resamples,
        ..how
    };
    let taus: Vec<f64> = (0..PROFILE_POINTS)
        .map(|at| at as f64 / (PROFILE_POINTS - 1) as f64)
        .collect();
    let mut learners = Vec::new();
    let mut findings = Vec::new();
    for row in &rows {
        let scores: Vec<Vec<f64>> = row
            .settings
            .iter()
            .map(|(_, scores)| scores.clone())
            .collect();
        let strata = Strata::new(scores.clone())?;
        let gap = |strata: &Strata| optimality_gap(strata, options.gap_target);
        let aggregate = LearnerAggregate {
            learner: row.learner.to_owned(),
            settings: row
                .settings
                .iter()
                .map(|(setting, _)| (*setting).to_owned())
                .collect(),
            scores,
            iqm: at_most_one(with_interval(&strata, iqm, "aggregate/iqm", how)?),
            mean: at_most_one(with_interval(
                &strata,
                mean_of_settings,
                "aggregate/mean",
                how,
            )?),
            median: at_most_one(with_interval(
                &strata,
                median_of_settings,
                "aggregate/median",
                how,
            )?),
            optimality_gap: at_least_zero(with_interval(&strata, gap, "aggregate/gap", how)?),
            profile: profile_with_band(&strata, &taus, "aggregate/profile", profiles)?,
        };
        findings.extend(sentence(&aggregate));
        learners.push(aggregate);
    }
    let mut improvements = Vec::new();
    for (at, x) in rows.iter().enumerate() {
        for y in &rows[at + 1..] {
            improvements.extend(improvement(x, y, how)?);
        }
    }
    let result = Aggregates {
        taus,
        learners,
        improvements,
    };
    Measured::new(&result, findings)
}

/// No chance-normalized score is over 1.
fn at_most_one(mut estimate: Estimate) -> Estimate {
    if let Some(interval) = &mut estimate.interval {
        interval.upper = interval.upper.min(1.0);
    }
    estimate
}

/// No gap is under 0.
fn at_least_zero(mut estimate: Estimate) -> Estimate {
    if let Some(interval) = &mut estimate.interval {
        interval.lower = interval.lower.max(0.0);
    }
    estimate
}

fn improvement(
    x: &Row<'_>,
    y: &Row<'_>,
    how: Resampling,
) -> Result<Option<Improvement>, AnalysisError> {
    let (mut settings, mut x_scores, mut y_scores) = (Vec::new(), Vec::new(), Vec::new());
    for (setting, scores) in &x.settings {
        if let Some((_, other)) = y.settings.iter().find(|(name, _)| name == setting) {
            settings.push((*setting).to_owned());
            x_scores.push(scores.clone());
            y_scores.push(other.clone());
        }
    }
    if settings.is_empty() {
        return Ok(None);
    }
    let (strata_x, strata_y) = (Strata::new(x_scores)?, Strata::new(y_scores)?);
    Ok(Some(Improvement {
        x: x.learner.to_owned(),
        y: y.learner.to_owned(),
        settings,
        probability: improvement_with_interval(&strata_x, &strata_y, "aggregate/improvement", how)?,
    }))
}

/// Worth a sentence only over several settings: for one, A1 says it better.
fn sentence(aggregate: &LearnerAggregate) -> Option<Finding> {
    let interval = aggregate
        .iqm
        .interval
        .as_ref()
        .filter(|_| aggregate.settings.len() > 1)?;
    Some(Finding {
        metric: Aggregates::ID.to_owned(),
        setting: None,
        learner: Some(aggregate.learner.clone()),
        certainty: Certainty::Estimated,
        text: format!(
            "Over {} settings, the middle half of {}'s runs averages {:.3} ({:.3} to {:.3}) on a scale from guessing (0) to perfect (1).",
            aggregate.settings.len(),
            aggregate.learner,
            aggregate.iqm.value,
            interval.lower,
            interval.upper
        ),
        without_failed: false,
    })
}
