//! What is left under damaged images.

use super::intervals::{Look, Quantity, figure, measured, values, written};
use crate::probe::corruption::{CorruptionDrop, Place};
use crate::report::document::{
    Cell, Chapter, Csv, Figure, Table, decimal, extremes, percent, range,
};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Panel, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "corruption",
    family: Family::Shift,
    title: "Damaged images",
    question: "How much accuracy is lost when images are noisy, turned, faded or covered?",
    metrics: &["corruption"],
    write: chapter,
};

fn both(drop: &CorruptionDrop) -> f64 {
    drop.places
        .iter()
        .find(|(place, _)| *place == Place::Both)
        .map_or(0.0, |(_, estimate)| estimate.value)
}

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, CorruptionDrop)> = measured(material.groups);
    let drops = values(&found, both);
    let ((least, lo), (most, hi)) = extremes(&drops)?;
    let of = if least == most {
        format!("{} pp ({least})", percent(*lo))
    } else {
        format!(
            "{} pp ({least}) to {} pp ({most})",
            percent(*lo),
            percent(*hi)
        )
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .flat_map(|(group, drop)| {
            drop.places.iter().map(|(place, estimate)| Quantity {
                group,
                name: place.name(),
                estimate: estimate.clone(),
            })
        })
        .collect();
    let look = Look {
        id: "corruption-places",
        axis: "mean corruption drop, pp",
        factor: 100.0,
        decimals: 1,
        reference: Some(0.0),
    };
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "mean corruption drop, supports and queries damaged".to_owned())),
        finding: Said::described(format!(
            "Damage to all images costs {of} on average over nine kinds and five severities."
        )),
        caveat: "The severities are our own, chosen for strokes of one or two pixels. Compare learners at one severity; do not compare kinds with each other."
            .to_owned(),
        figures: figure(
            look,
            "Accuracy on clean images minus accuracy on damaged ones, mean over kinds and severities, with the supports damaged, the \
             queries, or both.",
            &quantities,
        )
        .into_iter()
        .chain(curves(&found))
        .collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, CorruptionDrop)]) -> Table {
    let kinds: Vec<&str> = found
        .first()
        .map(|(_, drop)| drop.kinds.iter().map(|(kind, _)| kind.as_str()).collect())
        .unwrap_or_default();
    let head = ["learner", "clean, %"]
        .into_iter()
        .chain(kinds.iter().copied());
    Table {
        caption: "Drop by kind in pp, supports and queries damaged, mean over severities."
            .to_owned(),
        head: head.map(str::to_owned).collect(),
        rows: found
            .iter()
            .map(|(group, drop)| {
                let of = |kind: &&str| {
                    let own = drop.kinds.iter().find(|(name, _)| name == kind);
                    own.map_or_else(
                        || "none".to_owned(),
                        |(_, estimate)| percent(estimate.value),
                    )
                };
                [group.name.clone(), written(&drop.clean, 100.0, 2)]
                    .into_iter()
                    .chain(kinds.iter().map(of))
                    .collect()
            })
            .collect(),
    }
}

/// A panel for each kind: accuracy over severities of every learner, both damaged.
fn curves(found: &[(&Group<'_>, CorruptionDrop)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,kind,place,severity,accuracy,lower,upper");
    for (group, drop) in found {
        for curve in &drop.curves {
            for (at, accuracy) in curve.accuracy.iter().enumerate() {
                let interval = accuracy.interval.as_ref();
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Text(&curve.kind),
                    Cell::Text(curve.place.name()),
                    Cell::Count(at + 1),
                    Cell::Number(accuracy.value),
                    Cell::Number(interval.map_or(f64::NAN, |i| i.lower)),
                    Cell::Number(interval.map_or(f64::NAN, |i| i.upper)),
                ]);
            }
        }
    }
    let mut panels = Vec::new();
    let kinds: Vec<&String> = found
        .first()?
        .1
        .kinds
        .iter()
        .map(|(kind, _)| kind)
        .collect();
    let y = Axis::new("accuracy, %", Extent::of([0.0, 100.0])?);
    let x = Axis::new(
        "severity, supports and queries damaged",
        Extent::of([0.0, 5.0])?,
    );
    for kind in kinds {
        let mut panel = Panel::new(&heading(kind, ""), &x, &y, 220.0);
        let mut words = Vec::new();
        for (group, drop) in found {
            let Some(curve) = drop
                .curves
                .iter()
                .find(|c| c.kind == *kind && c.place == Place::Both)
            else {
                continue;
            };
            let points: Vec<(f64, f64)> = std::iter::once(&drop.clean)
                .chain(&curve.accuracy)
                .enumerate()
                .map(|(severity, accuracy)| (severity as f64, 100.0 * accuracy.value))
                .collect();
            panel.line(group.series, "line", &points);
            panel.dots(group.series, "dot", 3.0, &points);
            if let Some(last) = points.last() {
                words.push(format!(
                    "{} {} % at the highest severity",
                    group.name,
                    decimal(last.1, 1)
                ));
            }
        }
        panels.push(panel.finish(
            &format!("corruption-curves-{}", panels.len()),
            &format!("Accuracy under {kind}"),
            &format!("{}.", words.join("; ")),
        ));
    }
    let legend = found
        .iter()
        .map(|(group, _)| (group.series.swatch(true), group.name.clone()));
    Some(Figure {
        id: "corruption-curves".to_owned(),
        panels,
        legend: legend.collect::<Vec<(String, String)>>(),
        caption: "Accuracy at severity 0 (clean) to 5, mean over runs and tasks; a panel for each kind of damage. The data of the figure \
                  also have the curves with only supports or only queries damaged."
            .to_owned(),
        data,
    })
}
