//! A question to the runs of each learner: a result with its name, a metric, and what its chapter says.

use metastable_analysis::Estimate;
use metastable_analysis::metric::{LearnerMetric, Measure, Measured};
use metastable_analysis::report::{Family, Question};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Worst(f64);

impl Measure for Worst {
    const ID: &'static str = "worst_run";
}

static METRIC: LearnerMetric = LearnerMetric {
    id: Worst::ID,
    title: "The worst run",
    measure: |runs, _| match &runs.scores {
        Some(scores) => {
            let worst = scores.run_means().into_iter().fold(f64::INFINITY, f64::min);
            Measured::new(&Worst(worst), Vec::new())
        }
        None => Ok(Measured::absent()),
    },
};

pub(crate) static WORST: Question = Question::new(
    &METRIC,
    Family::Outcome,
    "How good is the worst run?",
    "The least of more runs is lower: it describes these runs and estimates nothing.",
    "accuracy of the worst run",
    |found| Some(Estimate::bare(found.get::<Worst>()?.0)),
);
