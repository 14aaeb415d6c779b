//! E12 to E13: do tasks pull together, in their gradients and on their ways through the inner loop?

use serde::{Deserialize, Serialize};

use super::domain_conflict::{DomainConflict, domain_conflict};
use super::{Angles, InnerAngles, TrainingLog, by_step};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::probe::pool::over_runs;
use crate::summary::mean;

/// Agreement of the tasks of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// Runs in which two tasks or more were looked at.
    pub n_runs: usize,
    /// E12: mean cosine of the meta-gradients of two tasks, over the training; absent for meta-batches of one task.
    pub cosine: Option<Estimate>,
    /// E12: share of pairs whose meta-gradients have a negative cosine.
    pub conflict: Option<Estimate>,
    /// E12: the same within and between domains, where training tasks come from several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domains: Option<DomainConflict>,
    /// E12b: mean cosine of a task's support and query gradient at theta, before training and at the last look.
    pub within_task: Option<[Estimate; 2]>,
    /// E12b: the last less the first, over runs.
    pub within_change: Option<Estimate>,
    /// E13: mean cosine of the displacements of two tasks in the inner loop, over the training.
    pub coherence: Option<Estimate>,
    /// Along the training, means over runs.
    pub course: Vec<AnglePoint>,
}

/// One look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnglePoint {
    /// Outer step.
    pub step: usize,
    /// Mean cosine of two meta-gradients.
    pub cosine: Option<f64>,
    /// Share of pairs in conflict.
    pub conflict: Option<f64>,
    /// Mean cosine of support and query gradient.
    pub within_task: Option<f64>,
    /// Mean cosine of two displacements.
    pub coherence: Option<f64>,
}

impl Measure for Alignment {
    const ID: &'static str = "alignment";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Alignment::ID,
    title: "Alignment of the tasks (E12 to E13)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let logs = super::logs(group);
    let over = |of: &dyn Fn(&TrainingLog) -> Option<f64>| {
        let each: Vec<Vec<f64>> = logs.iter().filter_map(|log| Some(vec![of(log)?])).collect();
        over_runs(&each, options.level)
    };
    let along = |of: fn(&Angles) -> Option<f64>| {
        over(&|log| {
            let values: Vec<f64> = looks(log).filter_map(|(_, angles)| of(angles)).collect();
            some_mean(&values)
        })
    };
    let first = |log: &TrainingLog| looks(log).find_map(|(_, angles)| within_task(angles));
    let last = |log: &TrainingLog| looks(log).filter_map(|(_, it)| within_task(it)).last();
    let change = |log: &TrainingLog| Some(last(log)? - first(log)?);
    let result = Alignment {
        n_runs: logs
            .iter()
            .filter(|log| looks(log).next().is_some())
            .count(),
        cosine: along(|angles| some_mean(&angles.gradients)),
        conflict: along(|angles| conflict(&angles.gradients)).map(Estimate::within_shares),
        domains: domain_conflict(&logs, options.level),
        within_task: over(&first).zip(over(&last)).map(|(a, b)| [a, b]),
        within_change: over(&change),
        coherence: along(|angles| some_mean(&angles.inner.as_ref()?.trajectories)),
        course: course(&logs),
    };
    if result.course.is_empty() {
        return Ok(Measured::absent());
    }
    let finding = Finding::of_learner(
        group,
        Alignment::ID,
        certainty(&result),
        said(group.learner, &result),
    );
    Measured::new(&result, vec![finding])
}

fn certainty(result: &Alignment) -> Certainty {
    match (&result.within_change, result.n_runs) {
        (_, 0..3) => Certainty::TooFewRuns,
        (Some(change), _) => {
            let zero = change.interval.as_ref().is_none_or(|i| i.contains(0.0));
            if zero {
                Certainty::NotDistinguishable
            } else {
                Certainty::Distinguishable
            }
        }
        (None, _) => Certainty::Estimated,
    }
}

fn said(learner: &str, result: &Alignment) -> String {
    let mut text = match (&result.cosine, &result.conflict) {
        (Some(cosine), Some(conflict)) => format!(
            "The meta-gradients of two tasks of {learner} have a mean cosine of {:.2}; {} of pairs pull against each other.",
            cosine.value,
            percent(conflict.value)
        ),
        _ => format!("{learner} has one task a step: there is no pair to compare."),
    };
    if let Some(domains) = &result.domains {
        text += &domains.said();
    }
    if let (Some([before, after]), Some(change)) = (&result.within_task, &result.within_change) {
        let verdict = match &change.interval {
            None => "one run does not say whether that is more than chance",
            Some(interval) if interval.contains(0.0) => {
                "over these runs not distinguishable from no change"
            }
            Some(_) => "a change beyond what seeds explain",
        };
        text += &format!(
            " The cosine of a task's support and query gradient goes from {:.2} before training to {:.2} at its end: {verdict}.",
            before.value, after.value
        );
    }
    if let Some(coherence) = &result.coherence {
        text += &format!(
            " The parameter changes of two tasks in the inner loop have a mean cosine of {:.2}.",
            coherence.value
        );
    }
    text
}

/// Looks in order of steps.
fn looks(log: &TrainingLog) -> impl Iterator<Item = (usize, &Angles)> {
    let lines = log.lines.iter();
    lines.filter_map(|line| Some((line.step, line.angles.as_ref()?)))
}

fn some_mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| mean(values))
}

fn within_task(angles: &Angles) -> Option<f64> {
    some_mean(&angles.inner.as_ref()?.within_task)
}

/// Share of the cosines that are negative.
fn conflict(cosines: &[f64]) -> Option<f64> {
    let n_negative = cosines.iter().filter(|cosine| **cosine < 0.0).count();
    (!cosines.is_empty()).then(|| n_negative as f64 / cosines.len() as f64)
}

/// Means over runs at each step that was looked at.
fn course(logs: &[&TrainingLog]) -> Vec<AnglePoint> {
    let at = |found: &[&Angles], of: &dyn Fn(&Angles) -> Option<f64>| {
        let values: Vec<f64> = found.iter().filter_map(|angles| of(angles)).collect();
        some_mean(&values)
    };
    let inner = |of: fn(&InnerAngles) -> &[f64]| {
        move |angles: &Angles| some_mean(of(angles.inner.as_ref()?))
    };
    by_step(logs.iter().flat_map(|log| looks(log)))
        .into_iter()
        .map(|(step, found)| AnglePoint {
            step,
            cosine: at(&found, &|angles| some_mean(&angles.gradients)),
            conflict: at(&found, &|angles| conflict(&angles.gradients)),
            within_task: at(&found, &inner(|inner| &inner.within_task)),
            coherence: at(&found, &inner(|inner| &inner.trajectories)),
        })
        .collect()
}
