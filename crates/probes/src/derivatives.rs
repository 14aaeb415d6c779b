//! The derivative that training descends, checked through learner, network, norm, loss and backend of the run; and what
//! first-order MAML would leave out of it.

use crate::error::Result;
use metastable_algorithms::check::{Finding, SINGLE_TOLERANCE, certify};
use metastable_algorithms::{FirstOrderBias, OBSERVED_TASKS, Task};
use metastable_analysis::probe::certificate::{Answers, Check, FirstOrder, Verdict};
use metastable_data::{EpisodeShape, Stream};
use metastable_models::Network;
use metastable_models::check::TOLERANCE;

use crate::subject::Subject;

/// Classes of the task on which differences are taken, for learners that can change theirs: a pass has to be short.
const MOST_WAYS: usize = 5;
/// Supports of each class of that task.
const MOST_SHOTS: usize = 2;
/// Index of the draws of these checks in their stream: no test list is so long.
const DRAWS: u64 = u64::MAX;

/// Certifies the meta-gradient of a subject. `double` is its network in double precision, where its device has one.
///
/// # Errors
///
/// If the training classes cannot give the episodes, or a pass fails.
pub fn check(subject: &Subject<'_>, double: Option<&dyn Network<f64>>) -> Result<Answers> {
    let mut answers = Answers::default();
    let mut note = |name: &str, verdict: Verdict| {
        let name = name.to_owned();
        answers.checks.push(Check { name, verdict });
    };
    match double {
        None => {
            let reason = String::from("metal has no double precision");
            note("meta-gradient", Verdict::Skipped { reason });
        }
        Some(double) => {
            let networks = (&*subject.network, double);
            let mut rng = subject.protocol.seeds.rng(Stream::Eval, DRAWS);
            let found = certify(subject.checked(), networks, shape(subject), &mut rng)?;
            note("meta-gradient", verdict(found.meta_gradient, TOLERANCE));
            note(
                "meta-gradient in single precision",
                verdict(found.single_precision, SINGLE_TOLERANCE),
            );
            note(
                "predictions without the labels of queries",
                verdict(found.blindness, TOLERANCE),
            );
            note(
                "predictions at the adapted parameters",
                verdict(found.adaptation, TOLERANCE),
            );
        }
    }
    answers.first_order = first_order(subject)?;
    Ok(answers)
}

fn verdict(finding: Finding, limit: f64) -> Verdict {
    match finding {
        Finding::Error(error) => Verdict::error(error, limit),
        Finding::Silent(silence) => Verdict::Skipped {
            reason: silence.to_string(),
        },
    }
}

/// A small episode of the run's own kind.
fn shape(subject: &Subject<'_>) -> EpisodeShape {
    let trained = subject.protocol.episode;
    EpisodeShape {
        // A head is bound to its number of classes.
        n_way: subject
            .network
            .config()
            .fixed_way()
            .unwrap_or(trained.n_way.min(MOST_WAYS)),
        k_shot: trained.k_shot.min(MOST_SHOTS),
        n_query: 1,
    }
}

/// At the tested parameters, on training tasks, as observations of the log measure it. None for a learner without an inner loop, or
/// where it is not finite.
fn first_order(subject: &Subject<'_>) -> Result<Option<FirstOrder>> {
    let (network, learner, theta) = (&*subject.network, subject.learner(), subject.theta());
    let bias = if let Some(functions) = &subject.functions {
        let tasks = |index| Task::of_function(&functions.task(index));
        FirstOrderBias::at(network, learner, theta, &tasks)?
    } else {
        let training = subject.training()?;
        let tasks = |index| training.task(index);
        FirstOrderBias::at(network, learner, theta, &tasks)?
    };
    Ok(bias.map(|bias| FirstOrder {
        relative: bias.difference,
        cosine: bias.cosine,
        n_tasks: OBSERVED_TASKS,
    }))
}
