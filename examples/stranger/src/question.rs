//! A question to the runs of each learner: a metric that is one number, and what its chapter says.

use metastable_analysis::Estimate;
use metastable_analysis::metric::{LearnerMetric, Measured};
use metastable_analysis::report::{Family, Question};

static METRIC: LearnerMetric = LearnerMetric {
    id: "worst_run",
    title: "The worst run",
    measure: |runs, _| {
        let worst = |means: Vec<f64>| means.into_iter().fold(f64::INFINITY, f64::min);
        Measured::number(METRIC.id, runs.scores.as_ref().map(|it| worst(it.run_means())))
    },
};

pub(crate) static WORST: Question = Question::new(
    &METRIC,
    Family::Outcome,
    "How good is the worst run?",
    "The least of more runs is lower: it describes these runs and estimates nothing.",
    "accuracy of the worst run",
    |found| Some(Estimate::bare(found.number(METRIC.id)?)),
);
