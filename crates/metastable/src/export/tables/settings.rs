//! `settings`: what was chosen for each run, in long form, since studies vary different things.

use super::{Column, RUN, Table};

pub(super) const TABLE: Table = Table {
    name: "settings",
    row: "a choice that was made for a run",
    columns: COLUMNS,
    shape: |run| vec![1; run.settings.len()],
};

const COLUMNS: &[Column] = &[
    RUN,
    Column::text(
        "role",
        "`factor` (varied by the study, under the study's name for it), `stream` (which of its seeds), `configuration` (everything, as in `run.json`)",
        |run, [at, _]| run.settings[at].role.into(),
    ),
    Column::text("name", "dotted path of the setting", |run, [at, _]| {
        (&run.settings[at].name).into()
    }),
    Column::text(
        "value",
        "as text; numbers keep all their digits",
        |run, [at, _]| (&run.settings[at].value).into(),
    ),
];
