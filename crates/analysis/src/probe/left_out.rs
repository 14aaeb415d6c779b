//! C7 and D2: how much one support example decides: each is left out, so that its class has one fewer.

use serde::{Deserialize, Serialize};

use super::example_influence::{Answers, ExampleInfluence, influence};
use super::pool::in_points;
use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

/// Influence of one support example that is left out, over the runs of one learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeftOut(pub ExampleInfluence);

impl Measure for LeftOut {
    const ID: &'static str = "left_out";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: LeftOut::ID,
    title: "One support example left out (C7, D2)",
    measure,
};

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let asked: Vec<&Answers> = group.answers(|probe| {
        let answers = probe.left_out.as_ref();
        answers.filter(|answers| answers.n_tasks > 0)
    });
    let Some(result) = influence(&asked, options)? else {
        return Ok(Measured::absent());
    };
    let text = format!(
        "With {} supports a class, leaving out the one that matters most changes the accuracy of {} on its task by {} (mean over {} tasks), \
         and the query loss by {:.3} nats; leaving out an average one changes it by {:.3}.",
        result.k_shot,
        group.learner,
        in_points(&result.largest_accuracy_change),
        result.n_tasks,
        result.largest_loss_change.value,
        result.mean_loss_change.value
    );
    let finding = Finding::of_learner(group, LeftOut::ID, Certainty::Estimated, text);
    Measured::new(&LeftOut(result), vec![finding])
}
