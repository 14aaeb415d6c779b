//! What wrong labels among the supports do.

use super::intervals::{measured, written};
use crate::probe::label_noise::LabelNoise;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, list, percent};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Panel};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "label-noise",
    family: Family::Shift,
    title: "Wrong support labels",
    question: "How many wrong labels in the support set does a learner tolerate?",
    metrics: &["label_noise"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, LabelNoise)> = measured(material.groups);
    let at = |noise: &LabelNoise| noise.breakdown.unwrap_or(f64::INFINITY);
    let (group, weakest) = found.iter().min_by(|a, b| at(&a.1).total_cmp(&at(&b.1)))?;
    let highest = weakest.curve.last()?.0;
    let each: Vec<String> = found
        .iter()
        .map(|(group, it)| match it.breakdown {
            Some(share) => format!("{} from {} % on", group.name, percent(share)),
            None => format!("{} at none of the shares tried", group.name),
        })
        .collect();
    let finding = format!(
        "Share of wrong labels at which a learner loses half of its accuracy above chance (up to {} % were tried): {}.",
        percent(highest),
        list(&each)
    );
    Some(Chapter {
        number: Some((
            weakest.breakdown.map_or_else(
                || format!("over {} %", percent(highest)),
                |share| format!("{} %", percent(share)),
            ),
            format!(
                "wrong labels at which {} loses half of its accuracy above chance",
                group.name
            ),
        )),
        finding: Said::described(finding),
        caveat: format!(
            "The tasks have {} supports a class, a number that may differ from training. A wrongly labelled support is an image of another \
             class of the same task, all equally likely; every class keeps its number of supports.",
            weakest.k_shot
        ),
        figures: figure(&found).into_iter().collect(),
        tables: vec![Table {
            caption: "Accuracy in %.".to_owned(),
            head: std::iter::once("learner".to_owned())
                .chain(
                    weakest
                        .curve
                        .iter()
                        .map(|(share, _)| format!("{} % wrong", percent(*share))),
                )
                .chain(["breakdown point, %".to_owned()])
                .collect(),
            rows: found
                .iter()
                .map(|(group, noise)| {
                    let breakdown = noise
                        .breakdown
                        .map_or_else(|| "not reached".to_owned(), percent);
                    std::iter::once(group.name.clone())
                        .chain(
                            noise
                                .curve
                                .iter()
                                .map(|(_, accuracy)| written(accuracy, 100.0, 1)),
                        )
                        .chain([breakdown])
                        .collect()
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}

fn figure(found: &[(&Group<'_>, LabelNoise)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,share_of_wrong_labels,accuracy,lower,upper");
    let x = Axis::new(
        "wrong support labels, %",
        Extent::of(
            found
                .first()?
                .1
                .curve
                .iter()
                .map(|(share, _)| 100.0 * share),
        )?,
    );
    let y = Axis::new("accuracy, %", Extent::of([0.0, 100.0])?);
    let mut panel = Panel::new("accuracy under wrong labels", &x, &y, 280.0);
    let mut words = Vec::new();
    for (group, noise) in found {
        let mut line = Vec::new();
        for (share, accuracy) in &noise.curve {
            let ends = accuracy
                .interval
                .as_ref()
                .map_or((accuracy.value, accuracy.value), |i| (i.lower, i.upper));
            line.push((100.0 * share, 100.0 * accuracy.value));
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Number(*share),
                Cell::Number(accuracy.value),
                Cell::Number(ends.0),
                Cell::Number(ends.1),
            ]);
        }
        panel.line(group.series, "line", &line);
        panel.dots(group.series, "dot", 3.5, &line);
        if let (Some(first), Some(last)) = (line.first(), line.last()) {
            words.push(format!(
                "{} from {:.1} % to {:.1} %",
                group.name, first.1, last.1
            ));
        }
    }
    Some(Figure {
        id: "label-noise-plot".to_owned(),
        panels: vec![panel.finish("label-noise-plot-0", "Accuracy over the share of wrong support labels", &format!("{}.", words.join("; ")))],
        legend: found.iter().map(|(group, _)| (group.series.swatch(true), group.name.clone())).collect(),
        caption: "Accuracy over the share of supports that carry the label of another class, mean over runs and tasks.".to_owned(),
        data,
    })
}
