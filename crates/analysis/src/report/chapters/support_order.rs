//! Whether the order of the supports matters.

use super::intervals::{Look, Quantity, figure, measured, names, values, written};
use crate::probe::support_order::SupportOrder;
use crate::report::document::{Chapter, Table, extremes, list, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "support-order",
    family: Family::Adaptation,
    title: "Order of the supports",
    question: "Does the answer stay the same when the same supports come in another order?",
    metrics: &["support_order"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, SupportOrder)> = measured(material.groups);
    let sds = values(&found, |order| order.sd.value);
    let ((_, lo), (_, hi)) = extremes(&sds)?;
    let (_, first) = found.first()?;
    let blind = names(&found, |order| order.is_exactly_zero);
    let none = match blind.as_slice() {
        [] => String::new(),
        names => format!(
            "No order of the supports changes an answer of {}. ",
            list(names)
        ),
    };
    let some = if blind.len() < found.len() {
        let moved = found.iter().filter(|(_, order)| !order.is_exactly_zero);
        let each: Vec<String> = moved
            .map(|(group, order)| format!("{} for {}", written(&order.sd, 100.0, 2), group.name))
            .collect();
        format!("The SD over orders of one task is, in pp, {}.", list(&each))
    } else {
        String::new()
    };
    let look = Look {
        id: "support-order-plot",
        axis: "SD of the task accuracy over orders of the supports, pp",
        factor: 100.0,
        decimals: 2,
        reference: Some(0.0),
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .map(|(group, order)| Quantity {
            group,
            name: "",
            estimate: order.sd.clone(),
        })
        .collect();
    let caption = format!(
        "{} orders of the supports of each task; images and labels unchanged. Mean over tasks.",
        first.n_orders
    );
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "SD of the accuracy of one task over orders of its supports".to_owned())),
        finding: Said::described((none + &some).trim_end().to_owned()),
        caveat: "The learners of this program read supports class by class, so with one support a class there is only one order. A guest \
                 gets all supports as one sequence, in another order."
            .to_owned(),
        figures: figure(look, &caption, &quantities).into_iter().collect(),
        tables: vec![Table {
            caption: "Means over tasks.".to_owned(),
            head: ["learner", "SD, pp", "answers that change, %", "largest change of a probability", "runs × tasks"]
                .map(str::to_owned)
                .to_vec(),
            rows: found
                .iter()
                .map(|(group, order)| {
                    vec![
                        group.name.clone(),
                        written(&order.sd, 100.0, 2),
                        written(&order.churn, 100.0, 2),
                        format!("{:.0e}", order.largest_change),
                        format!("{} × {}", order.n_runs, order.n_tasks),
                    ]
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}
