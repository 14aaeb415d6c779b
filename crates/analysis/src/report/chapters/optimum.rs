//! How far learners stay from the best score that any rule can expect.

use super::intervals::{measured, values};
use crate::optimum::OptimumGap;
use crate::report::document::{Chapter, Table, extremes};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::words::Words;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "optimum",
    family: Family::Outcome,
    title: "Distance to the optimum",
    question: "How much of what is possible is missing?",
    metrics: &["optimum_gap"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, OptimumGap)> = measured(material.groups);
    let words = Words::of(&material.analysis.options);
    let gaps = values(&found, |it| it.gap.value);
    let ((_, lo), (_, hi)) = extremes(&gaps)?;
    let told: Vec<String> = found
        .iter()
        .map(|(group, it)| format!("{} {}", group.name, words.points_with(&it.gap)))
        .collect();
    let rows = found.iter().map(|(group, it)| {
        vec![
            group.name.clone(),
            words.bare_points_with(&it.gap),
            words.bare(it.best),
            format!("{} × {}", it.n_runs, it.n_tasks),
        ]
    });
    Some(Chapter {
        number: Some((
            format!("{} to {}", words.points(*lo), words.points(*hi)),
            "below the best possible".to_owned(),
        )),
        finding: Said::described(format!(
            "Distance to the best {} that any rule can expect: {}.",
            words.noun(),
            told.join(", ")
        )),
        caveat: "The optimum is that of a rule which is told the task. A learner that has to find out what the task is cannot reach it \
                 before it knows. The interval is for other trainings and other tasks of the same kind."
            .to_owned(),
        tables: vec![Table {
            caption: format!("Means over runs and tasks; {}.", words.noun()),
            head: ["learner", "distance [CI]", "optimum", "runs × tasks"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.collect(),
        }],
        ..Chapter::default()
    })
}
