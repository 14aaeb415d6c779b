//! Loss surfaces around the learnt parameters, and the meta-landscape.

use super::intervals::measured;
use crate::probe::surface::{RISE, Surface};
use crate::report::document::{Cell, Chapter, Csv, Figure};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::matrix;
use crate::report::svg::text::number;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "surface",
    family: Family::Geometry,
    title: "Loss surfaces",
    question: "What does the loss look like around the learnt parameters, before and after adaptation?",
    metrics: &["surface"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Surface)> = measured(material.groups);
    let (narrow, least) = found
        .iter()
        .min_by(|a, b| a.1.wide_after.total_cmp(&b.1.wide_after))?;
    let (_, most) = found
        .iter()
        .max_by(|a, b| a.1.wide_after.total_cmp(&b.1.wide_after))?;
    let whole = |share: f64| number(100.0 * share, 0);
    let range = if found.len() == 1 {
        format!("{} %", whole(least.wide_after))
    } else {
        format!(
            "{} to {} %",
            whole(least.wide_after),
            whole(most.wide_after)
        )
    };
    let before = least.wide_before.map_or_else(String::new, |share| {
        format!(" Without adaptation, it is {} % there.", whole(share))
    });
    Some(Chapter {
        number: Some((range, format!("of the plane around theta within {RISE} nats after adaptation"))),
        finding: Said::described(format!(
            "The meta-landscape is narrowest for {}: {} % of the points of the plane are within {RISE} nats of the loss after adaptation \
             at theta.{before}",
            narrow.name,
            whole(least.wide_after)
        )),
        caveat: "A plane through two random directions is a thin slice of a space of very many dimensions. It shows the surface on this \
                 plane and does not exclude a ridge nearby."
            .to_owned(),
        figures: figure(&found).into_iter().collect(),
        ..Chapter::default()
    })
}

fn figure(found: &[(&Group<'_>, Surface)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,surface,step_along_first,step_along_second,loss");
    let mut panels = Vec::new();
    for (group, surface) in found {
        let tables = [
            ("support loss", surface.first.support.as_ref()),
            (
                "query loss before adaptation",
                surface.first.before.as_ref(),
            ),
            ("query loss after adaptation", Some(&surface.first.after)),
        ];
        let steps = &surface.first.steps;
        let names: Vec<String> = steps.iter().map(|step| number(*step, 1)).collect();
        for (name, table) in tables {
            let Some(table) = table else { continue };
            // Decades of loss in one picture: by its logarithm, from the lowest to the highest of the grid.
            let finite = table.iter().flatten().map(|loss| loss.max(1e-6).ln());
            let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), l| {
                (lo.min(l), hi.max(l))
            });
            let tint = |loss: f64| {
                if hi > lo {
                    (loss.max(1e-6).ln() - lo) / (hi - lo)
                } else {
                    0.0
                }
            };
            let rows: Vec<Vec<Option<f64>>> = table
                .chunks_exact(steps.len())
                .map(|row| row.iter().map(|loss| loss.map(tint)).collect())
                .collect();
            for (at, loss) in table.iter().enumerate() {
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Text(name),
                    Cell::Number(steps[at / steps.len()]),
                    Cell::Number(steps[at % steps.len()]),
                    Cell::Number(loss.unwrap_or(f64::NAN)),
                ]);
            }
            let middle = table[table.len() / 2]
                .map_or_else(|| "not finite".to_owned(), |loss| number(loss, 3));
            panels.push(matrix(
                &format!("{}: {name}", group.name),
                &names,
                &rows,
                1.0,
                |tint| {
                    let loss = (lo + tint * (hi - lo)).exp();
                    // On a phone a cell has room for four characters, which hold up to 9,999 nats.
                    number(loss, if loss < 99.95 { 1 } else { 0 })
                },
                (
                    &format!("surface-plot-{}", panels.len()),
                    &format!("{name} around theta, {}", group.name),
                    &format!(
                        "{} nats in the middle, at theta; from {} to {} on the plane.",
                        middle,
                        number(lo.exp(), 3),
                        number(hi.exp(), 3)
                    ),
                ),
            ));
        }
    }
    (!panels.is_empty()).then(|| Figure {
        id: "surface-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Mean loss in nats (written in the cells) of a few tasks on a plane through theta along two random directions, each filter \
                  scaled to the norm of the same filter of theta. Darker cells (in dark mode: brighter ones) are higher, on a logarithmic \
                  scale from the lowest to the highest value of each picture. The middle cell is theta. After adaptation: the learner adapts \
                  from each point and is then tested; meta-training descends this loss. Blank: not finite."
            .to_owned(),
        data,
    })
}
