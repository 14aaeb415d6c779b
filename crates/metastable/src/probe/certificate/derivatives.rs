//! The derivative that training descends, checked through learner, network, norm, loss and backend of the run; and what
//! first-order MAML would leave out of it.

use anyhow::Result;
use metastable_algorithms::check::{Finding, SINGLE_TOLERANCE, certify};
use metastable_algorithms::{FirstOrderBias, OBSERVED_TASKS};
use metastable_analysis::probe::certificate::{Answers, FirstOrder, Verdict};
use metastable_data::{EpisodeShape, Stream};
use metastable_models::check::TOLERANCE;
use metastable_models::{DeviceSpec, Network};

use super::{note, skip};
use crate::probe::subject::Subject;

/// Classes of the task on which differences are taken, for learners that can change theirs: a pass has to be short.
const MOST_WAYS: usize = 5;
/// Supports of each class of that task.
const MOST_SHOTS: usize = 2;
/// Index of the draws of these checks in their stream: no test list is so long.
const DRAWS: u64 = u64::MAX;

pub(super) fn check(subject: &Subject<'_>, answers: &mut Answers) -> Result<()> {
    let config = &subject.config;
    let name = "meta-gradient";
    let device = config.compute.device.parse()?;
    if device == DeviceSpec::Metal {
        skip(answers, name, "metal has no double precision");
    } else {
        let double: Box<dyn Network<f64>> =
            metastable_models::build(&config.network, config.compute.backend, device)?;
        let networks = (&*subject.network, &*double);
        let mut rng = config.seeds.rng(Stream::Eval, DRAWS);
        let found = certify(subject.checked(), networks, shape(subject), &mut rng)?;
        note(answers, name, verdict(found.meta_gradient, TOLERANCE));
        let name = "meta-gradient in single precision";
        note(
            answers,
            name,
            verdict(found.single_precision, SINGLE_TOLERANCE),
        );
    }
    answers.first_order = first_order(subject)?;
    Ok(())
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
    let config = &subject.config;
    let trained = config.episode;
    EpisodeShape {
        // A head is bound to its number of classes.
        n_way: config.network.n_way.unwrap_or(trained.n_way.min(MOST_WAYS)),
        k_shot: trained.k_shot.min(MOST_SHOTS),
        n_query: 1,
    }
}

/// At the tested parameters, on training tasks, as observations of the log measure it. None for a learner without an inner loop, or
/// where it is not finite.
fn first_order(subject: &Subject<'_>) -> Result<Option<FirstOrder>> {
    let training = subject.material.training(&subject.config)?;
    let tasks = |index| training.task(index);
    let network = &*subject.network;
    let bias = FirstOrderBias::at(network, subject.learner(), subject.theta(), &tasks)?;
    Ok(bias.map(|bias| FirstOrder {
        relative: bias.difference,
        cosine: bias.cosine,
        n_tasks: OBSERVED_TASKS,
    }))
}
