//! Derivatives against central differences, in double precision, at the initial parameters, through the network, norm and loss
//! of the run, on its training images at their size. Not at the trained ones: where a learner is certain, losses and gradients
//! are too small for differences to say anything.

use anyhow::Result;
use metastable_algorithms::check::{first_order_gap, meta_gradient, precision_gap};
use metastable_algorithms::maml::MamlConfig;
use metastable_algorithms::{AlgorithmError, Learner, Task};
use metastable_analysis::probe::certificate::{Answers, FirstOrder, Verdict};
use metastable_data::{EpisodeShape, Stream};
use metastable_models::check::{Errors, TOLERANCE, of_tapes};
use metastable_models::{Network, Params, Statistics, Tape};

use super::note;
use crate::campaign::Finished;
use crate::probe::subject::Subject;
use crate::run::{Run, RunConfig};

/// Classes of the task on which differences are taken, for learners that can change theirs: a pass has to be short.
const MOST_WAYS: usize = 5;
/// Supports of each class of that task.
const MOST_SHOTS: usize = 2;
/// Tasks over which first-order and exact meta-gradient are compared, as in an outer step.
const GAP_TASKS: usize = 8;
/// What single precision may cost a meta-gradient, relative to its length. Rounding is 6e-8, and an inner loop through
/// normalized layers multiplies it.
const SINGLE_LIMIT: f64 = 1e-2;

pub(super) fn check(
    run: &Finished,
    subject: &Subject<'_>,
    again: &Run<'_>,
    answers: &mut Answers,
) -> Result<()> {
    let compute = &subject.config.compute;
    let network: Box<dyn Network<f64>> = metastable_models::build(
        &subject.config.network,
        compute.backend,
        compute.device.parse()?,
    )?;
    let learner = subject.checked();
    let at = again.initial_state()?.weights.theta;
    let theta = at.cast::<f64>();
    let narrow = task(subject)?;
    let task = narrow.cast::<f64>();
    let mut rng = subject.config.seeds.rng(Stream::Eval, u64::MAX);
    let double = learner.double();

    let labels = task.query_labels();
    let mut errors = vec![(
        "query loss",
        of_tapes(&theta, &mut rng, |at| {
            double.query_loss(&*network, at, Statistics::Batch, &task, labels)
        })?,
    )];
    if double.inner_steps().is_some() {
        let found = of_tapes(&theta, &mut rng, |at| {
            support_loss(double, &*network, at, &task)
        })?;
        errors.push(("support loss", found));
    }
    for (
        loss,
        Errors {
            gradient,
            hessian_product,
        },
    ) in errors
    {
        note(
            answers,
            format!("gradient of the {loss}"),
            Verdict::error(gradient, TOLERANCE),
        );
        let verdict = Verdict::error(hessian_product, TOLERANCE);
        note(answers, format!("Hessian product of the {loss}"), verdict);
    }
    // An inner loop that blows up at once has no meta-gradient to check.
    let made = double.meta_gradient(&*network, &theta, &task)?;
    if made.non_finite.is_none() {
        let error = meta_gradient(double, &*network, &theta, &task, &mut rng)?;
        note(answers, "meta-gradient", Verdict::error(error, TOLERANCE));
        let networks = (&*subject.network, &*network);
        let gap = precision_gap(learner, networks, &at, &narrow)?;
        note(
            answers,
            "meta-gradient in single precision",
            Verdict::error(gap, SINGLE_LIMIT),
        );
    }
    // Where training ended, not where it began: what the learner leaves out depends on how curved its losses have become.
    let end = if run.record.has_diverged() {
        &at
    } else {
        subject.theta()
    };
    answers.first_order = first_order(subject, end)?;
    Ok(())
}

fn support_loss<'a>(
    learner: &dyn Learner<f64>,
    network: &'a dyn Network<f64>,
    theta: &Params<f64>,
    task: &Task<f64>,
) -> Result<Box<dyn Tape<f64> + 'a>, AlgorithmError> {
    let tape = learner.support_loss(network, theta, Statistics::Batch, task, 0)?;
    match tape {
        Some(tape) => Ok(tape),
        // Asked only of learners with an inner loop.
        None => learner.query_loss(network, theta, Statistics::Batch, task, task.query_labels()),
    }
}

/// A training task of the run, with one query a class.
fn task(subject: &Subject<'_>) -> Result<Task<f32>> {
    let config = &subject.config;
    let trained = config.episode;
    let shape = EpisodeShape {
        // A head is bound to its number of classes.
        n_way: config.network.n_way.unwrap_or(trained.n_way.min(MOST_WAYS)),
        k_shot: trained.k_shot.min(MOST_SHOTS),
        n_query: 1,
    };
    let small = RunConfig {
        episode: shape,
        ..config.clone()
    };
    Ok(subject.material.training(&small)?.task(0)?)
}

/// None for a learner without an inner loop.
fn first_order(subject: &Subject<'_>, at: &Params<f32>) -> Result<Option<FirstOrder>> {
    let Some(inner_steps) = subject.learner().inner_steps() else {
        return Ok(None);
    };
    let config = MamlConfig {
        inner_lr: subject.setting("inner_lr")?,
        inner_steps,
        ..MamlConfig::default()
    };
    let training = subject.material.training(&subject.config)?;
    let tasks = (0..GAP_TASKS as u64).map(|index| training.task(index));
    let tasks: Vec<Task<f32>> = tasks.collect::<Result<_, _>>()?;
    let gap = first_order_gap(&config, &*subject.network, at, &tasks)?;
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    Ok(Some(FirstOrder {
        relative: finite(gap.relative),
        cosine: finite(gap.cosine),
        n_tasks: GAP_TASKS,
    }))
}
