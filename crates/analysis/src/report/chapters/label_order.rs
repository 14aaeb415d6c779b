//! Whether it matters which class gets which output.

use super::intervals::{Look, Quantity, figure, measured, names, values, written};
use crate::probe::label_order::LabelOrder;
use crate::report::document::{Chapter, Table, extremes, list, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "label-order",
    family: Family::Adaptation,
    title: "Label order",
    question: "Does the answer stay the same when the same classes get other outputs?",
    metrics: &["label_order"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, LabelOrder)> = measured(material.groups);
    let sds = values(&found, |order| order.sd.value);
    let ((_, lo), (_, hi)) = extremes(&sds)?;
    let (_, first) = found.first()?;
    let blind = names(&found, |order| order.is_exactly_zero);
    let none = match blind.as_slice() {
        [] => String::new(),
        names => format!(
            "{} is invariant to class order: the SD is exactly 0. ",
            list(names)
        ),
    };
    let some = if *hi > 0.0 {
        let moved = found.iter().filter(|(_, order)| !order.is_exactly_zero);
        let each: Vec<String> = moved
            .map(|(group, order)| format!("{} for {}", written(&order.sd, 100.0, 2), group.name))
            .collect();
        format!("The SD over orders of one task is, in pp, {}.", list(&each))
    } else {
        String::new()
    };
    let look = Look {
        id: "label-order-plot",
        axis: "SD of the task accuracy over orders, pp",
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
    let orders = if first.all { "All" } else { "Random" };
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "SD of the accuracy of one task over label orders".to_owned())),
        finding: Said::described((none + &some).trim_end().to_owned()),
        caveat: "A metric learner must show exactly 0, so this also checks the program. A learner with a head gets each task in one order \
                 drawn at random, so this variation is part of every accuracy that is reported for it."
            .to_owned(),
        figures: figure(
            look,
            &format!("{orders} {} orders of the classes of each task, images unchanged; mean over tasks.", first.n_orders),
            &quantities,
        )
        .into_iter()
        .collect(),
        tables: vec![Table {
            caption: "Means over tasks, in pp. Ensemble: mean probabilities over all orders.".to_owned(),
            head: ["learner", "SD", "best minus worst", "best minus mean", "gain of the ensemble", "largest change of a probability"]
                .map(str::to_owned)
                .to_vec(),
            rows: found
                .iter()
                .map(|(group, order)| {
                    vec![
                        group.name.clone(),
                        written(&order.sd, 100.0, 2),
                        written(&order.range, 100.0, 2),
                        written(&order.best_over_mean, 100.0, 2),
                        written(&order.ensemble_gain, 100.0, 2),
                        format!("{:.0e}", order.largest_change),
                    ]
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}
