//! What one support example decides.

use super::intervals::{Look, Quantity, figure, measured, values, written};
use crate::probe::example_influence::ExampleInfluence;
use crate::probe::left_out::LeftOut;
use crate::report::document::{Chapter, Table, extremes, percent, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "example-influence",
    family: Family::Generalization,
    title: "One support example",
    question: "How much does a task depend on a single support example?",
    metrics: &["example_influence", "left_out"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, ExampleInfluence)> = measured(material.groups);
    let changes = values(&found, |i| i.largest_accuracy_change.value);
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
    let left_out: Vec<(&Group<'_>, LeftOut)> = measured(material.groups);
    let without = |group: &Group<'_>| {
        let same = |(other, _): &&(&Group<'_>, LeftOut)| other.name == group.name;
        left_out.iter().find(same).map(|(_, it)| &it.0)
    };
    // Each learner with its two questions, one below the other.
    let both: Vec<(&Group<'_>, &'static str, &ExampleInfluence)> = found
        .iter()
        .flat_map(|(group, exchanged)| {
            let left_out = without(group).map(|it| (*group, "left out", it));
            [Some((*group, "exchanged", exchanged)), left_out]
                .into_iter()
                .flatten()
        })
        .collect();
    let quantities: Vec<Quantity<'_, '_>> = both
        .iter()
        .map(|(group, name, it)| Quantity {
            group,
            name,
            estimate: it.largest_loss_change.clone(),
        })
        .collect();
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "change of accuracy when the example that matters most is exchanged".to_owned())),
        finding: Said::described(format!("Exchanging the support example that matters most changes the accuracy of its task by {of} on average.")),
        caveat: "Each example is exchanged for one other of its class; with one shot, this exchanges all supports of the class. An example \
                 is left out only if its class has others; if the test has one support a class, this uses tasks with more supports. The \
                 largest of several changes is above zero even if all of them are noise."
            .to_owned(),
        figures: figure(
            look,
            "The replace-one-example and the leave-one-out coefficient: mean over tasks of the largest change of the query loss over all \
             examples of the support set.",
            &quantities,
        )
        .into_iter()
        .collect(),
        tables: vec![Table {
            caption: "Means over tasks.".to_owned(),
            head: [
                "learner", "one example", "supports a class", "largest change of loss, nats", "mean change of loss, nats",
                "largest change of accuracy, pp", "mean change of accuracy, pp", "runs × tasks",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows: both
                .iter()
                .map(|(group, name, i)| {
                    vec![
                        group.name.clone(),
                        (*name).to_owned(),
                        i.k_shot.to_string(),
                        written(&i.largest_loss_change, 1.0, 3),
                        written(&i.mean_loss_change, 1.0, 3),
                        written(&i.largest_accuracy_change, 100.0, 2),
                        written(&i.mean_accuracy_change, 100.0, 2),
                        format!("{} × {}", i.n_runs, i.n_tasks),
                    ]
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}
