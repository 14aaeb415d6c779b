//! What choosing the best weights on validation is worth.

use super::intervals::{Look, Quantity, figure, measured, values, written};
use crate::findings::Certainty;
use crate::report::document::{Chapter, Table, decimal, extremes, list, percent, range};
use crate::report::group::Group;
use crate::report::said::{Basis, Said};
use crate::report::subject::{Family, Material, Subject};
use crate::training::selection::SelectionGap;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "selection",
    family: Family::Generalization,
    title: "Selection gap",
    question: "How much does test accuracy gain from the weights with the best validation?",
    metrics: &["selection"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, SelectionGap)> = measured(material.groups);
    let gaps = values(&found, |it| it.gap.value);
    let ((_, lo), (most, hi)) = extremes(&gaps)?;
    let own = &found.iter().find(|(group, _)| group.name == *most)?.1;
    let look = Look {
        id: "selection-plot",
        axis: "best less last weights, pp",
        factor: 100.0,
        decimals: 2,
        reference: Some(0.0),
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .map(|(group, it)| Quantity {
            group,
            name: "",
            estimate: it.gap.clone(),
        })
        .collect();
    let row = |(group, it): &(&Group<'_>, SelectionGap)| {
        vec![
            group.name.clone(),
            written(&it.gap, 100.0, 2),
            it.sd.map_or_else(|| "needs two runs".to_owned(), percent),
            format!("{} of {}", it.n_same, it.n_runs),
            decimal(
                100.0 * it.runs.iter().map(|run| run.1).sum::<f64>() / it.n_runs as f64,
                0,
            ),
            format!("{} × {}", it.n_runs, it.n_tasks),
        ]
    };
    Some(Chapter {
        number: Some((
            range(*lo, *hi, "pp"),
            "test accuracy of the best weights on validation minus that of the last weights".to_owned(),
        )),
        finding: verdict(&found, most, own, material),
        caveat: "Both weights are tested on the same episodes. Where the best validation is the last one, the gap is zero by \
                 definition."
            .to_owned(),
        figures: figure(
            look,
            "Test accuracy of the weights with the best validation less that of the last weights, and its interval over runs (over the \
             tasks, where there is one run).",
            &quantities,
        )
        .into_iter()
        .collect(),
        tables: vec![Table {
            caption: "Gap in pp; when the best weights were found, as a share of the training.".to_owned(),
            head: ["learner", "gap", "SD over runs", "same weights", "best at, % of steps", "runs × tasks"]
                .map(str::to_owned)
                .to_vec(),
            rows: found.iter().map(row).collect(),
        }],
        ..Chapter::default()
    })
}

/// Which learners degrade after their best checkpoint; where none does, the largest estimate, called open.
fn verdict(
    found: &[(&Group<'_>, SelectionGap)],
    most: &str,
    own: &SelectionGap,
    material: &Material<'_>,
) -> Said {
    let level = material.analysis.options.level;
    let all: Vec<&Group<'_>> = found.iter().map(|(group, _)| *group).collect();
    let falls: Vec<String> = found
        .iter()
        .filter(|(_, it)| it.degrades(found.len(), level))
        .map(|(group, it)| format!("{} by {} pp", group.name, written(&it.gap, 100.0, 2)))
        .collect();
    let (certainty, text) = if falls.is_empty() {
        (
            Certainty::NotDistinguishable,
            format!(
                "No fall in test accuracy after the best checkpoint is distinguishable from zero; the largest estimate is {} pp ({most}).",
                written(&own.gap, 100.0, 2)
            ),
        )
    } else {
        (
            Certainty::Distinguishable,
            format!(
                "Test accuracy falls after the best checkpoint: {}.",
                list(&falls)
            ),
        )
    };
    Said::carried(text, Basis::of(&all, certainty))
}
