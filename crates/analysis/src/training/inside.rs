//! E15 and E16: what the inner loop does as training goes on, which units are dead, and how far adaptation moves what batch
//! normalisation normalises.

use serde::{Deserialize, Serialize};

use super::{Inside, MeanCurve, TrainingLog, by_step};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent, points};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::probe::pool::over_runs;
use crate::summary::mean;

/// The inner loop along the training of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InnerCourse {
    /// Runs with curves.
    pub n_runs: usize,
    /// Tasks that were inspected at the last validation of a run, at least.
    pub n_tasks: usize,
    /// Gain of the first inner step, `A_1 - A_0`, at the last validation.
    pub first_gain: Estimate,
    /// Accuracy before adaptation at the last validation; that of guessing is expected where labels are drawn anew.
    pub before: Estimate,
    /// Accuracy lost by going on to the last step instead of the best one, at the last validation.
    pub overshoot: Estimate,
    /// Share of tasks whose support loss rises at some step, at the last validation.
    pub support_rose: Estimate,
    /// Curves at each validation, means over runs.
    pub course: Vec<(usize, MeanCurve)>,
}

/// Hidden units along the training of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HiddenUnits {
    /// Runs that were looked at.
    pub n_runs: usize,
    /// Tasks that were inspected at the last validation of a run, at least.
    pub n_tasks: usize,
    /// Share of dead units over all blocks, at the last validation.
    pub dead: Estimate,
    /// Blocks at the last validation, means over runs.
    pub blocks: Vec<BlockSummary>,
    /// Share of dead units of each block at each validation, means over runs.
    pub course: Vec<(usize, Vec<f64>)>,
}

/// One block at the last validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockSummary {
    /// Share of dead units.
    pub dead: f64,
    /// Change of the batch mean by adaptation, in standard deviations, and `|ln(sd' / sd)|`; absent without an inner loop.
    pub drift: Option<[f64; 2]>,
}

impl Measure for InnerCourse {
    const ID: &'static str = "inner_course";
}

impl Measure for HiddenUnits {
    const ID: &'static str = "hidden_units";
}

pub(crate) const INNER: LearnerMetric = LearnerMetric {
    id: InnerCourse::ID,
    title: "Inner-loop curves along the training (E15)",
    measure: measure_inner,
};

pub(crate) const UNITS: LearnerMetric = LearnerMetric {
    id: HiddenUnits::ID,
    title: "Dead units and drift of batch statistics (E16)",
    measure: measure_units,
};

fn looks(log: &TrainingLog) -> impl DoubleEndedIterator<Item = (usize, &Inside)> {
    let lines = log.lines.iter();
    lines.filter_map(|line| Some((line.step, line.inside.as_ref()?)))
}

fn last_look(log: &TrainingLog) -> Option<&Inside> {
    looks(log).next_back().map(|(_, inside)| inside)
}

fn fewest_tasks(looks: &[&Inside]) -> usize {
    looks.iter().map(|inside| inside.n_tasks).min().unwrap_or(0)
}

fn curves(log: &TrainingLog) -> impl DoubleEndedIterator<Item = (usize, &MeanCurve)> {
    looks(log).filter_map(|(step, inside)| Some((step, inside.curve.as_ref()?)))
}

fn measure_inner(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let logs = super::logs(group);
    let looks: Vec<&Inside> = logs.iter().filter_map(|log| last_look(log)).collect();
    let last: Vec<&MeanCurve> = looks.iter().filter_map(|it| it.curve.as_ref()).collect();
    let over = |of: fn(&MeanCurve) -> f64| {
        let each: Vec<Vec<f64>> = last.iter().map(|curve| vec![of(curve)]).collect();
        over_runs(&each, options.level)
    };
    let (Some(first_gain), Some(before), Some(overshoot), Some(support_rose)) = (
        over(first_gain),
        over(|curve| curve.query_accuracy.first().copied().unwrap_or(0.0)),
        over(overshoot),
        over(|curve| curve.support_rose),
    ) else {
        return Ok(Measured::absent());
    };
    let all = logs.iter().flat_map(|log| curves(log));
    let result = InnerCourse {
        n_runs: last.len(),
        n_tasks: fewest_tasks(&looks),
        first_gain,
        before,
        overshoot,
        support_rose,
        course: by_step(all)
            .into_iter()
            .map(|(step, found)| (step, average(&found)))
            .collect(),
    };
    let first = result.course.first();
    let at_first = first.map_or(0.0, |(_, curve)| self::first_gain(curve));
    let text = format!(
        "At the end of its training, {} is at {} before adaptation, gains {} in the first inner step ({} at the first inspection), and loses \
         {} from its best step to the last; the support loss rises at some step on {} of {} tasks.",
        group.learner,
        percent(result.before.value),
        points(result.first_gain.value),
        points(at_first),
        points(result.overshoot.value),
        percent(result.support_rose.value),
        result.n_tasks
    );
    let certainty = Certainty::of_estimate(result.n_runs);
    let finding = Finding::of_learner(group, InnerCourse::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

/// `A_1 - A_0`; 0 without steps.
pub(crate) fn first_gain(curve: &MeanCurve) -> f64 {
    match curve.query_accuracy.as_slice() {
        [before, after, ..] => after - before,
        _ => 0.0,
    }
}

/// `max_k A_k - A_end`.
fn overshoot(curve: &MeanCurve) -> f64 {
    let best = curve.query_accuracy.iter().copied().fold(0.0, f64::max);
    curve.query_accuracy.last().map_or(0.0, |end| best - end)
}

fn average(curves: &[&MeanCurve]) -> MeanCurve {
    let shortest = curves.iter().map(|curve| curve.query_loss.len()).min();
    let column = |of: fn(&MeanCurve) -> &Vec<f64>| -> Vec<f64> {
        (0..shortest.unwrap_or(0))
            .map(|k| mean(&curves.iter().map(|curve| of(curve)[k]).collect::<Vec<_>>()))
            .collect()
    };
    MeanCurve {
        query_accuracy: column(|curve| &curve.query_accuracy),
        support_loss: column(|curve| &curve.support_loss),
        query_loss: column(|curve| &curve.query_loss),
        support_rose: mean(&curves.iter().map(|it| it.support_rose).collect::<Vec<_>>()),
    }
}

fn measure_units(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let logs = super::logs(group);
    let seen = |log: &&&TrainingLog| looks(log).any(|(_, inside)| !inside.blocks.is_empty());
    let logs: Vec<&TrainingLog> = logs.iter().filter(seen).copied().collect();
    let dead = |inside: &Inside| -> Vec<f64> { inside.blocks.iter().map(|it| it.dead).collect() };
    let last: Vec<&Inside> = logs.iter().filter_map(|log| last_look(log)).collect();
    let each: Vec<Vec<f64>> = last
        .iter()
        .map(|inside| vec![mean(&dead(inside))])
        .collect();
    let Some(share) = over_runs(&each, options.level) else {
        return Ok(Measured::absent());
    };
    let n_blocks = last
        .iter()
        .map(|inside| inside.blocks.len())
        .min()
        .unwrap_or(0);
    let summary = |block: usize| {
        let blocks = || last.iter().map(|inside| inside.blocks[block]);
        let drifts: Vec<[f64; 2]> = blocks().filter_map(|it| it.drift).collect();
        let drift = |which: usize| mean(&drifts.iter().map(|it| it[which]).collect::<Vec<_>>());
        BlockSummary {
            dead: mean(&blocks().map(|it| it.dead).collect::<Vec<_>>()),
            drift: (!drifts.is_empty()).then(|| [drift(0), drift(1)]),
        }
    };
    let all = logs.iter().flat_map(|log| looks(log));
    let result = HiddenUnits {
        n_runs: last.len(),
        n_tasks: fewest_tasks(&last),
        dead: share,
        blocks: (0..n_blocks).map(summary).collect(),
        course: by_step(all)
            .into_iter()
            .map(|(step, found)| {
                let of_block = |block: usize| {
                    let states = found.iter().filter_map(|inside| inside.blocks.get(block));
                    mean(&states.map(|it| it.dead).collect::<Vec<_>>())
                };
                (step, (0..n_blocks).map(of_block).collect())
            })
            .collect(),
    };
    let drift = result.blocks.iter().filter_map(|block| block.drift);
    let most = drift
        .map(|[mean, _]| mean)
        .fold(None, |most: Option<f64>, value| {
            Some(most.map_or(value, |most| most.max(value)))
        });
    let text = format!(
        "At the end of its training, {} of the units of {} are never active on {} inspected tasks{}.",
        percent(result.dead.value),
        group.learner,
        result.n_tasks,
        most.map_or_else(String::new, |most| format!(
            "; adaptation moves the batch means of its blocks by up to {most:.2} standard deviations"
        ))
    );
    let certainty = Certainty::of_estimate(result.n_runs);
    let finding = Finding::of_learner(group, HiddenUnits::ID, certainty, text);
    Measured::new(&result, vec![finding])
}
