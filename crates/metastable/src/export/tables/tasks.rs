//! `tasks`: the meta-test, task by task.

use super::{Column, RUN, TASK, Table};

pub(super) const TABLE: Table = Table {
    name: "tasks",
    row: "a test episode of a run; runs with one `test_list` have the same episodes under the same numbers",
    columns: COLUMNS,
    shape: |run| [run.accuracies.len(), 1],
};

const COLUMNS: &[Column] = &[
    RUN,
    TASK,
    Column::count("n_way", "", "classes", |run, _| {
        run.test.as_ref().map(|test| test.n_way).into()
    }),
    Column::count("k_shot", "", "supports of each class", |run, _| {
        run.record().config.test.shot.into()
    }),
    Column::count("n_query", "", "queries of each class", |run, _| {
        run.test.as_ref().map(|test| test.n_query).into()
    }),
    Column::number(
        "accuracy",
        "fraction",
        "share of the queries that were predicted right",
        |run, [task, _]| run.accuracies[task].into(),
    ),
    Column::number(
        "other_accuracy",
        "fraction",
        "the same of the weights that `test.weights` did not choose, best or last; absent if they are the same",
        |run, [task, _]| run.other.as_ref().map(|other| other[task]).into(),
    ),
    Column::number(
        "nll",
        "nats",
        "negative log-likelihood of the query labels, mean; absent if the adaptation blew up",
        |run, [task, _]| run.test.as_ref().map(|test| test.task_nll[task]).into(),
    ),
];
