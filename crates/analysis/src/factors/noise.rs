//! How much of the scatter between the runs of a point is the test's: other tasks, other queries, and no other training.

use serde::{Deserialize, Serialize};

use super::table::{FactorRun, FactorTable};
use crate::components;
use crate::fingerprint::FIELD_EPISODES;
use crate::scores::ScoreMatrix;
use crate::summary::{mean, variance};

/// How the noise of a test is known, from the best known on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    let list = |run: &FactorRun| run.fingerprint.get(FIELD_EPISODES).cloned();
    if runs.iter().all(|run| list(run) == list(runs[0])) {
        let rows: Vec<&[f64]> = runs.iter().map(|run| run.scores.as_slice()).collect();
        let table = ScoreMatrix::from_rows(&rows).ok();
        if let Some(noise) = table.as_ref().and_then(components::test_noise) {
            return (noise, NoiseSource::Crossed);
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
