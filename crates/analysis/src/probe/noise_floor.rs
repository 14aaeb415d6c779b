//! The noise floor of a learner from elsewhere: how much its answers to equal questions differ.
//!
//! The learners of this laboratory give the same bits to the same question, so that every spread in a report has a cause outside of
//! the arithmetic. A learner in another process (other threads, a GPU, a dropout left on) need not: what its answers scatter by
//! themselves is the least that a spread of it can mean.

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::findings::{Certainty, Finding, percent, points};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;

pub use crate::record::answers::noise_floor::{Difference, NoiseFloor};

/// Equal questions to the runs of one learner: the largest difference of any run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Runs.
    pub n_runs: usize,
    /// Tasks of each.
    pub n_tasks: usize,
    /// Asked again of the same process.
    pub same_process: Difference,
    /// Asked of a new one.
    pub new_process: Difference,
}

impl Floor {
    /// The larger of the two differences, number by number.
    #[must_use]
    pub fn worse(&self) -> Difference {
        self.same_process.or_larger(self.new_process)
    }
}

impl Measure for Floor {
    const ID: &'static str = "noise_floor";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Floor::ID,
    title: "Noise floor: equal questions, other answers",
    measure,
};

fn measure(group: &LearnerRuns<'_>, _options: &Options) -> Result<Measured, AnalysisError> {
    let floors: Vec<&NoiseFloor> = group.answers(|probe| probe.noise_floor.as_ref());
    let Some(first) = floors.first() else {
        return Ok(Measured::absent());
    };
    let largest = |of: fn(&NoiseFloor) -> Difference| {
        let all = floors.iter().map(|floor| of(floor));
        all.fold(Difference::default(), Difference::or_larger)
    };
    let floor = Floor {
        n_runs: floors.len(),
        n_tasks: first.n_tasks,
        same_process: largest(|floor| floor.same_process),
        new_process: largest(|floor| floor.new_process),
    };
    let finding = Finding::of_learner(
        group,
        Floor::ID,
        Certainty::Estimated,
        sentence(group.learner, &floor),
    );
    Measured::new(&floor, vec![finding])
}

fn sentence(learner: &str, floor: &Floor) -> String {
    let n_tasks = floor.n_tasks;
    if floor.same_process.is_none() && floor.new_process.is_none() {
        return format!(
            "Noise floor of {learner}: 0. It gives equal questions equal answers to the bit, asked again and asked in a new process ({n_tasks} tasks a run)."
        );
    }
    let worse = floor.worse();
    format!(
        "Noise floor of {learner}: {} of its answers change when {n_tasks} tasks are asked again ({} of the same process, {} of a new one \
         that loads what was saved), and accuracy by up to {}. A spread or churn below that says nothing about the learner.",
        percent(worse.churn),
        percent(floor.same_process.churn),
        percent(floor.new_process.churn),
        points(worse.accuracy)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_that_of_the_worst_run() {
        let floor = Floor {
            n_runs: 1,
            n_tasks: 20,
            same_process: Difference::default(),
            new_process: Difference::default(),
        };
        assert!(sentence("mine", &floor).contains("Noise floor of mine: 0."));
        let noisy = Difference {
            log_probability: 0.5,
            churn: 0.02,
            accuracy: 0.004,
        };
        let text = sentence(
            "mine",
            &Floor {
                new_process: noisy,
                ..floor
            },
        );
        assert!(
            text.contains("2.00 % of its answers") && text.contains("up to 0.40 pp"),
            "{text}"
        );
    }
}
