//! `runs`: how each run was made, and how it ended.

use metastable_analysis::Outcome;

use super::{Column, RUN, Table};

pub(super) const TABLE: Table = Table {
    name: "runs",
    row: "a finished run; one that diverged is finished",
    columns: COLUMNS,
    shape: |_| vec![1],
};

const COLUMNS: &[Column] = &[
    RUN,
    Column::text("study", "name of the study", |run, _| (&run.study).into()),
    Column::text("learner", "its name in the study", |run, _| {
        (&run.run.entry.learner).into()
    }),
    Column::text("algorithm", "its name in the registry", |run, _| {
        (&run.record().config.learner.name).into()
    }),
    Column::text(
        "setting",
        "data set and test episodes: runs compare within a setting",
        |run, _| run.record().config.setting().into(),
    ),
    Column::count(
        "seed",
        "",
        "seed of all streams, or its number where streams have seeds of their own",
        |run, _| run.run.entry.seed.into(),
    ),
    Column::text("outcome", "`completed` or `diverged`", |run, _| {
        match run.result.outcome {
            Outcome::Completed => "completed",
            Outcome::Diverged { .. } => "diverged",
        }
        .into()
    }),
    Column::count(
        "diverged_step",
        "outer steps",
        "where something was not finite, counted from 1",
        |run, _| {
            match run.result.outcome {
                Outcome::Completed => None,
                Outcome::Diverged { step, .. } => Some(step),
            }
            .into()
        },
    ),
    Column::text("diverged_cause", "what was not finite", |run, _| {
        match &run.result.outcome {
            Outcome::Completed => None,
            Outcome::Diverged { cause, .. } => Some(cause),
        }
        .into()
    }),
    Column::count(
        "outer_steps",
        "outer steps",
        "length of the training, as configured",
        |run, _| run.record().config.training.outer_steps.into(),
    ),
    Column::count("n_parameters", "", "parameters of the network", |run, _| {
        run.record().n_parameters.into()
    }),
    Column::number(
        "train_seconds",
        "s",
        "wall-clock time of the training, validation included, over all sessions",
        |run, _| run.result.train_seconds.into(),
    ),
    Column::count(
        "best_validation_step",
        "outer steps",
        "steps made at the best validation",
        |run, _| run.result.best_validation.map(|(step, _)| step).into(),
    ),
    Column::number(
        "best_validation_accuracy",
        "fraction",
        "accuracy there, mean over the validation episodes; absent for a regression and a policy",
        |run, _| {
            let best = run
                .result
                .best_validation
                .filter(|_| run.record().config.has_classes());
            best.map(|(_, accuracy)| accuracy).into()
        },
    ),
    Column::count(
        "test_step",
        "outer steps",
        "steps made by the weights that were tested",
        |run, _| run.result.test.as_ref().map(|test| test.step).into(),
    ),
    Column::count("test_tasks", "", "test episodes", |run, _| {
        let of_classes = run.test.as_ref().map(|test| test.episodes.len());
        let of_numbers =
            Some(run.errors.len().max(run.returns.len())).filter(|n_tasks| *n_tasks > 0);
        of_classes.or(of_numbers).into()
    }),
    Column::number(
        "test_accuracy",
        "fraction",
        "accuracy of the meta-test, mean over tasks",
        |run, _| run.result.test.as_ref().map(|test| test.accuracy).into(),
    ),
    Column::number(
        "test_nll",
        "nats",
        "negative log-likelihood of the query labels, mean over tasks; absent if the adaptation to some task blew up",
        |run, _| run.result.test.as_ref().and_then(|test| test.nll).into(),
    ),
    Column::number(
        "test_mean_squared_error",
        "squared unit of the targets",
        "error of the meta-test of a regression, mean over tasks; absent for classes",
        |run, _| {
            let test = run.result.test.as_ref();
            test.and_then(|test| test.mean_squared_error).into()
        },
    ),
    Column::number(
        "test_return",
        "sum of rewards",
        "return of the meta-test of a policy after its inner steps, mean over tasks and rollouts; absent for others",
        |run, _| {
            let test = run.result.test.as_ref();
            test.and_then(|test| test.returns_after.last().copied())
                .into()
        },
    ),
    Column::number(
        "test_return_before",
        "sum of rewards",
        "the same before the first inner step",
        |run, _| {
            let test = run.result.test.as_ref();
            test.and_then(|test| test.returns_after.first().copied())
                .into()
        },
    ),
    Column::number(
        "best_return",
        "sum of rewards",
        "largest mean return that any rule can expect on the tasks of the test, where it is computed",
        |run, _| {
            let test = run.result.test.as_ref();
            test.and_then(|test| test.best_return).into()
        },
    ),
    Column::count(
        "other_test_step",
        "outer steps",
        "steps made by the weights that `test.weights` did not choose, best or last; absent if they are the same",
        |run, _| run.result.other_test.as_ref().map(|test| test.step).into(),
    ),
    Column::number(
        "other_test_accuracy",
        "fraction",
        "accuracy of their meta-test, mean over tasks",
        |run, _| {
            run.result
                .other_test
                .as_ref()
                .map(|test| test.accuracy)
                .into()
        },
    ),
    Column::number(
        "test_seconds",
        "s",
        "wall-clock time of the meta-test",
        |run, _| run.result.test.as_ref().map(|test| test.seconds).into(),
    ),
    Column::text(
        "test_list",
        "SHA-256 of the list of test episodes: equal lists are the same tasks",
        |run, _| (&run.record().test_list_digest).into(),
    ),
    Column::text(
        "identity",
        "SHA-256 over everything that determines the run",
        |run, _| (&run.record().identity).into(),
    ),
    Column::text("version", "of this program", |run, _| {
        (&run.record().environment.metastable).into()
    }),
    Column::text(
        "git_revision",
        "commit it was built from, if known",
        |run, _| run.record().environment.git_revision.as_ref().into(),
    ),
];
