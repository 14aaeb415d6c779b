//! What one support example decides.

use super::intervals::{Look, Quantity, figure, measured, written};
use crate::probe::example_influence::ExampleInfluence;
use crate::report::document::{Chapter, Table, extremes, percent, range};
use crate::report::group::Group;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "example-influence",
    family: Family::Generalization,
    title: "One support example",
    question: "How much does a task hang on a single support example?",
    metrics: &["example_influence"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, ExampleInfluence)> = measured(material.groups);
    let changes: Vec<(&str, f64)> = found
        .iter()
        .map(|(group, i)| (group.name.as_str(), i.largest_accuracy_change.value))
        .collect();
    let ((least, lo), (most, hi)) = extremes(&changes)?;
    let of = if least == most {
        format!("{} pp for {least}", percent(*lo))
    } else {
        format!(
            "{} pp ({least}) to {} pp ({most})",
            percent(*lo),
            percent(*hi)
        )
    };
    let look = Look {
        id: "example-influence-plot",
        axis: "largest change of the query loss, nats",
        factor: 1.0,
        decimals: 3,
        reference: Some(0.0),
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .map(|(group, i)| Quantity {
            group,
            name: "",
            estimate: i.largest_loss_change.clone(),
        })
        .collect();
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "change of accuracy when the example that matters most is exchanged".to_owned())),
        finding: format!("Exchanging the support example that matters most changes the accuracy of its task by {of} on average."),
        caveat: "Each example is exchanged for one other of its class; with one shot, that exchanges the whole class. The largest of \
                 several changes is above zero even where all are noise."
            .to_owned(),
        figures: figure(
            look,
            "The replace-one-example coefficient: mean over tasks of the largest change of the query loss over all examples of the \
             support set.",
            &quantities,
        )
        .into_iter()
        .collect(),
        tables: vec![Table {
            caption: "Means over tasks.".to_owned(),
            head: ["learner", "largest change of loss, nats", "mean change of loss, nats", "largest change of accuracy, pp", "runs × tasks"]
                .map(str::to_owned)
                .to_vec(),
            rows: found
                .iter()
                .map(|(group, i)| {
                    vec![
                        group.name.clone(),
                        written(&i.largest_loss_change, 1.0, 3),
                        written(&i.mean_loss_change, 1.0, 3),
                        written(&i.largest_accuracy_change, 100.0, 2),
                        format!("{} × {}", i.n_runs, i.n_tasks),
                    ]
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}
