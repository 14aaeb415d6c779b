//! C7: accuracy over the number of supports of a class.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::shots::Answers;

/// Accuracy over the number of supports, over the runs of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shots {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Supports of each class in the tasks of training.
    pub trained: usize,
    /// Supports of a class, and accuracy.
    pub curve: Vec<(usize, Estimate)>,
    /// Accuracy with the most supports less that with one, on the same tasks.
    pub gain: Estimate,
}

impl Measure for Shots {
    const ID: &'static str = "shots";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Shots::ID,
    title: "Accuracy over the number of supports (C7)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut asked: Vec<&Answers> = group.answers(|probe| probe.shots.as_ref());
    let Some(first) = asked.first().copied() else {
        return Ok(Measured::absent());
    };
    asked.retain(|run| run.shots == first.shots);
    let mut curve = Vec::new();
    for (at, shots) in first.shots.iter().enumerate() {
        let runs: Vec<Vec<f64>> = asked.iter().map(|run| run.row(at).to_vec()).collect();
        curve.push((*shots, some(over_runs(&runs, options.level))?));
    }
    let last = first.shots.len() - 1;
    let gain = |run: &&Answers| -> Vec<f64> {
        let pairs = run.row(last).iter().zip(run.row(0));
        pairs.map(|(most, one)| most - one).collect()
    };
    let gains: Vec<Vec<f64>> = asked.iter().map(gain).collect();
    let result = Shots {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        trained: first.trained,
        curve,
        gain: some(over_runs(&gains, options.level))?,
    };
    let ((least, one), (most, all)) = (&result.curve[0], &result.curve[last]);
    let text = format!(
        "From {least} to {most} supports a class, the accuracy of {} goes from {} to {}, a change of {} on the same tasks; it was trained with {}.",
        group.learner,
        percent(one.value),
        percent(all.value),
        in_points(&result.gain),
        result.trained
    );
    let certainty = match &result.gain.interval {
        Some(interval) if !interval.contains(0.0) => Certainty::Distinguishable,
        Some(_) => Certainty::NotDistinguishable,
        None => Certainty::TooFewRuns,
    };
    let finding = Finding::of_learner(group, Shots::ID, certainty, text);
    Measured::new(&result, vec![finding])
}
