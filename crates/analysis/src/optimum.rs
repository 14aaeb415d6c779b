//! How far a learner stays from the best score that any rule can expect.

use serde::{Deserialize, Serialize};

use crate::components::components;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::scores::ScoreMatrix;
use crate::summary::mean;
use crate::words::Words;

/// The distance to the optimum: `best_t - score_rt`, mean over runs and tasks. In reinforcement learning it is the simple regret after
/// adaptation; the optimum is that of a rule which is told the task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimumGap {
    /// Runs.
    pub n_runs: usize,
    /// Tasks.
    pub n_tasks: usize,
    /// The gap, with the interval for another training on other tasks of the same kind; without it for fewer than two runs or tasks.
    pub gap: Estimate,
    /// The optimum itself, mean over tasks.
    pub best: f64,
}

impl Measure for OptimumGap {
    const ID: &'static str = "optimum_gap";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: OptimumGap::ID,
    title: "Distance to the best possible score",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let scored = group.scored.iter().filter_map(|run| run.scores.as_ref());
    let mut rows = Vec::new();
    for scores in scored {
        let Some(best) = &scores.best else {
            return Ok(Measured::absent());
        };
        let gaps = best.iter().zip(&scores.accuracies);
        rows.push(gaps.map(|(best, score)| best - score).collect::<Vec<f64>>());
    }
    let best = group
        .scored
        .first()
        .and_then(|run| run.scores.as_ref()?.best.as_ref());
    let Some(best) = best else {
        return Ok(Measured::absent());
    };
    let table = ScoreMatrix::from_rows(&rows)?;
    let gap = if table.n_runs() < 2 || table.n_tasks() < 2 {
        Estimate {
            value: mean(&table.run_means()),
            interval: None,
        }
    } else {
        let found = components(&table, None, options.level)?;
        Estimate {
            value: found.mean,
            interval: Some(found.interval),
        }
    };
    let result = OptimumGap {
        n_runs: table.n_runs(),
        n_tasks: table.n_tasks(),
        gap,
        best: mean(best),
    };
    let words = Words::of(options);
    let text = format!(
        "{} stays {} below the best {} that any rule can expect, {} on average over {} tasks.",
        group.learner,
        words.points_with(&result.gap),
        words.noun(),
        words.value(result.best),
        result.n_tasks
    );
    let finding = Finding::of_learner(group, OptimumGap::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Study;
    use crate::record::TaskScores;

    /// Gaps of 1 and 3 in one run, 2 and 4 in the other: 2.5 by hand, with an interval around it.
    #[test]
    fn the_gap_is_that_by_hand() {
        let run = |seed: u64, accuracies: Vec<f64>| crate::Run {
            id: seed.to_string(),
            learner: "a".to_owned(),
            setting: "bandits".to_owned(),
            seed,
            outcome: crate::Outcome::Completed,
            history: Vec::new(),
            train_seconds: 0.0,
            test: None,
            scores: Some(TaskScores {
                accuracies,
                best: Some(vec![6.0, 8.0]),
                ..TaskScores::default()
            }),
            adaptation: None,
            training: None,
            selection: None,
            fingerprint: crate::fingerprint::Fingerprint::default(),
        };
        let study = Study {
            runs: vec![run(0, vec![5.0, 5.0]), run(1, vec![4.0, 4.0])],
            ..Study::default()
        };
        let options = Options {
            scale: Some(crate::ScoreScale {
                name: "return".to_owned(),
                lower_is_better: false,
            }),
            ..Options::default()
        };
        let analysis = crate::analyze(&study, &options).unwrap();
        let found: OptimumGap = analysis.settings[0].learners[0].all.get().unwrap();
        assert_eq!((found.n_runs, found.n_tasks), (2, 2));
        assert!((found.gap.value - 2.5).abs() < 1e-12 && (found.best - 7.0).abs() < 1e-12);
        let interval = found.gap.interval.unwrap();
        assert!(interval.lower < 2.5 && interval.upper > 2.5);
    }
}
