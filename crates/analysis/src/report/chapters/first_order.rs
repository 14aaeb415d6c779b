//! What first-order meta-gradients leave out.

use super::intervals::{measured, written};
use super::strip::{Course, figure, rests_on};
use crate::report::document::{Chapter, Table, decimal, extremes};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::training::FirstOrderBias;
use crate::training::first_order::FirstOrder;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "first-order",
    family: Family::Dynamics,
    title: "First-order bias",
    question: "How far does the first-order meta-gradient deviate from the exact one?",
    metrics: &["first_order"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, FirstOrder)> = measured(material.groups);
    let cosines: Vec<(&Group<'_>, f64)> = found
        .iter()
        .map(|(group, it)| (*group, it.cosine.value))
        .collect();
    let ((worst, lo), (_, hi)) = extremes(&cosines)?;
    let of_worst = found.iter().find(|(group, _)| group.name == worst.name)?;
    let course = |title, of: fn(&FirstOrderBias) -> f64| {
        Course::along(title, &found, |it| {
            let points = it.course.iter();
            points.map(|(step, bias)| (*step, of(bias))).collect()
        })
    };
    let caption = "Exact and first-order meta-gradient on the same tasks, at the theta of each learner's training: their cosine, and the \
                   norm of their difference divided by the norm of the exact one. Means over runs.";
    Some(Chapter {
        number: Some((
            format!("{} to {}", decimal(*lo, 3), decimal(*hi, 3)),
            "cosine of the exact and the first-order meta-gradient".to_owned(),
        )),
        finding: Said::described(format!(
            "Along the training of {}, the first-order meta-gradient has a cosine of {} with the exact one and differs from it by {} % of \
             its norm, from {}.",
            worst.name,
            written(&of_worst.1.cosine, 1.0, 3),
            written(&of_worst.1.difference, 100.0, 1),
            rests_on(of_worst.1.n_runs)
        )),
        caveat: "A bias of single meta-gradients need not bias the trained learner: first-order training may end equally well. The compared \
                 meta-gradients are sums over the first eight tasks of a step."
            .to_owned(),
        figures: figure(
            "first-order-plot",
            caption,
            vec![
                course("cosine of exact and first order", |bias| bias.cosine),
                course("difference over exact norm", |bias| bias.difference),
            ],
        )
        .into_iter()
        .collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, FirstOrder)]) -> Table {
    let mut rows = Vec::new();
    for (group, it) in found {
        rows.push(vec![
            group.name.clone(),
            "all".to_owned(),
            written(&it.cosine, 1.0, 3),
            written(&it.difference, 100.0, 1),
        ]);
        rows.extend(it.layers.iter().map(|(layer, bias)| {
            vec![
                group.name.clone(),
                layer.clone(),
                decimal(bias.cosine, 3),
                decimal(100.0 * bias.difference, 1),
            ]
        }));
    }
    Table {
        caption: "By layer, means over runs and looks.".to_owned(),
        head: [
            "learner",
            "layer",
            "cosine",
            "difference, % of the exact norm",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    }
}
