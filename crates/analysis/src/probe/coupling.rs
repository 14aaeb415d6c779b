//! C6: how much of the accuracy comes from judging the queries of a task together.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::coupling::Answers;

/// Transductive minus inductive, over the runs of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coupling {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Mean accuracy together.
    pub together: Estimate,
    /// Mean accuracy one at a time.
    pub alone: Estimate,
    /// Together minus alone, task by task.
    pub difference: Estimate,
}

impl Measure for Coupling {
    const ID: &'static str = "coupling";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Coupling::ID,
    title: "Transductive minus inductive (C6)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.coupling.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let over = |of: &dyn Fn(&Answers) -> Vec<f64>| {
        some(over_runs(
            &asked.iter().map(|run| of(run)).collect::<Vec<_>>(),
            options.level,
        ))
    };
    let result = Coupling {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        together: over(&|run| run.together.clone())?,
        alone: over(&|run| run.alone.clone())?,
        difference: over(&|run| {
            run.together
                .iter()
                .zip(&run.alone)
                .map(|(t, a)| t - a)
                .collect()
        })?,
    };
    let zero = result
        .difference
        .interval
        .as_ref()
        .is_none_or(|i| i.contains(0.0));
    let (certainty, verdict) = if zero {
        (
            Certainty::NotDistinguishable,
            ", which is not distinguishable from none",
        )
    } else {
        (Certainty::Distinguishable, "")
    };
    let text = format!(
        "Judging the queries of a task together instead of one at a time changes {} by {}{verdict}.",
        group.learner,
        in_points(&result.difference)
    );
    let finding = Finding::of_learner(group, Coupling::ID, certainty, text);
    Measured::new(&result, vec![finding])
}
