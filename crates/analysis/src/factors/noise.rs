//! How much of the scatter between the runs of a point is the test's: other tasks, other queries, and no other training.

use serde::{Deserialize, Serialize};

use super::table::{FactorRun, FactorTable};
use crate::fingerprint::FIELD_EPISODES;
use crate::summary::{mean, variance};

/// How the noise of a test is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseSource {
    /// From the runs x tasks tables of the points: all runs of a point have scores of the same tasks.
    Crossed,
    /// From the scatter of each run over tasks of its own.
    Nested,
    /// From the number of queries alone, `p(1 - p)/(N - 1)`: at least so much.
    Queries,
    /// Not known: the scatter of runs is taken as it is.
    Unknown,
}

/// Variance that the test alone gives the mean score of one run of the point, and how it is known.
///
/// Crossed: `MS_res / T` of `A = mu + run + task + e` (with one list of tasks their effects cancel between runs).
pub(super) fn test_noise(table: &FactorTable, runs: &[&FactorRun]) -> (f64, NoiseSource) {
    let n_tasks = runs[0].scores.len();
    let same_length = runs.iter().all(|run| run.scores.len() == n_tasks);
    if n_tasks > 1 && same_length && runs.len() > 1 {
        let list = |run: &FactorRun| run.fingerprint.get(FIELD_EPISODES).cloned();
        if runs.iter().all(|run| list(run) == list(runs[0])) {
            return (crossed(runs, n_tasks), NoiseSource::Crossed);
        }
    }
    if runs.iter().all(|run| run.scores.len() > 1) {
        let of = |run: &&FactorRun| variance(&run.scores) / run.scores.len() as f64;
        return (
            mean(&runs.iter().map(of).collect::<Vec<_>>()),
            NoiseSource::Nested,
        );
    }
    if let Some(queries) = table.queries.filter(|n| *n > 1) {
        let of = |run: &&FactorRun| {
            run.response
                .map(|p| (p * (1.0 - p)).max(0.0) / (queries - 1) as f64)
        };
        let found: Vec<f64> = runs.iter().filter_map(of).collect();
        return (mean(&found), NoiseSource::Queries);
    }
    (0.0, NoiseSource::Unknown)
}

fn crossed(runs: &[&FactorRun], n_tasks: usize) -> f64 {
    let run_means: Vec<f64> = runs.iter().map(|run| mean(&run.scores)).collect();
    let center = mean(&run_means);
    let mut rest = 0.0;
    for task in 0..n_tasks {
        let scores: Vec<f64> = runs.iter().map(|run| run.scores[task]).collect();
        let task_mean = mean(&scores);
        for (score, run_mean) in scores.iter().zip(&run_means) {
            rest += (score - run_mean - task_mean + center).powi(2);
        }
    }
    rest / ((runs.len() - 1) * (n_tasks - 1)) as f64 / n_tasks as f64
}
