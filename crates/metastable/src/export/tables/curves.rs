//! `curves`: test episodes along the inner loop.

use metastable_analysis::Adaptation;

use super::super::column::{Row, Value};
use super::super::subject::Subject;
use super::{Column, RUN, TASK, Table};

pub(super) const TABLE: Table = Table {
    name: "curves",
    row: "a test episode of a run after a number of inner steps, for the first `test.curves` episodes and learners with an inner loop",
    columns: COLUMNS,
    shape: |run| match &run.adaptation {
        None => Vec::new(),
        Some(curves) => vec![width(curves); curves.n_tasks],
    },
};

const COLUMNS: &[Column] = &[
    RUN,
    TASK,
    Column::count(
        "inner_step",
        "inner steps",
        "steps made, from 0",
        |_, [_, step]| step.into(),
    ),
    Column::count(
        "trained_steps",
        "inner steps",
        "steps that training made; the curves go on beyond",
        |run, _| {
            run.adaptation
                .as_ref()
                .map(|curves| curves.trained_steps)
                .into()
        },
    ),
    Column::number(
        "query_accuracy",
        "fraction",
        "share of the queries that are predicted right",
        |run, row| at(run, row, |curves| &curves.query_accuracy),
    ),
    Column::number(
        "support_loss",
        "nats, or squared unit of the targets",
        "loss on the supports",
        |run, row| at(run, row, |curves| &curves.support_loss),
    ),
    Column::number(
        "query_loss",
        "nats, or squared unit of the targets",
        "loss on the queries",
        |run, row| at(run, row, |curves| &curves.query_loss),
    ),
];

/// Points of each curve.
fn width(curves: &Adaptation) -> usize {
    curves.query_accuracy.len() / curves.n_tasks.max(1)
}

fn at(run: &Subject, [task, step]: Row, of: fn(&Adaptation) -> &Vec<f64>) -> Value<'_> {
    let value = |curves: &Adaptation| of(curves)[task * width(curves) + step];
    run.adaptation.as_ref().map(value).into()
}
