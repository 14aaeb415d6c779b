//! F1 to F3: how curved the losses of a task are at the learnt parameters, and how sharp.

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::quantile;

pub use crate::record::answers::curvature::{Answers, Tasks};

/// Curvature of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curvature {
    /// Runs asked.
    pub n_runs: usize,
    /// Length of the step of sharpness.
    pub rho: f64,
    /// Support loss at theta; absent for a learner without an inner loop.
    pub support: Option<AtPoint>,
    /// Query loss at the adapted parameters.
    pub query: AtPoint,
}

/// Curvature of one loss at one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtPoint {
    /// Tasks over all runs.
    pub n_tasks: usize,
    /// Largest eigenvalue: mean with its interval.
    pub largest: Estimate,
    /// Its quartiles over tasks and runs, the median in the middle.
    pub quartiles: [f64; 3],
    /// Smallest Ritz value.
    pub smallest: Estimate,
    /// Trace.
    pub trace: Estimate,
    /// Sharpness along the gradient, in nats.
    pub sharpness: Estimate,
    /// Sharpness along random directions, in nats.
    pub random_sharpness: Estimate,
    /// Ritz values and weights of one task.
    pub spectrum: Vec<(f64, f64)>,
    /// Largest eigenvalue of the block of each layer.
    pub layers: Vec<(String, f64)>,
}

impl Measure for Curvature {
    const ID: &'static str = "curvature";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Curvature::ID,
    title: "Curvature and sharpness (F1-F3)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| {
        let answers = probe.curvature.as_ref();
        answers.filter(|answers| !answers.query.largest.is_empty())
    });
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let support: Vec<&Tasks> = asked
        .iter()
        .filter_map(|run| run.support.as_ref())
        .filter(|tasks| !tasks.largest.is_empty())
        .collect();
    let query: Vec<&Tasks> = asked.iter().map(|run| &run.query).collect();
    let result = Curvature {
        n_runs: asked.len(),
        rho: first.rho,
        support: if support.is_empty() {
            None
        } else {
            Some(at_point(&support, options.level)?)
        },
        query: at_point(&query, options.level)?,
    };
    let of = |name: &str, at: &AtPoint| {
        format!(
            "{name} has largest eigenvalue {:.2} (median over tasks; quartiles {:.2} and {:.2}), trace {:.1} and sharpness {:.3} nats",
            at.quartiles[1], at.quartiles[0], at.quartiles[2], at.trace.value, at.sharpness.value
        )
    };
    let mut text = format!(
        "For {}, the query loss at the adapted parameters",
        group.learner
    );
    text = of(&text, &result.query);
    if let Some(at) = &result.support {
        text += &of("; the support loss at theta", at);
    }
    text.push('.');
    let finding = Finding::of_learner(group, Curvature::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

fn at_point(runs: &[&Tasks], level: f64) -> Result<AtPoint, AnalysisError> {
    let over = |of: fn(&Tasks) -> &Vec<f64>| {
        some(over_runs(
            &runs.iter().map(|run| of(run).clone()).collect::<Vec<_>>(),
            level,
        ))
    };
    let all: Vec<f64> = runs.iter().flat_map(|run| &run.largest).copied().collect();
    Ok(AtPoint {
        n_tasks: all.len(),
        largest: over(|run| &run.largest)?,
        quartiles: [0.25, 0.5, 0.75].map(|share| quantile(&all, share)),
        smallest: over(|run| &run.smallest)?,
        trace: over(|run| &run.trace)?,
        sharpness: over(|run| &run.sharpness)?,
        random_sharpness: over(|run| &run.random_sharpness)?,
        spectrum: runs
            .first()
            .map(|run| run.spectrum.clone())
            .unwrap_or_default(),
        layers: runs
            .first()
            .map(|run| run.layers.clone())
            .unwrap_or_default(),
    })
}
