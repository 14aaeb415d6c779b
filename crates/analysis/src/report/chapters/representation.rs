//! What the features are like, and what adaptation changes.

use super::intervals::{Look, Quantity, figure, measured, names, values, written};
use crate::probe::representation::{COLLAPSE, Representation};
use crate::report::document::{Chapter, Table, decimal, extremes};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "representation",
    family: Family::Geometry,
    title: "Features",
    question: "Do the features separate classes, and does adaptation change them?",
    metrics: &["representation"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Representation)> = measured(material.groups);
    let ratios = values(&found, |r| r.separation.value);
    let ((_, lo), (_, hi)) = extremes(&ratios)?;
    let shown = if lo < hi {
        format!("{} to {}", decimal(*lo, 2), decimal(*hi, 2))
    } else {
        decimal(*lo, 2)
    };
    let each: Vec<String> = found
        .iter()
        .map(|(group, r)| format!("{} for {}", written(&r.separation, 1.0, 2), group.name))
        .collect();
    let collapsed = names(&found, |r| r.effective_rank.value < COLLAPSE);
    let alarm = if collapsed.is_empty() {
        String::new()
    } else {
        format!(
            " Collapse: the effective rank of {} is under 5.",
            crate::report::document::list(&collapsed)
        )
    };
    let moved = found.iter().find_map(|(group, r)| {
        let body = r.layers.iter().rev().find_map(|layer| layer.cka.as_ref())?;
        let head = r.layers.last()?;
        Some(format!(
            " The features before and after adaptation have CKA {} in the last block of {}, and adaptation moves {} by {} of its norm.",
            decimal(body.value, 2),
            group.name,
            head.name,
            decimal(head.weight_change.value, 2)
        ))
    });
    let look = Look {
        id: "representation-plot",
        axis: "within / between classes",
        factor: 1.0,
        decimals: 2,
        reference: None,
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .map(|(group, r)| Quantity {
            group,
            name: "",
            estimate: r.separation.clone(),
        })
        .collect();
    Some(Chapter {
        number: Some((
            shown,
            "within-to-between ratio of classes".to_owned(),
        )),
        finding: Said::described(format!(
            "The scatter of queries within their class, divided by the scatter of classes, is {}.{}{alarm}",
            crate::report::document::list(&each),
            moved.unwrap_or_default()
        )),
        caveat: "Features are the outputs of the last block, after adaptation where there is one. Ratios of embeddings of different \
                 learners compare shapes, not accuracies."
            .to_owned(),
        figures: figure(
            look,
            "Mean squared distance of a query to the center of its class, divided by that of class centers to their mean; mean over tasks. \
             It is small if classes are tight and far apart.",
            &quantities,
        )
        .into_iter()
        .collect(),
        tables: [Some(table(&found)), changes(&found)].into_iter().flatten().collect(),
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, Representation)]) -> Table {
    Table {
        caption: "Prototype movement: SD of a prototype over support sets, relative to its distance from the nearest other prototype; above \
                  0.5, the draw alone is expected to cause errors. Effective rank under 5 is a collapse."
            .to_owned(),
        head: ["learner", "within / between", "misplaced queries, %", "prototype movement", "effective rank", "width", "runs × tasks"]
            .map(str::to_owned)
            .to_vec(),
        rows: found
            .iter()
            .map(|(group, r)| {
                vec![
                    group.name.clone(),
                    written(&r.separation, 1.0, 2),
                    written(&r.misplaced, 100.0, 2),
                    written(&r.prototype_spread, 1.0, 2),
                    written(&r.effective_rank, 1.0, 1),
                    r.width.to_string(),
                    format!("{} × {}", r.n_runs, r.n_tasks),
                ]
            })
            .collect(),
    }
}

fn changes(found: &[(&Group<'_>, Representation)]) -> Option<Table> {
    let rows: Vec<Vec<String>> = found
        .iter()
        .flat_map(|(group, r)| {
            r.layers.iter().map(|layer| {
                vec![
                    group.name.clone(),
                    layer.name.clone(),
                    layer
                        .cka
                        .as_ref()
                        .map_or_else(|| "no feature".to_owned(), |cka| written(cka, 1.0, 3)),
                    written(&layer.weight_change, 100.0, 2),
                ]
            })
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "What adaptation changes: debiased CKA of the queries' features before and after, and |phi − theta| / |theta| of the weights."
            .to_owned(),
        head: ["learner", "layer", "CKA before and after", "change of the weights, %"].map(str::to_owned).to_vec(),
        rows,
    })
}
