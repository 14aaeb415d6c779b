//! What judging queries together is worth.

use super::intervals::{Look, Quantity, figure, measured, values, written};
use crate::probe::coupling::Coupling;
use crate::report::document::{Chapter, Table, extremes, percent, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "coupling",
    family: Family::Adaptation,
    title: "Queries together or alone",
    question: "Does a query get another answer because of the other queries of its task?",
    metrics: &["coupling"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Coupling)> = measured(material.groups);
    let gaps = values(&found, |c| c.difference.value);
    let ((least, lo), (most, hi)) = extremes(&gaps)?;
    let finding = if least == most {
        format!(
            "Judged together, the queries of a task give {least} {} pp more accuracy than judged one at a time.",
            percent(*lo)
        )
    } else {
        format!(
            "Judged together, the queries of a task give {} pp ({least}) to {} pp ({most}) more accuracy than judged one at a time.",
            percent(*lo),
            percent(*hi)
        )
    };
    let look = Look {
        id: "coupling-plot",
        axis: "together minus alone, pp",
        factor: 100.0,
        decimals: 2,
        reference: Some(0.0),
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .map(|(group, c)| Quantity {
            group,
            name: "",
            estimate: c.difference.clone(),
        })
        .collect();
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "accuracy gained by judging queries together (transductive minus inductive)".to_owned())),
        finding: Said::described(finding),
        caveat: "Alone means in one batch with the supports, because batch statistics of a single image mean nothing. Do not compare figures \
                 of one mode with figures of the other."
            .to_owned(),
        figures: figure(look, "Accuracy with all queries of a task in one batch minus accuracy with each in a batch of its own.", &quantities)
            .into_iter()
            .collect(),
        tables: vec![Table {
            caption: "Accuracy in %, difference in pp.".to_owned(),
            head: ["learner", "together", "alone", "difference", "runs × tasks"].map(str::to_owned).to_vec(),
            rows: found
                .iter()
                .map(|(group, c)| {
                    vec![
                        group.name.clone(),
                        written(&c.together, 100.0, 2),
                        written(&c.alone, 100.0, 2),
                        written(&c.difference, 100.0, 2),
                        format!("{} × {}", c.n_runs, c.n_tasks),
                    ]
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}
