//! Task embeddings: which tasks are alike, and whether it is the odd ones that fail.

use serde::{Deserialize, Serialize};

use super::alphabets::{AlphabetStability, sentence, stability};
use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::random::{generator, shuffle};
use crate::summary::{mean, rank_correlation};

pub use crate::record::answers::task_map::{Answers, ClassGroup};

/// How accuracy and instability go with where a task lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskMap {
    /// Runs asked.
    pub n_runs: usize,
    /// Of the first run: what the figure draws.
    pub first: Answers,
    /// Spearman's correlation of the mean distance to other tasks with accuracy.
    pub oddness_accuracy: Option<Correlation>,
    /// The same with the SD over support sets.
    pub oddness_instability: Option<Correlation>,
    /// The same of the information with accuracy.
    pub information_accuracy: Option<Correlation>,
    /// Every alphabet (or class), lowest accuracy first; empty if classes are not known.
    pub alphabets: Vec<AlphabetStability>,
}

/// A rank correlation over tasks, of the means over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// Spearman's coefficient.
    pub rho: f64,
    /// Share of random pairings of the same tasks with a coefficient at least as large (two-sided).
    pub p_value: f64,
}

/// Random pairings of a permutation test.
const N_PAIRINGS: u64 = 2_000;

impl Measure for TaskMap {
    const ID: &'static str = "task_map";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: TaskMap::ID,
    title: "Task embedding (Task2Vec)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut asked: Vec<&Answers> = group.answers(|probe| probe.task_map.as_ref());
    let Some(first) = asked.first().copied() else {
        return Ok(Measured::absent());
    };
    asked.retain(|run| run.n_tasks == first.n_tasks);
    let over_runs = |of: &dyn Fn(&Answers) -> Vec<f64>| -> Vec<f64> {
        let runs: Vec<Vec<f64>> = asked.iter().map(|run| of(run)).collect();
        let task = |at: usize| mean(&runs.iter().map(|run| run[at]).collect::<Vec<_>>());
        (0..first.n_tasks).map(task).collect()
    };
    let oddness = over_runs(&Answers::oddness);
    let accuracy = over_runs(&|run| run.accuracy.clone());
    let correlate = |x: &[f64], y: &[f64]| correlation(x, y, options.seed);
    let result = TaskMap {
        n_runs: asked.len(),
        oddness_accuracy: correlate(&oddness, &accuracy),
        oddness_instability: correlate(&oddness, &over_runs(&|run| run.support_sd.clone())),
        information_accuracy: correlate(&over_runs(&|run| run.information.clone()), &accuracy),
        alphabets: stability(
            &group
                .tested
                .iter()
                .map(|(_, test)| *test)
                .collect::<Vec<_>>(),
            &asked,
            options.level,
        )?,
        first: first.clone(),
    };
    let mut findings = Vec::new();
    if let Some(text) = sentence(group.learner, &result.alphabets) {
        let certainty = if result.alphabets.iter().any(|it| it.is_below) {
            Certainty::Distinguishable
        } else {
            Certainty::NotDistinguishable
        };
        findings.push(Finding::of_learner(group, TaskMap::ID, certainty, text));
    }
    if let Some(found) = result.oddness_accuracy {
        let sure = found.p_value < 1.0 - options.level;
        let verdict = if sure {
            ""
        } else {
            ", which is not distinguishable from none"
        };
        let unstable = result.oddness_instability.map_or_else(String::new, |c| {
            format!(
                "; with the instability over support sets, the distance has rank correlation {:.2} (p = {:.3})",
                c.rho, c.p_value
            )
        });
        let text = format!(
            "The distance of a task from the others (Fisher embedding) and the accuracy of {} on it have rank correlation {:.2} (p = \
             {:.3}){verdict}{unstable}.",
            group.learner, found.rho, found.p_value
        );
        let certainty = if sure {
            Certainty::Distinguishable
        } else {
            Certainty::NotDistinguishable
        };
        findings.push(Finding::of_learner(group, TaskMap::ID, certainty, text));
    }
    Measured::new(&result, findings)
}

/// Spearman's coefficient with a permutation test.
fn correlation(x: &[f64], y: &[f64], seed: u64) -> Option<Correlation> {
    let rho = rank_correlation(x, y)?;
    let mut shuffled = y.to_vec();
    let mut n_beyond = 0;
    for pairing in 0..N_PAIRINGS {
        let mut rng = generator(seed, "task_map/pairings", pairing);
        shuffle(&mut rng, &mut shuffled);
        // A little slack, or rounding would tell equal pairings apart.
        if rank_correlation(x, &shuffled).is_some_and(|other| other.abs() >= rho.abs() - 1e-12) {
            n_beyond += 1;
        }
    }
    Some(Correlation {
        rho,
        // With the pairing that was seen (Phipson and Smyth 2010): never 0.
        p_value: (n_beyond + 1) as f64 / (N_PAIRINGS + 1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monotone_relation_is_found_and_noise_is_not() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let up: Vec<f64> = x.iter().map(|x| x * x).collect();
        let found = correlation(&x, &up, 0).unwrap();
        assert!((found.rho - 1.0).abs() < 1e-12 && found.p_value < 0.001);
        let noise: Vec<f64> = (0..20).map(|i| f64::from((i * 7 + 3) % 20)).collect();
        let none = correlation(&x, &noise, 0).unwrap();
        assert!(none.p_value > 0.05, "{none:?}");
        assert!(correlation(&x, &[1.0; 20], 0).is_none());
    }
}
