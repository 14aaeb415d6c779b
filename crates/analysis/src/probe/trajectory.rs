//! D1, cheaply: one task of one outer step is exchanged, and two trainings are followed side by side.
//!
//! How fast their parameters part is a Lyapunov exponent of training as a dynamical system: above 0 small differences are
//! amplified, whatever they come from.

use serde::{Deserialize, Serialize};

use super::pool::over_runs_of;
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::regression::slope;

pub use crate::record::answers::trajectory::Answers;

/// Outer steps that the rate is given for.
const STEPS: f64 = 100.0;

/// How two trainings of one learner part, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trajectory {
    /// Runs asked.
    pub n_runs: usize,
    /// Exchanges, over all runs.
    pub n_exchanges: usize,
    /// Outer steps before the exchange.
    pub start: usize,
    /// Tasks of an outer step.
    pub meta_batch: usize,
    /// Steps followed.
    pub n_steps: usize,
    /// Doublings of the distance in 100 outer steps: slope of its binary logarithm on the step.
    pub growth: Estimate,
    /// Distance after the last step that was followed.
    pub last: Estimate,
    /// Largest distance with nothing exchanged, at any step of any run.
    pub floor: f64,
    /// Geometric mean, least and largest distance after each step.
    pub curve: Vec<[f64; 3]>,
}

impl Measure for Trajectory {
    const ID: &'static str = "trajectory";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Trajectory::ID,
    title: "One task of one step exchanged (D1)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| {
        let answers = probe.trajectory.as_ref();
        answers.filter(|answers| !growth(answers).is_empty())
    });
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let growth: Vec<Vec<f64>> = asked.iter().map(|run| growth(run)).collect();
    let ends: Vec<Vec<f64>> = asked
        .iter()
        .map(|run| {
            run.exchanged
                .iter()
                .filter_map(|list| list.last().copied())
                .collect()
        })
        .collect();
    let over = |runs: &[Vec<f64>]| some(over_runs_of(runs, options.level, "exchanges"));
    let lists: Vec<&Vec<f64>> = asked.iter().flat_map(|run| &run.exchanged).collect();
    let repeated = asked.iter().flat_map(|run| run.repeated.iter().copied());
    let result = Trajectory {
        n_runs: asked.len(),
        n_exchanges: lists.len(),
        start: first.start,
        meta_batch: first.meta_batch,
        n_steps: lists.iter().map(|list| list.len()).max().unwrap_or(0),
        growth: over(&growth)?,
        last: over(&ends)?,
        floor: repeated.fold(0.0, f64::max),
        curve: curve(&lists),
    };
    let text = format!(
        "After one of the {} tasks of outer step {} is exchanged, the distance between the parameters of {} grows by {} doublings in 100 \
         steps, and is {:.2} % of their length after {}; with nothing exchanged, they stay {}.",
        result.meta_batch,
        result.start + 1,
        group.learner,
        words(&result.growth),
        100.0 * result.last.value,
        result.n_steps,
        if result.floor <= 0.0 {
            "equal to the bit at every step".to_owned()
        } else {
            format!("within {:.1e} of their length", result.floor)
        }
    );
    let excludes_none = result
        .growth
        .interval
        .as_ref()
        .is_some_and(|i| !i.contains(0.0));
    let certainty = if excludes_none {
        Certainty::Distinguishable
    } else {
        Certainty::Estimated
    };
    let finding = Finding::of_learner(group, Trajectory::ID, certainty, text);
    Measured::new(&result, vec![finding])
}

fn words(growth: &Estimate) -> String {
    let range = growth.interval.as_ref();
    let range = range.map_or_else(String::new, |i| {
        format!(" [{:.2}, {:.2}]", i.lower, i.upper)
    });
    format!("{:.2}{range}", growth.value)
}

/// Geometric mean, least and largest of the distances above 0 after each step.
fn curve(lists: &[&Vec<f64>]) -> Vec<[f64; 3]> {
    let n_steps = lists.iter().map(|list| list.len()).max().unwrap_or(0);
    let at = |step: usize| {
        let values: Vec<f64> = lists
            .iter()
            .filter_map(|list| list.get(step).copied().filter(|d| *d > 0.0))
            .collect();
        let logs = values.iter().map(|d| d.ln()).sum::<f64>() / values.len() as f64;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        (!values.is_empty()).then(|| [logs.exp(), least, most])
    };
    (0..n_steps).map_while(at).collect()
}

/// Doublings of the distance in 100 steps, for each exchange that moved anything.
fn growth(answers: &Answers) -> Vec<f64> {
    let of = |distances: &Vec<f64>| {
        let moved = distances.iter().enumerate().filter(|(_, d)| **d > 0.0);
        let (steps, logs): (Vec<f64>, Vec<f64>) =
            moved.map(|(step, d)| (step as f64, d.log2())).unzip();
        Some(STEPS * slope(&steps, &logs)?)
    };
    answers.exchanged.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_that_doubles_every_ten_steps_doubles_ten_times_in_a_hundred() {
        let list = |from: f64| {
            (0..60)
                .map(|step| from * 2_f64.powf(f64::from(step) / 10.0))
                .collect()
        };
        let answers = Answers {
            start: 5,
            meta_batch: 4,
            exchanged: vec![list(1e-4), list(1e-3), vec![0.0; 60]],
            repeated: vec![0.0; 60],
        };
        answers.check("").unwrap();
        let growth = growth(&answers);
        assert_eq!(growth.len(), 2, "what did not part has no rate");
        assert!(
            growth.iter().all(|rate| (rate - 10.0).abs() < 1e-9),
            "{growth:?}"
        );
        let lists: Vec<&Vec<f64>> = answers.exchanged.iter().collect();
        let [mean, least, most] = curve(&lists)[10];
        assert!((mean / (2e-4 * 10_f64.sqrt()) - 1.0).abs() < 1e-9);
        assert!((least - 2e-4).abs() < 1e-12 && (most - 2e-3).abs() < 1e-12);
    }
}
