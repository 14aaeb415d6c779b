//! What further supports add.

use super::intervals::{measured, written};
use crate::probe::shots::Shots;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "shots",
    family: Family::Adaptation,
    title: "Number of supports",
    question: "What does each further support of a class add?",
    metrics: &["shots"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Shots)> = measured(material.groups);
    let (group, most) = found
        .iter()
        .max_by(|a, b| a.1.gain.value.total_cmp(&b.1.gain.value))?;
    let gains: Vec<String> = found
        .iter()
        .map(|(group, it)| format!("{} pp for {}", written(&it.gain, 100.0, 2), group.name))
        .collect();
    let (least, last) = (most.curve.first()?.0, most.curve.last()?.0);
    Some(Chapter {
        number: Some((
            format!("{} pp", number(100.0 * most.gain.value, 2)),
            format!("gained by {} from {least} to {last} supports a class", group.name),
        )),
        finding: Said::described(format!("From {least} to {last} supports a class, the accuracy changes by {}.", gains.join(", "))),
        caveat: "Classes and queries are the same at each number of supports, and each support set contains the smaller ones, so the curve \
                 shows what further supports add. The weights were trained with their own number of supports."
            .to_owned(),
        figures: figure(&found).into_iter().collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, Shots)]) -> Table {
    let shots = found.first().map_or(&[][..], |(_, it)| it.curve.as_slice());
    let head = ["learner".to_owned(), "trained with".to_owned()];
    Table {
        caption: "Accuracy in % by the number of supports of a class.".to_owned(),
        head: head
            .into_iter()
            .chain(shots.iter().map(|(shots, _)| shots.to_string()))
            .collect(),
        rows: found
            .iter()
            .map(|(group, it)| {
                let of = |(shots, _): &(usize, crate::Estimate)| {
                    let own = it.curve.iter().find(|(own, _)| own == shots);
                    own.map_or_else(
                        || "none".to_owned(),
                        |(_, accuracy)| number(100.0 * accuracy.value, 2),
                    )
                };
                [group.name.clone(), it.trained.to_string()]
                    .into_iter()
                    .chain(shots.iter().map(of))
                    .collect()
            })
            .collect(),
    }
}

fn figure(found: &[(&Group<'_>, Shots)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,shots,accuracy,lower,upper");
    let mut panels = Vec::new();
    let limits = |accuracy: &crate::Estimate| {
        let interval = accuracy.interval.as_ref();
        [
            interval.map(|i| i.lower),
            Some(accuracy.value),
            interval.map(|i| i.upper),
        ]
        .map(|v| 100.0 * v.unwrap_or(accuracy.value))
    };
    let all = || found.iter().flat_map(|(_, it)| &it.curve);
    let x = Axis {
        title: "supports of a class".to_owned(),
        extent: Extent::of(all().map(|(shots, _)| *shots as f64))?,
        logarithmic: true,
    };
    let y = Axis::new(
        "accuracy, %",
        Extent::of(all().flat_map(|(_, accuracy)| limits(accuracy)))?,
    );
    for (group, it) in found {
        let mut panel = Panel::new(&heading(&group.name, "accuracy by supports"), &x, &y, 220.0);
        let points: Vec<(f64, [f64; 3])> = it
            .curve
            .iter()
            .map(|(shots, a)| (*shots as f64, limits(a)))
            .collect();
        let band: Vec<(f64, f64, f64)> = points
            .iter()
            .map(|(shots, v)| (*shots, v[0], v[2]))
            .collect();
        let line: Vec<(f64, f64)> = points.iter().map(|(shots, v)| (*shots, v[1])).collect();
        panel.band(group.series, "band80", &band);
        panel.line(group.series, "line", &line);
        panel.dots(group.series, "dot", 3.0, &line);
        panel.upright(it.trained as f64, "reference");
        for (shots, accuracy) in &it.curve {
            let [lower, _, upper] = limits(accuracy).map(|value| value / 100.0);
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Count(*shots),
                Cell::Number(accuracy.value),
                Cell::Number(lower),
                Cell::Number(upper),
            ]);
        }
        panels.push(panel.finish(
            &format!("shots-plot-{}", panels.len()),
            &format!("Accuracy by number of supports, {}", group.name),
            &format!(
                "Trained with {}; {} pp from first to last.",
                it.trained,
                number(100.0 * it.gain.value, 2)
            ),
        ));
    }
    Some(Figure {
        id: "shots-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Accuracy over the number of supports of a class, with its interval; the vertical line is the number in training.".to_owned(),
        data,
    })
}
