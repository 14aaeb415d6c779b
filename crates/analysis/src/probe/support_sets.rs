//! C1 and C2: how much the choice of the support set moves the accuracy on one task, by chance and at worst.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use crate::components::mean_squares;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent, points};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::summary::{mean, standard_deviation};
use crate::support_draws::support_draws;

pub use crate::record::answers::support_sets::{Answers, Extremes};

/// What support sets do to one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SupportSets {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Support sets of each task.
    pub n_draws: usize,
    /// Mean over tasks of the standard deviation over draws.
    pub sd: Estimate,
    /// 95th percentile of that standard deviation over tasks, mean over runs.
    pub high_sd: f64,
    /// Share of the variance of a single draw that is the task's own; mean over runs.
    pub icc: Estimate,
    /// Standard deviation that the queries alone would give: `sqrt(p (1 - p) / NQ)` at each task's mean, mean over tasks.
    /// Queries are the same for all draws, so this is a scale to compare with, not a part of `sd`.
    pub binomial_sd: Option<f64>,
    /// What a drawn support set adds to the variance of a score; absent with fewer than two runs or draws.
    pub parts: Option<SupportParts>,
    /// Worst, drawn and best support set; absent without a search.
    pub extremes: Option<ExtremeSets>,
    /// Accuracy of each task under each draw of the first run, ascending within a task: what the figure draws.
    pub tasks: Vec<Vec<f64>>,
}

/// Variance over the support sets of one task, mean over tasks, in squared units of the scores: an analysis of variance of runs by draws
/// within each task, neither part below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SupportParts {
    /// Of the support set itself, equal for all runs: `(MS_draw - MS_residual) / R`. A part of the variance of tasks.
    pub common: f64,
    /// Of run and support set together: `MS_residual`. A part of the residual variance.
    pub own: f64,
}

/// Worst, drawn and best, over runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtremeSets {
    /// Tasks of each run.
    pub n_tasks: usize,
    /// Candidates of each class.
    pub n_candidates: usize,
    /// Accuracy on fresh queries with the worst set: what is left of the search's answer.
    pub worst: Estimate,
    /// With a drawn set.
    pub drawn: Estimate,
    /// With the best set.
    pub best: Estimate,
    /// Best minus worst on fresh queries, task by task.
    pub range: Estimate,
    /// The same on the queries of the search, which is too wide by what the search overfits.
    pub searched_range: Estimate,
}

impl Measure for SupportSets {
    const ID: &'static str = "support_sets";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: SupportSets::ID,
    title: "Choice of the support set (C1, C2)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| probe.support_sets.as_ref());
    let Some(first) = asked.first() else {
        return Ok(Measured::absent());
    };
    let mut of_runs = Vec::new();
    for answers in &asked {
        let table =
            ScoreMatrix::from_flat(answers.n_tasks, answers.n_draws, answers.accuracy.clone())?;
        of_runs.push(support_draws(&table, options.level)?);
    }
    let sds: Vec<Vec<f64>> = of_runs.iter().map(|run| run.task_sds.clone()).collect();
    let icc = match of_runs.as_slice() {
        [only] => only.icc.clone(),
        runs => {
            let each: Vec<Vec<f64>> = runs.iter().map(|run| vec![run.icc.value]).collect();
            some(over_runs(&each, options.level))?
        }
    };
    let binomial_sd = group.queries_per_task.map(|queries| {
        let each = asked
            .iter()
            .flat_map(|a| a.accuracy.chunks_exact(a.n_draws));
        let sd = |p: f64| (p * (1.0 - p) / queries as f64).sqrt();
        mean(&each.map(|task| sd(mean(task))).collect::<Vec<_>>())
    });
    let result = SupportSets {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        n_draws: first.n_draws,
        sd: some(over_runs(&sds, options.level))?,
        high_sd: mean(&of_runs.iter().map(|run| run.high_sd).collect::<Vec<_>>()),
        icc,
        binomial_sd,
        parts: parts(&asked)?,
        extremes: extremes(&asked, options.level)?,
        tasks: first
            .accuracy
            .chunks_exact(first.n_draws)
            .map(crate::summary::sorted)
            .collect(),
    };
    let finding = Finding::of_learner(
        group,
        SupportSets::ID,
        Certainty::Estimated,
        sentence(group.learner, &result),
    );
    Measured::new(&result, vec![finding])
}

/// `None` with fewer than two runs or draws, or if the runs were asked about different draws.
fn parts(asked: &[&Answers]) -> Result<Option<SupportParts>, AnalysisError> {
    let Some(first) = asked.first() else {
        return Ok(None);
    };
    let (n_tasks, n_draws) = (first.n_tasks, first.n_draws);
    let is_alike = |it: &&Answers| (it.n_tasks, it.n_draws) == (n_tasks, n_draws);
    if asked.len() < 2 || n_draws < 2 || n_tasks == 0 || !asked.iter().all(is_alike) {
        return Ok(None);
    }
    let (mut common, mut own) = (0.0, 0.0);
    for task in 0..n_tasks {
        let of_runs = asked.iter().map(|run| &run.accuracy[task * n_draws..]);
        let rows: Vec<Vec<f64>> = of_runs.map(|row| row[..n_draws].to_vec()).collect();
        let squares = mean_squares(&ScoreMatrix::from_rows(&rows)?);
        common += (squares.task - squares.residual) / asked.len() as f64;
        own += squares.residual;
    }
    let over_tasks = |sum: f64| (sum / n_tasks as f64).max(0.0);
    Ok(Some(SupportParts {
        common: over_tasks(common),
        own: over_tasks(own),
    }))
}

fn sentence(learner: &str, result: &SupportSets) -> String {
    let mut text = format!(
        "On the same task, another draw of the support set moves {learner} by {} (SD over {} draws, mean over {} tasks); {:.0} % of the \
         variance between single episodes comes from the task, the rest from the support set.",
        in_points(&result.sd),
        result.n_draws,
        result.n_tasks,
        100.0 * result.icc.value.max(0.0)
    );
    if let Some(sets) = &result.extremes {
        text += &format!(
            " In a search among {} candidates a class, the worst support set reaches {} on fresh queries and the best reaches {}; the range \
             is {}, and on the queries of the search itself it is {}.",
            sets.n_candidates,
            percent(sets.worst.value),
            percent(sets.best.value),
            in_points(&sets.range),
            points(sets.searched_range.value)
        );
    }
    text
}

fn extremes(asked: &[&Answers], level: f64) -> Result<Option<ExtremeSets>, AnalysisError> {
    let searched: Vec<&Extremes> = asked.iter().filter_map(|a| a.extremes.as_ref()).collect();
    let Some(first) = searched.first() else {
        return Ok(None);
    };
    let fresh = |which: usize| -> Result<Estimate, AnalysisError> {
        let runs: Vec<Vec<f64>> = searched
            .iter()
            .map(|run| run.fresh[which].clone())
            .collect();
        some(over_runs(&runs, level))
    };
    let range = |of: fn(&Extremes) -> &[Vec<f64>; 3]| -> Result<Estimate, AnalysisError> {
        let runs = searched.iter().map(|run| {
            let pairs = of(run)[2].iter().zip(&of(run)[0]);
            pairs.map(|(best, worst)| best - worst).collect()
        });
        some(over_runs(&runs.collect::<Vec<_>>(), level))
    };
    Ok(Some(ExtremeSets {
        n_tasks: first.n_tasks,
        n_candidates: first.n_candidates,
        worst: fresh(0)?,
        drawn: fresh(1)?,
        best: fresh(2)?,
        range: range(|run| &run.fresh)?,
        searched_range: range(|run| &run.searched)?,
    }))
}

/// A probe without tasks says nothing.
pub(super) fn some<T>(estimate: Option<T>) -> Result<T, AnalysisError> {
    estimate.ok_or_else(|| AnalysisError::too_few("tasks of a probe", 1, 0))
}

/// Standard deviation of each row of a table.
pub(super) fn row_sds(table: &[f64], width: usize) -> Vec<f64> {
    table.chunks_exact(width).map(standard_deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(accuracy: &[f64]) -> Answers {
        Answers {
            n_tasks: 1,
            n_draws: 3,
            accuracy: accuracy.to_vec(),
            extremes: None,
        }
    }

    /// Two runs that agree on each draw share all of the variance; two that move against each other share none.
    #[test]
    fn what_runs_share_of_a_draw_is_told_from_what_is_their_own() {
        let of = |a: &[f64], b: &[f64]| {
            let (a, b) = (answers(a), answers(b));
            parts(&[&a, &b]).unwrap().unwrap()
        };
        let shared = of(&[0.1, 0.2, 0.3], &[0.4, 0.5, 0.6]);
        assert!((shared.common - 0.01).abs() < 1e-12 && shared.own.abs() < 1e-12);
        let apart = of(&[0.1, 0.2, 0.3], &[0.6, 0.5, 0.4]);
        assert!(apart.common.abs() < 1e-12 && (apart.own - 0.02).abs() < 1e-12);
        assert_eq!(parts(&[&answers(&[0.1, 0.2, 0.3])]).unwrap(), None);
    }
}
