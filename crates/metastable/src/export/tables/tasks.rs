//! `tasks`: the meta-test, task by task.

use metastable_data::EpisodeShape;

use super::super::subject::Subject;
use super::{Column, RUN, TASK, Table};

pub(super) const TABLE: Table = Table {
    name: "tasks",
    row: "a test episode of a run; runs with one `test_list` have the same episodes under the same numbers",
    columns: COLUMNS,
    shape: |run| {
        vec![
            1;
            run.accuracies
                .len()
                .max(run.errors.len())
                .max(run.returns.len())
        ]
    },
};

const COLUMNS: &[Column] = &[
    RUN,
    TASK,
    Column::count("n_way", "", "classes", |run, [task, _]| {
        shape(run, task).map(|shape| shape.n_way).into()
    }),
    Column::count(
        "k_shot",
        "",
        "supports of each class; of unequal ones the most",
        |run, [task, _]| shape(run, task).map(|shape| shape.k_shot).into(),
    ),
    Column::count(
        "n_support",
        "",
        "supports of all classes",
        |run, [task, _]| {
            run.test
                .as_ref()
                .map(|test| test.episodes[task].support.len())
                .into()
        },
    ),
    Column::count("n_query", "", "queries of each class", |run, [task, _]| {
        shape(run, task).map(|shape| shape.n_query).into()
    }),
    Column::text(
        "domain",
        "data set of a mix that the episode is of; absent where there is one",
        |run, [task, _]| run.test.as_ref().and_then(|test| test.domain(task)).into(),
    ),
    Column::number(
        "accuracy",
        "fraction",
        "share of the queries that were predicted right",
        |run, [task, _]| run.accuracies.get(task).copied().into(),
    ),
    Column::number(
        "other_accuracy",
        "fraction",
        "the same of the weights that `test.weights` did not choose, best or last; absent if they are the same",
        |run, [task, _]| {
            let other = run.other.as_ref().filter(|_| !run.accuracies.is_empty());
            other.map(|other| other[task]).into()
        },
    ),
    Column::number(
        "nll",
        "nats",
        "negative log-likelihood of the query labels, mean; absent if the adaptation blew up",
        |run, [task, _]| run.test.as_ref().map(|test| test.task_nll[task]).into(),
    ),
    Column::number(
        "mean_squared_error",
        "squared unit of the targets",
        "error of the queries of a regression; absent for classes",
        |run, [task, _]| run.errors.get(task).copied().into(),
    ),
    Column::number(
        "other_mean_squared_error",
        "squared unit of the targets",
        "the same of the weights that `test.weights` did not choose",
        |run, [task, _]| {
            let other = run.other.as_ref().filter(|_| !run.errors.is_empty());
            other.map(|other| other[task]).into()
        },
    ),
    Column::number(
        "return",
        "sum of rewards",
        "return of a policy after its inner steps, mean over rollouts; absent for others",
        |run, [task, _]| run.returns.get(task).copied().into(),
    ),
    Column::number(
        "other_return",
        "sum of rewards",
        "the same of the weights that `test.weights` did not choose",
        |run, [task, _]| {
            let other = run.other.as_ref().filter(|_| !run.returns.is_empty());
            other.map(|other| other[task]).into()
        },
    ),
];

fn shape(run: &Subject, task: usize) -> Option<EpisodeShape> {
    run.test.as_ref().map(|test| test.shape(task))
}
