//! `supports`: what each test episode was learnt from, image by image.

use super::super::column::Row;
use super::hits::{by_task, class, of_test};
use super::{Column, RUN, TASK, Table};
use crate::run::answers::Answers;

pub(super) const TABLE: Table = Table {
    name: "supports",
    row: "a support of a test episode of a run",
    columns: COLUMNS,
    shape: |run| by_task(run, |test, task| test.episodes[task].support.len()),
};

const COLUMNS: &[Column] = &[
    RUN,
    TASK,
    Column::count(
        "support",
        "",
        "number of the support in its episode, from 0",
        |_, [_, support]| support.into(),
    ),
    Column::count(
        "label",
        "",
        "its label in the episode, from 0",
        |run, row| of_test(run, |test| label(test, row)),
    ),
    Column::count(
        "class",
        "",
        "number of its class in the data set",
        |run, row| of_test(run, |test| class(test, row[0], label(test, row))),
    ),
    Column::count(
        "quarter_turns",
        "",
        "quarter turns of the image, counter-clockwise",
        |run, row| {
            of_test(run, |test| {
                let class = &test.episodes[row[0]].classes[label(test, row)];
                u64::from(class.quarter_turns)
            })
        },
    ),
    Column::count(
        "image",
        "",
        "number of the image in the data set, from 0",
        |run, row| of_test(run, |test| u64::from(image(test, row))),
    ),
    Column::text(
        "file",
        "where the image came from: its file, or its class and its number there, from 01",
        |run, row| {
            let found = run.test.as_ref();
            found.and_then(|test| test.file(image(test, row))).into()
        },
    ),
];

fn image(test: &Answers, [task, support]: Row) -> u32 {
    test.episodes[task].support[support]
}

/// Supports go label by label.
fn label(test: &Answers, [task, support]: Row) -> usize {
    let mut n_before = 0;
    let shots = test.episodes[task].shots.iter();
    shots
        .take_while(|shots| {
            n_before += **shots as usize;
            n_before <= support
        })
        .count()
}
