//! E2 to E6: how smoothly validation accuracy rises, within a training and across trainings.

use serde::{Deserialize, Serialize};

use crate::dynamics::{CurveReliability, across_runs, curve_reliability};
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::probe::pool::over_runs;
use crate::validation::validation_curve;
use crate::words::Words;

/// Share of the worst runs that the risk across runs averages; at least one.
const WORST: f64 = 0.05;

/// Reliability of the validation curves of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// E2: area under the curve over its length, the mean accuracy on the way.
    pub area: Estimate,
    /// E3: interquartile range of the changes from check to check.
    pub dispersion: Estimate,
    /// E4: mean of the worst 5 % of the changes, negative where accuracy falls.
    pub short_term_risk: Estimate,
    /// E5: mean of the worst 5 % of the drawdowns from the best check so far.
    pub long_term_risk: Estimate,
    /// Each run with two checks or more, in order of seed.
    pub runs: Vec<RunReliability>,
    /// E6, at each check that all runs of full length have; empty for a single one.
    pub across: Vec<AcrossRuns>,
    /// Runs behind `across`.
    pub n_across: usize,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReliability {
    /// Its seed.
    pub seed: u64,
    /// Its figures.
    pub curve: CurveReliability,
}

/// The runs against each other at one check.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcrossRuns {
    /// Outer steps made.
    pub step: usize,
    /// Interquartile range of the accuracies.
    pub dispersion: f64,
    /// Mean accuracy of the worst 5 % of runs, at least one.
    pub risk: f64,
}

impl Measure for Reliability {
    const ID: &'static str = "reliability";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Reliability::ID,
    title: "Reliability of the learning curve (E2 to E6)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut runs = Vec::new();
    let mut curves: Vec<Vec<(usize, f64)>> = Vec::new();
    for run in &group.runs {
        let mut curve = validation_curve(run);
        curve.retain(|point| point.1.is_finite());
        if curve.len() >= 2 {
            runs.push(RunReliability {
                seed: run.seed,
                curve: curve_reliability(&curve)?,
            });
            curves.push(curve);
        }
    }
    let over = |of: fn(&CurveReliability) -> f64| {
        let each: Vec<Vec<f64>> = runs.iter().map(|run| vec![of(&run.curve)]).collect();
        over_runs(&each, options.level)
    };
    let (Some(area), Some(dispersion), Some(short_term_risk), Some(long_term_risk)) = (
        over(|curve| curve.area),
        over(|curve| curve.dispersion),
        over(|curve| curve.short_term_risk),
        over(|curve| curve.long_term_risk),
    ) else {
        return Ok(Measured::absent());
    };
    let (n_across, across) = checks(&curves)?;
    let result = Reliability {
        area,
        dispersion,
        short_term_risk,
        long_term_risk,
        runs,
        across,
        n_across,
    };
    let words = Words::of(options);
    let text = format!(
        "During training, the validation {} of {} averages {}; its changes from check to check have an interquartile range of {}, the worst \
         5 % of them average {}, and at its worst it lies {} {} its best so far.",
        words.noun(),
        group.learner,
        words.value(result.area.value),
        words.points(result.dispersion.value),
        words.points(result.short_term_risk.value),
        words.points(result.long_term_risk.value),
        words.under()
    );
    let certainty = Certainty::of_estimate(result.runs.len());
    let finding = Finding::of_learner(group, Reliability::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

/// E6 over the curves that have every check of the longest: a training that ended early has no accuracy to compare.
fn checks(curves: &[Vec<(usize, f64)>]) -> Result<(usize, Vec<AcrossRuns>), AnalysisError> {
    let steps = |curve: &[(usize, f64)]| -> Vec<usize> { curve.iter().map(|it| it.0).collect() };
    let longest = curves.iter().max_by_key(|curve| curve.len());
    let expected = longest.map(|curve| steps(curve)).unwrap_or_default();
    let whole: Vec<Vec<f64>> = curves
        .iter()
        .filter(|curve| steps(curve) == expected)
        .map(|curve| curve.iter().map(|point| point.1).collect())
        .collect();
    if whole.len() < 2 {
        return Ok((whole.len(), Vec::new()));
    }
    let found = across_runs(&whole, WORST)?;
    let checks = expected.into_iter().zip(found);
    let across = checks.map(|(step, (dispersion, risk))| AcrossRuns {
        step,
        dispersion,
        risk,
    });
    Ok((whole.len(), across.collect()))
}
