//! `signals`: the rest of the training logs in long form, since learners and networks have different ones.

use super::{Column, RUN, Table};

pub(super) const TABLE: Table = Table {
    name: "signals",
    row: "a number of a line of a run's `log.jsonl` that is not a column of `steps`: docs/dynamics.md says what each is",
    columns: COLUMNS,
    shape: |run| vec![1; run.signals.len()],
};

const COLUMNS: &[Column] = &[
    RUN,
    Column::count(
        "step",
        "outer steps",
        "steps made at that line",
        |run, [at, _]| run.signals[at].0.into(),
    ),
    Column::text(
        "name",
        "its field, keys joined by points, e.g. `inspection.blocks.dead`",
        |run, [at, _]| (&run.signals[at].1.name).into(),
    ),
    Column::count(
        "place",
        "",
        "place in the list, from 0; absent for a number that stands alone",
        |run, [at, _]| run.signals[at].1.places.first().copied().into(),
    ),
    Column::count(
        "inner_place",
        "",
        "place in the list within it, e.g. the layer of `layer_norms`",
        |run, [at, _]| run.signals[at].1.places.get(1).copied().into(),
    ),
    Column::number(
        "value",
        "that of the field",
        "the number",
        |run, [at, _]| run.signals[at].1.value.into(),
    ),
];
