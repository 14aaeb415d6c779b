//! `probabilities`: what each query of a test was given for each class.

use super::super::column::Row;
use super::hits::{by_task, class, of_test};
use super::{Column, RUN, TASK, Table};
use crate::run::answers::Answers;

pub(super) const TABLE: Table = Table {
    name: "probabilities",
    row: "a class of a query of a test episode of a run",
    columns: COLUMNS,
    shape: |run| {
        by_task(run, |test, task| match test.log_probabilities {
            None => 0,
            Some(_) => test.shape(task).n_queries() * test.shape(task).n_way,
        })
    },
};

const COLUMNS: &[Column] = &[
    RUN,
    TASK,
    Column::count(
        "query",
        "",
        "number of the query in its episode, from 0",
        |run, row| of_test(run, |test| place(test, row).0),
    ),
    Column::count(
        "label",
        "",
        "label of the class in the episode, from 0",
        |run, row| of_test(run, |test| place(test, row).1),
    ),
    Column::count(
        "class",
        "",
        "number of the class in the data set",
        |run, row| of_test(run, |test| class(test, row[0], place(test, row).1)),
    ),
    Column::flag(
        "is_right",
        "whether it is the class of the query",
        |run, row| {
            of_test(run, |test| {
                let (query, label) = place(test, row);
                test.label(row[0], query) == label
            })
        },
    ),
    Column::number(
        "log_probability",
        "nats",
        "natural logarithm of the probability that the query was given for the class; absent where it is not finite",
        |run, row| {
            of_test(run, |test| {
                let (query, label) = place(test, row);
                test.log_probability(row[0], query, label)
            })
        },
    ),
];

/// Query and label of a row.
fn place(test: &Answers, [task, cell]: Row) -> (usize, usize) {
    let n_way = test.shape(task).n_way;
    (cell / n_way, cell % n_way)
}
