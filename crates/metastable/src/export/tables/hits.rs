//! `hits`: the meta-test, query by query.

use super::super::column::{Row, Value};
use super::super::subject::Subject;
use super::{Column, RUN, TASK, Table};
use crate::run::answers::Answers;

pub(super) const TABLE: Table = Table {
    name: "hits",
    row: "a query of a test episode of a run",
    columns: COLUMNS,
    shape: |run| by_task(run, |test, task| test.shape(task).n_queries()),
};

const COLUMNS: &[Column] = &[
    RUN,
    TASK,
    Column::count(
        "query",
        "",
        "number of the query in its episode, from 0",
        |_, [_, query]| query.into(),
    ),
    Column::count(
        "label",
        "",
        "right label in the episode, from 0",
        |run, [task, query]| of_test(run, |test| test.label(task, query)),
    ),
    Column::count(
        "predicted",
        "",
        "label that was predicted",
        |run, [task, query]| of_test(run, |test| test.predicted(task, query)),
    ),
    Column::flag("hit", "whether they agree", |run, [task, query]| {
        of_test(run, |test| {
            test.label(task, query) == test.predicted(task, query)
        })
    }),
    Column::number(
        "log_odds",
        "nats",
        "`ln((1 - p) / p)`, `p` the probability given to the right label; absent where it is not finite",
        |run, [task, query]| of_test(run, |test| test.log_odds(task, query)),
    ),
    Column::count(
        "class",
        "",
        "number of the right class in the data set, whatever label the episode gave it",
        |run, [task, query]| of_test(run, |test| class(test, task, test.label(task, query))),
    ),
    Column::count(
        "predicted_class",
        "",
        "number of the class that was predicted",
        |run, [task, query]| of_test(run, |test| class(test, task, test.predicted(task, query))),
    ),
    Column::count(
        "image",
        "",
        "number of the image in the data set, from 0",
        |run, row| of_test(run, |test| image(test, row).map(u64::from)),
    ),
    Column::text(
        "file",
        "where the image came from: its file, or its class and its number there, from 01",
        |run, row| {
            let found = run.test.as_ref();
            let file = found.and_then(|test| test.file(image(test, row)?));
            file.into()
        },
    ),
];

/// Rows of each test task of a run.
pub(super) fn by_task(run: &Subject, rows: impl Fn(&Answers, usize) -> usize) -> Vec<usize> {
    let Some(test) = &run.test else {
        return Vec::new();
    };
    (0..test.episodes.len())
        .map(|task| rows(test, task))
        .collect()
}

pub(super) fn of_test<'s, V: Into<Value<'s>>>(
    run: &'s Subject,
    of: impl FnOnce(&'s Answers) -> V,
) -> Value<'s> {
    run.test.as_ref().map(of).into()
}

/// The class behind a label of a task.
pub(super) fn class(test: &Answers, task: usize, label: usize) -> Option<u64> {
    test.class(task, label).map(u64::from)
}

fn image(test: &Answers, [task, query]: Row) -> Option<u32> {
    test.episodes[task].query.get(query).copied()
}
