//! C8: does it matter in which order the supports come?
//!
//! A learner that averages its supports cannot see their order. One that reads them as a sequence (attention with positions, a
//! recurrent net) can, and order is then one more source of chance in every accuracy it reports.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use super::support_sets::{row_sds, some};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::support_order::Answers;

/// What the order of the supports does to one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupportOrder {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Orders of each task.
    pub n_orders: usize,
    /// Mean over tasks of the standard deviation over orders.
    pub sd: Estimate,
    /// Mean share of answers that another order changes.
    pub churn: Estimate,
    /// Whether no order changed any answer of any run.
    pub is_exactly_zero: bool,
    /// Largest change of any probability.
    pub largest_change: f64,
}

impl Measure for SupportOrder {
    const ID: &'static str = "support_order";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: SupportOrder::ID,
    title: "Order of the supports (C8)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.support_order.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let over = |of: &dyn Fn(&Answers) -> Vec<f64>| {
        let runs: Vec<Vec<f64>> = asked.iter().map(|run| of(run)).collect();
        some(over_runs(&runs, options.level))
    };
    let result = SupportOrder {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        n_orders: first.n_orders,
        sd: over(&|run| row_sds(&run.accuracy, run.n_orders))?,
        churn: over(&|run| run.churn.clone())?,
        is_exactly_zero: asked
            .iter()
            .all(|run| run.churn.iter().all(|share| *share <= 0.0)),
        largest_change: asked
            .iter()
            .map(|run| run.largest_change)
            .fold(0.0, f64::max),
    };
    let (certainty, text) = if result.is_exactly_zero {
        let text = format!(
            "The order of the supports changes no answer of {} ({} orders of {} tasks; largest change of a probability {:.0e}).",
            group.learner, result.n_orders, result.n_tasks, result.largest_change
        );
        (Certainty::Estimated, text)
    } else {
        let text = format!(
            "Another order of the same supports changes {} of the answers of {}, and moves the accuracy of a task by {} (SD over {} orders).",
            percent(result.churn.value),
            group.learner,
            in_points(&result.sd),
            result.n_orders
        );
        (Certainty::of_estimate(result.n_runs), text)
    };
    let finding = Finding::of_learner(group, SupportOrder::ID, certainty, text);
    Measured::new(&result, vec![finding])
}
