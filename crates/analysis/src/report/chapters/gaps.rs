//! What is lost from seen tasks to new tasks to new classes.

use super::intervals::{Look, Quantity, figure, measured, written};
use crate::probe::gaps::{AtCheckpoint, Gap, Gaps};
use crate::report::document::{Chapter, Table, percent};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "gaps",
    family: Family::Generalization,
    title: "Seen tasks, new tasks, new classes",
    question: "How much accuracy is lost from the tasks of training to other tasks?",
    metrics: &["gaps"],
    write: chapter,
};

/// The gaps that a checkpoint has, with a name each.
fn each(at: &AtCheckpoint) -> Vec<(&'static str, &Gap)> {
    [
        ("fresh queries", at.fresh_queries.as_ref()),
        ("new tasks", Some(&at.new_tasks)),
        ("new classes", at.new_classes.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, gap)| Some((name, gap?)))
    .collect()
}

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Gaps)> = measured(material.groups);
    let widest = |gaps: &Gaps| {
        each(&gaps.tested)
            .last()
            .map(|(name, gap)| (*name, gap.accuracy.clone()))
    };
    let (group, (name, gap)) = found
        .iter()
        .filter_map(|(group, gaps)| Some((group, widest(gaps)?)))
        .max_by(|a, b| a.1.1.value.total_cmp(&b.1.1.value))?;
    let gaps: Vec<String> = found
        .iter()
        .filter_map(|(group, gaps)| {
            Some(format!(
                "{} pp for {}",
                written(&widest(gaps)?.1, 100.0, 2),
                group.name
            ))
        })
        .collect();
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .flat_map(|(group, gaps)| {
            each(&gaps.tested).into_iter().map(|(name, gap)| Quantity {
                group,
                name,
                estimate: gap.accuracy.clone(),
            })
        })
        .collect();
    let look = Look {
        id: "gaps-plot",
        axis: "accuracy on seen tasks less accuracy there, pp",
        factor: 100.0,
        decimals: 2,
        reference: Some(0.0),
    };
    Some(Chapter {
        number: Some((
            format!("{} pp", percent(gap.value)),
            format!("lost by {} from the tasks of its training to {name}", group.name),
        )),
        finding: Said::described(format!("Accuracy lost from the tasks of training to {name}: {}.", gaps.join(", "))),
        caveat: "All levels have the shape and the number of queries of the training tasks, so that batches are alike. In a training without \
                 a pool, each task was seen once. Fresh queries were not in their own task, but may have been in another. New classes are \
                 turned as those of training are. A run keeps the weights of its test and those of its last step, so there are two points of \
                 training and no curve."
            .to_owned(),
        figures: figure(look, "Gaps of the accuracy at the weights of the test, against seen tasks with their own queries.", &quantities)
            .into_iter()
            .collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, Gaps)]) -> Table {
    let row = |group: &Group<'_>, gaps: &Gaps, at: &AtCheckpoint, weights: &str| {
        let cell = |gap: Option<&Gap>| {
            gap.map_or_else(
                || "none".to_owned(),
                |gap| {
                    format!(
                        "{} pp; {} nats",
                        written(&gap.accuracy, 100.0, 2),
                        written(&gap.loss, 1.0, 3)
                    )
                },
            )
        };
        let (n_way, k_shot, n_query) = gaps.shape;
        vec![
            group.name.clone(),
            format!("{weights} (step {})", number(at.step, 0)),
            cell(at.fresh_queries.as_ref()),
            cell(Some(&at.new_tasks)),
            cell(at.new_classes.as_ref()),
            format!("{n_way}w{k_shot}s{n_query}q"),
            format!("{} × {}", gaps.n_runs, gaps.n_tasks),
        ]
    };
    Table {
        caption: "Accuracy on seen tasks less accuracy there, and loss there less loss on seen tasks. Fresh queries of seen tasks; new tasks \
                  from the training classes; new classes."
            .to_owned(),
        head: ["learner", "weights", "fresh queries", "new tasks", "new classes", "shape", "runs × tasks"]
            .map(str::to_owned)
            .to_vec(),
        rows: found
            .iter()
            .flat_map(|(group, gaps)| {
                let last = gaps.last.as_ref().map(|at| row(group, gaps, at, "last"));
                [Some(row(group, gaps, &gaps.tested, "tested")), last].into_iter().flatten()
            })
            .collect(),
    }
}
