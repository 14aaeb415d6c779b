//! A5: how steeply accuracy falls with the hardness of a task, where hardness is what one frozen reference finds.
//!
//! One yardstick for all learners: a learner that loses much on hard tasks is at the mercy of which tasks it meets.

use serde::{Deserialize, Serialize};

use crate::comparison::same_episodes;
use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding, points};
use crate::group::{LearnerRuns, SettingRuns};
use crate::metric::{Measure, Measured, SettingMetric};
use crate::options::Options;
use crate::record::Run;
use crate::regression::{Line, line};
use crate::summary::mean;

/// Accuracy of the learners of one setting against the hardness of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hardness {
    /// The run that defines hardness: the first tested one of the learner that the options name.
    pub reference: Reference,
    /// Hardness of each task, in the order of tasks.
    pub tasks: Vec<f64>,
    /// Each learner's accuracy against it.
    pub slopes: Vec<HardnessSlope>,
}

/// Which run is the yardstick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its learner.
    pub learner: String,
    /// Its seed.
    pub seed: u64,
}

/// Accuracy of a learner regressed on the hardness of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HardnessSlope {
    /// The learner.
    pub learner: String,
    /// Slope of each tested run but the reference, accuracy (0 to 1) per unit of hardness.
    pub runs: Vec<f64>,
    /// The line through the task means over these runs.
    pub line: Line,
}

impl Measure for Hardness {
    const ID: &'static str = "hardness";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Hardness::ID,
    title: "How steeply does accuracy fall on hard tasks? (A5)",
    measure,
};

/// Hardness of each task: the mean over its queries of the log-odds against the true class, `ln((1 - p) / p)`.
///
/// 0 means that the reference gives the true class even odds; one unit more multiplies the odds against it by e.
///
/// # Shapes
/// `query_log_odds`: `(n_tasks, queries_per_task)`.
/// # Source
/// Dhillon et al. 2020, "A baseline for few-shot image classification", section 4: `p` from a softmax over the cosines
/// to the supports, in the features of a network trained on other data.
///
/// Differs from the paper: the reference is a trained run of the study, with its own class probabilities. They are the
/// paper's for Matching Networks with cosine similarities; a Euclidean softmax spreads hardness more widely.
#[must_use]
pub fn hardness(query_log_odds: &[f64], queries_per_task: usize) -> Vec<f64> {
    query_log_odds
        .chunks_exact(queries_per_task)
        .map(mean)
        .collect()
}

/// Accuracy on each task, mean over the runs but the reference: measured against itself, a run would be its own
/// difficulty. None if no other run is there.
pub(crate) fn task_accuracies<'a>(
    runs: impl Iterator<Item = &'a Run>,
    reference: &Reference,
) -> Option<(Vec<Vec<f64>>, Vec<f64>)> {
    let runs: Vec<Vec<f64>> = runs
        .filter(|run| run.learner != reference.learner || run.seed != reference.seed)
        .filter_map(Run::task_accuracies)
        .collect();
    let n_tasks = runs.first()?.len();
    let of_task = |task: usize| mean(&runs.iter().map(|run| run[task]).collect::<Vec<_>>());
    let means = (0..n_tasks).map(of_task).collect();
    Some((runs, means))
}

fn measure(group: &SettingRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let named = options.reference.as_deref();
    let reference = group.learners.iter().find_map(|learner| {
        let (run, test) = learner.tested.first()?;
        let log_odds = test.query_log_odds.as_ref()?;
        (Some(learner.learner) == named).then(|| {
            let tasks = hardness(log_odds, test.queries_per_task());
            (learner, run.seed, tasks)
        })
    });
    // An infinite hardness (a class probability of exactly 0) is on no line.
    let Some((yardstick, seed, tasks)) =
        reference.filter(|(_, _, tasks)| tasks.iter().all(|task| task.is_finite()))
    else {
        return Ok(Measured::absent());
    };
    let reference = Reference {
        learner: yardstick.learner.to_owned(),
        seed,
    };
    let mut slopes = Vec::new();
    let mut findings = Vec::new();
    for learner in group
        .learners
        .iter()
        .filter(|learner| same_episodes(learner, yardstick))
    {
        let Some((runs, means)) = task_accuracies(learner.scored.iter().copied(), &reference)
        else {
            continue;
        };
        let Some(of_means) = line(&tasks, &means, options.level)? else {
            continue;
        };
        findings.push(sentence(learner, &of_means, &reference));
        let mut of_runs = Vec::new();
        for run in &runs {
            of_runs.extend(line(&tasks, run, options.level)?.map(|line| line.slope.value));
        }
        slopes.push(HardnessSlope {
            learner: learner.learner.to_owned(),
            runs: of_runs,
            line: of_means,
        });
    }
    if slopes.is_empty() {
        return Ok(Measured::absent());
    }
    let result = Hardness {
        reference,
        tasks,
        slopes,
    };
    Measured::new(&result, findings)
}

fn sentence(group: &LearnerRuns<'_>, line: &Line, reference: &Reference) -> Finding {
    let slope = line.slope.value;
    let (verb, sign) = if slope > 0.0 {
        ("gains", 1.0)
    } else {
        ("loses", -1.0)
    };
    let (range, certainty) = match &line.slope.interval {
        Some(interval) => {
            let mut ends = [sign * interval.lower, sign * interval.upper];
            ends.sort_by(f64::total_cmp);
            let certainty = match interval.contains(0.0) {
                true => Certainty::NotDistinguishable,
                false => Certainty::Distinguishable,
            };
            (
                format!(" ({} to {})", points(ends[0]), points(ends[1])),
                certainty,
            )
        }
        None => (String::new(), Certainty::Estimated),
    };
    let text = format!(
        "{} {verb} {} of accuracy with each unit of a task's hardness{range}, which explains {:.0} % of the variance between tasks (hardness as measured by {}, seed {}).",
        group.learner,
        points(slope.abs()),
        100.0 * line.r_squared,
        reference.learner,
        reference.seed
    );
    Finding::of_learner(group, Hardness::ID, certainty, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even odds are 0, three to one against is ln 3; the mean over queries, not of the probabilities.
    #[test]
    fn hardness_is_the_mean_of_the_log_odds_of_queries() {
        let odds: Vec<f64> = [0.5, 0.25, 0.9, 0.9]
            .map(|p: f64| ((1.0 - p) / p).ln())
            .to_vec();
        let tasks = hardness(&odds, 2);
        assert!((tasks[0] - 3.0_f64.ln() / 2.0).abs() < 1e-15);
        assert!((tasks[1] + 9.0_f64.ln()).abs() < 1e-15);
    }
}
