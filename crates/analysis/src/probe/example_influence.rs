//! D2: how much one support example decides: each is exchanged for another of its class. (Left out: [`super::left_out`].)

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs};
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::summary::mean;

pub use crate::record::answers::example_influence::Answers;

/// Influence of one support example, over the runs of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExampleInfluence {
    /// Runs asked.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Supports of each class.
    pub k_shot: usize,
    /// Support examples of each task.
    pub n_examples: usize,
    /// `gamma`: mean over tasks of the largest `|L_Q(phi) - L_Q(phi^(j))|`, in nats.
    pub largest_loss_change: Estimate,
    /// Mean over tasks and examples, in nats.
    pub mean_loss_change: Estimate,
    /// Mean over tasks of the largest change of accuracy.
    pub largest_accuracy_change: Estimate,
    /// Mean change of accuracy, over tasks and examples.
    pub mean_accuracy_change: Estimate,
}

impl Measure for ExampleInfluence {
    const ID: &'static str = "example_influence";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: ExampleInfluence::ID,
    title: "Influence of one support example (D2)",
    measure,
};

/// What one example decides, over runs; `None` without answers.
pub(super) fn influence(
    asked: &[&Answers],
    options: &Options,
) -> Result<Option<ExampleInfluence>, AnalysisError> {
    let Some(first) = asked.first() else {
        return Ok(None);
    };
    let largest = |changes: &[f64]| changes.iter().copied().fold(0.0, f64::max);
    let over = |loss: bool, of: fn(&[f64]) -> f64| {
        let runs: Vec<Vec<f64>> = asked.iter().map(|run| run.changes(loss, of)).collect();
        some(over_runs(&runs, options.level))
    };
    Ok(Some(ExampleInfluence {
        n_runs: asked.len(),
        n_tasks: first.n_tasks,
        k_shot: first.k_shot,
        n_examples: first.n_examples,
        largest_loss_change: over(true, largest)?,
        mean_loss_change: over(true, mean)?,
        largest_accuracy_change: over(false, largest)?,
        mean_accuracy_change: over(false, mean)?,
    }))
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| {
        let answers = probe.example_influence.as_ref();
        answers.filter(|answers| answers.n_tasks > 0)
    });
    let Some(result) = influence(&asked, options)? else {
        return Ok(Measured::absent());
    };
    let text = format!(
        "Exchanging the one support example that matters most changes the accuracy of {} on its task by {} (mean over {} tasks), and the \
         query loss by {:.3} nats; an average example changes it by {:.3}.",
        group.learner,
        in_points(&result.largest_accuracy_change),
        result.n_tasks,
        result.largest_loss_change.value,
        result.mean_loss_change.value
    );
    let finding = Finding::of_learner(group, ExampleInfluence::ID, Certainty::Estimated, text);
    Measured::new(&result, vec![finding])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_by_hand() {
        let answers = Answers {
            n_tasks: 1,
            k_shot: 1,
            n_examples: 2,
            loss: vec![1.0],
            changed_loss: vec![1.5, 0.0],
            accuracy: vec![0.8],
            changed_accuracy: vec![0.8, 0.9],
        };
        assert!((answers.changes(true, mean)[0] - 0.75).abs() < 1e-12);
        answers.check("").unwrap();
    }
}
