//! G5: are the confidences of a run honest, and what does each inner step do to them?

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::support_sets::some;
use crate::calibration::{Calibration, ReliabilityBin};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::confidence::{AfterSteps, Answers};

/// Calibration of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Runs asked.
    pub n_runs: usize,
    /// Predictions of each.
    pub n: usize,
    /// Expected calibration error.
    pub ece: Estimate,
    /// What it would be if every confidence were honest, mean over runs.
    pub honest_ece: f64,
    /// Mean confidence minus accuracy: positive for an overconfident learner.
    pub overconfidence: Estimate,
    /// Brier score.
    pub brier: Estimate,
    /// Negative log-likelihood in nats; absent where a true class was given probability 0.
    pub nll: Option<Estimate>,
    /// Bins of the first run.
    pub bins: Vec<ReliabilityBin>,
    /// After other numbers of inner steps, first run.
    pub steps: Vec<AfterSteps>,
}

impl Measure for Confidence {
    const ID: &'static str = "confidence";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Confidence::ID,
    title: "Calibration (G5)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.confidence.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let over = |of: &dyn Fn(&Calibration) -> Option<f64>| {
        let runs = asked
            .iter()
            .filter_map(|run| Some(vec![of(&run.calibration)?]));
        over_runs(&runs.collect::<Vec<_>>(), options.level)
    };
    let all_known = asked.iter().all(|run| run.calibration.nll.is_some());
    let result = Confidence {
        n_runs: asked.len(),
        n: first.calibration.n,
        ece: some(over(&|c| Some(c.ece)))?,
        honest_ece: some(over(&|c| Some(c.honest_ece.value)))?.value,
        overconfidence: some(over(&|c| Some(c.confidence - c.accuracy)))?,
        brier: some(over(&|c| Some(c.brier)))?,
        nll: if all_known { over(&|c| c.nll) } else { None },
        bins: first.calibration.bins.clone(),
        steps: first.steps.clone(),
    };
    let honest = result.ece.value
        <= asked
            .iter()
            .filter_map(|run| Some(run.calibration.honest_ece.interval.as_ref()?.upper))
            .fold(0.0, f64::max);
    let side = if result.overconfidence.value > 0.0 {
        "over"
    } else {
        "under"
    };
    let (certainty, verdict) = if honest {
        (
            Certainty::NotDistinguishable,
            "not distinguishable from calibrated confidences".to_owned(),
        )
    } else {
        (
            Certainty::Distinguishable,
            format!(
                "{side}confident by {}",
                percent(result.overconfidence.value.abs())
            ),
        )
    };
    let text = format!(
        "The expected calibration error of {} is {} (calibrated confidences would show {}): {verdict}.",
        group.learner,
        percent(result.ece.value),
        percent(result.honest_ece)
    );
    let finding = Finding::of_learner(group, Confidence::ID, certainty, text);
    Measured::new(&result, vec![finding])
}
