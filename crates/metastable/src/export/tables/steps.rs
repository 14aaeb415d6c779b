//! `steps`: the training logs. A field of [`LogLine`](crate::run::log::LogLine) that is one number is a column here, by a
//! test; the others are `signals`.

use super::{Column, RUN, Table};

pub(super) const TABLE: Table = Table {
    name: "steps",
    row: "a line of a run's `log.jsonl`; means are over the outer steps since the line before",
    columns: COLUMNS,
    shape: |run| vec![1; run.log.len()],
};

pub(super) const COLUMNS: &[Column] = &[
    RUN,
    Column::count("step", "outer steps", "steps made", |run, [at, _]| {
        run.log[at].step.into()
    }),
    Column::number(
        "train_loss",
        "nats, or squared unit of the targets",
        "query loss of the training episodes, mean",
        |run, [at, _]| run.log[at].train_loss.into(),
    ),
    Column::number(
        "train_accuracy",
        "fraction",
        "query accuracy of the training episodes, mean",
        |run, [at, _]| run.log[at].train_accuracy.into(),
    ),
    Column::number(
        "gradient_norm",
        "nats per unit of a parameter",
        "Euclidean norm of the meta-gradient before clipping, mean",
        |run, [at, _]| run.log[at].gradient_norm.into(),
    ),
    Column::count(
        "n_clipped",
        "",
        "updates that clipping shortened",
        |run, [at, _]| run.log[at].n_clipped.into(),
    ),
    Column::number(
        "outer_lr",
        "",
        "step size of the last update",
        |run, [at, _]| run.log[at].outer_lr.into(),
    ),
    Column::number(
        "validation_accuracy",
        "fraction",
        "on the validation episodes, at the lines that validate",
        |run, [at, _]| run.log[at].validation_accuracy.into(),
    ),
    Column::number(
        "validation_loss",
        "nats, or squared unit of the targets",
        "the same; absent too if the adaptation to some episode blew up",
        |run, [at, _]| run.log[at].validation_loss.into(),
    ),
    Column::number(
        "update_ratio",
        "fraction",
        "norm of the update over that of the meta-parameters, mean",
        |run, [at, _]| run.log[at].update_ratio.into(),
    ),
];
