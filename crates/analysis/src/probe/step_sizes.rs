//! C5: other inner step sizes at test, and the bound that curvature sets on them.

use serde::{Deserialize, Serialize};

use super::pool::over_runs;
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::{mean, quantile};

pub use crate::record::answers::step_sizes::Answers;

/// Share of tasks whose support loss may rise before a step size counts as too large.
pub const RISING_SHARE: f64 = 0.05;

/// What inner step sizes do to one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSizes {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Inner step size of training.
    pub trained: f64,
    /// Inner steps of each descent.
    pub n_steps: usize,
    /// One entry for each step size, ascending.
    pub sweep: Vec<AtStepSize>,
    /// `alpha_crit`: the first step size at which the support loss rises on more than [`RISING_SHARE`] of all tasks;
    /// absent if it does at none.
    pub critical: Option<f64>,
    /// The step size of the best mean accuracy.
    pub best: f64,
    /// Width in decades of the step sizes around the best whose mean accuracy is within the basin margin of it.
    pub basin_decades: f64,
    /// `2 / (alpha lambda_max)` at theta: below 1, plain descent on the local quadratic is unstable. Absent where no task
    /// has a positive eigenvalue.
    pub margin_at_theta: Option<Margin>,
    /// The same at the adapted parameters.
    pub margin_at_phi: Option<Margin>,
}

/// One step size of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtStepSize {
    /// The step size.
    pub step_size: f64,
    /// Mean accuracy.
    pub accuracy: Estimate,
    /// Share of tasks whose support loss rose.
    pub rose: f64,
}

/// The stability margin over tasks and runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// Tasks with a positive largest eigenvalue.
    pub n_tasks: usize,
    /// Median of the largest eigenvalue.
    pub largest: f64,
    /// Median margin.
    pub median: f64,
    /// Its 25th percentile.
    pub lower: f64,
    /// Its 75th percentile.
    pub upper: f64,
    /// Share of tasks with a margin below 1.
    pub below_one: f64,
}

impl Measure for StepSizes {
    const ID: &'static str = "step_sizes";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: StepSizes::ID,
    title: "Inner step size (C5)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut asked: Vec<&Answers> = group.answers(|probe| probe.step_sizes.as_ref());
    let Some(first) = asked.first().copied() else {
        return Ok(Measured::absent());
    };
    // Runs of one learner have one step size; a sweep of another grid cannot be averaged with it.
    asked.retain(|run| run.step_sizes == first.step_sizes && run.n_steps == first.n_steps);
    let mut sweep = Vec::new();
    for (at, step_size) in first.step_sizes.iter().enumerate() {
        let row = |run: &Answers| at * run.n_tasks..(at + 1) * run.n_tasks;
        let runs: Vec<Vec<f64>> = asked
            .iter()
            .map(|run| run.accuracy[row(run)].to_vec())
            .collect();
        let rose = asked.iter().flat_map(|run| &run.rose[row(run)]);
        let n: usize = asked.iter().map(|run| run.n_tasks).sum();
        sweep.push(AtStepSize {
            step_size: *step_size,
            accuracy: some(over_runs(&runs, options.level))?,
            rose: rose.filter(|rose| **rose).count() as f64 / n as f64,
        });
    }
    let (best, basin_decades) = basin(&sweep, options.basin_margin);
    let margin = |of: fn(&Answers) -> &[Option<f64>]| {
        let eigenvalues = asked.iter().flat_map(|run| of(run)).flatten().copied();
        margin(first.trained, &eigenvalues.collect::<Vec<f64>>())
    };
    let result = StepSizes {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        trained: first.trained,
        n_steps: first.n_steps,
        critical: sweep
            .iter()
            .find(|at| at.rose > RISING_SHARE)
            .map(|at| at.step_size),
        best,
        basin_decades,
        margin_at_theta: margin(|run| &run.largest_at_theta),
        margin_at_phi: margin(|run| &run.largest_at_phi),
        sweep,
    };
    let finding = Finding::of_learner(
        group,
        StepSizes::ID,
        Certainty::Estimated,
        sentence(group.learner, &result),
    );
    Measured::new(&result, vec![finding])
}

fn sentence(learner: &str, result: &StepSizes) -> String {
    let critical = result.critical.map_or_else(
        || "at no step size tried does the support loss rise on more than 5 % of tasks".to_owned(),
        |alpha| {
            format!("from step size {alpha:.3} on the support loss rises on more than 5 % of tasks")
        },
    );
    let mut text = format!(
        "With {} inner steps, {learner} is best at step size {:.3} (trained with {:.3}) and stays within a point of that over {:.1} decades; \
         {critical}.",
        result.n_steps, result.best, result.trained, result.basin_decades
    );
    if let Some(margin) = &result.margin_at_theta {
        text += &format!(
            " The stability margin 2/(alpha lambda_max) at theta is {:.2} (median; lambda_max {:.1}); it is below 1 on {} of tasks.",
            margin.median,
            margin.largest,
            percent(margin.below_one)
        );
    }
    text
}

/// Best step size, and the width in decades of the stretch around it with a mean accuracy within `allowed` of the best.
fn basin(sweep: &[AtStepSize], allowed: f64) -> (f64, f64) {
    let of = |at: usize| sweep[at].accuracy.value;
    let best = (0..sweep.len()).fold(0, |best, at| if of(at) > of(best) { at } else { best });
    let good = |at: &usize| of(*at) >= of(best) - allowed;
    let low = (0..=best).rev().take_while(good).last().unwrap_or(best);
    let high = (best..sweep.len()).take_while(good).last().unwrap_or(best);
    let decades = (sweep[high].step_size / sweep[low].step_size).log10();
    (sweep[best].step_size, decades)
}

/// The margin from the largest eigenvalues; those that are not positive set no bound.
fn margin(alpha: f64, largest: &[f64]) -> Option<Margin> {
    let positive: Vec<f64> = largest.iter().copied().filter(|l| *l > 0.0).collect();
    if positive.is_empty() || alpha <= 0.0 {
        return None;
    }
    let margins: Vec<f64> = positive.iter().map(|l| 2.0 / (alpha * l)).collect();
    let below: Vec<f64> = margins
        .iter()
        .map(|m| f64::from(u8::from(*m < 1.0)))
        .collect();
    Some(Margin {
        n_tasks: positive.len(),
        largest: quantile(&positive, 0.5),
        median: quantile(&margins, 0.5),
        lower: quantile(&margins, 0.25),
        upper: quantile(&margins, 0.75),
        below_one: mean(&below),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basin_and_margin_by_hand() {
        let at = |step_size, accuracy| AtStepSize {
            step_size,
            accuracy: Estimate::bare(accuracy),
            rose: 0.0,
        };
        let sweep = [
            at(0.01, 0.5),
            at(0.1, 0.895),
            at(1.0, 0.9),
            at(10.0, 0.88),
            at(100.0, 0.899),
        ];
        let (best, decades) = basin(&sweep, 0.01);
        assert!((best - 1.0).abs() < 1e-12 && (decades - 1.0).abs() < 1e-12);
        let found = margin(0.4, &[2.5, 10.0, -1.0]).unwrap();
        assert_eq!((found.n_tasks, found.below_one), (2, 0.5));
        assert!((found.median - 1.25).abs() < 1e-12);
        assert!(margin(0.4, &[-1.0]).is_none());
    }
}
