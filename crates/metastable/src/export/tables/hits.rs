//! `hits`: the meta-test, query by query.

use metastable_analysis::Test;

use super::super::column::Value;
use super::super::subject::Subject;
use super::{Column, RUN, TASK, Table};

pub(super) const TABLE: Table = Table {
    name: "hits",
    row: "a query of a test episode of a run",
    columns: COLUMNS,
    shape: |run| match &run.test {
        None => [0, 0],
        Some(test) => [test.n_tasks, test.queries_per_task()],
    },
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
        |run, [_, query]| of_test(run, |test| test.label(query)),
    ),
    Column::count(
        "predicted",
        "",
        "label that was predicted",
        |run, [task, query]| of_test(run, |test| predicted(test, task, query)),
    ),
    Column::flag("hit", "whether they agree", |run, [task, query]| {
        of_test(run, |test| {
            test.label(query) == predicted(test, task, query)
        })
    }),
    Column::number(
        "log_odds",
        "nats",
        "`ln((1 - p) / p)`, `p` the probability given to the right label; absent where it is not finite",
        |run, [task, query]| {
            let test = run.test.as_ref();
            let odds = test.and_then(|test| {
                let at = task * test.queries_per_task() + query;
                test.query_log_odds.as_ref().map(|odds| odds[at])
            });
            odds.into()
        },
    ),
    Column::count(
        "class",
        "",
        "number of the right class in the data set, whatever label the episode gave it",
        |run, [task, query]| class(run, task, |test| test.label(query)),
    ),
    Column::count(
        "predicted_class",
        "",
        "number of the class that was predicted",
        |run, [task, query]| class(run, task, |test| predicted(test, task, query)),
    ),
];

fn of_test<'s, V: Into<Value<'s>>>(run: &'s Subject, of: impl FnOnce(&'s Test) -> V) -> Value<'s> {
    run.test.as_ref().map(of).into()
}

fn predicted(test: &Test, task: usize, query: usize) -> usize {
    test.predictions[task * test.queries_per_task() + query].into()
}

/// The class behind a label of a task.
fn class(run: &Subject, task: usize, label: impl FnOnce(&Test) -> usize) -> Value<'_> {
    let found = run.test.as_ref().and_then(|test| {
        let classes = test.classes.as_ref()?;
        Some(u64::from(classes[task * test.n_way + label(test)]))
    });
    found.into()
}
