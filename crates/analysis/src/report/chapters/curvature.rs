//! How curved and sharp the losses are where training ended.

use super::intervals::{Look, Quantity, figure, measured, written};
use crate::probe::curvature::{AtPoint, Curvature};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, list};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "curvature",
    family: Family::Geometry,
    title: "Curvature",
    question: "How curved is the loss of a task at the end of training?",
    metrics: &["curvature"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Curvature)> = measured(material.groups);
    let (group, most) = found
        .iter()
        .max_by(|a, b| a.1.query.quartiles[1].total_cmp(&b.1.query.quartiles[1]))?;
    let support = most.support.as_ref().map_or_else(String::new, |at| {
        format!(
            " The support loss of {} at theta has {}.",
            group.name,
            number(at.quartiles[1], 2)
        )
    });
    let each: Vec<String> = found
        .iter()
        .map(|(group, it)| format!("{} for {}", number(it.query.quartiles[1], 2), group.name))
        .collect();
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .flat_map(|(group, curvature)| {
            let support = curvature
                .support
                .as_ref()
                .map(|at| ("support loss at theta", at));
            [Some(("query loss, adapted", &curvature.query)), support]
                .into_iter()
                .flatten()
                .map(|(name, at)| Quantity {
                    group,
                    name,
                    estimate: at.largest.clone(),
                })
        })
        .collect();
    let look = Look {
        id: "curvature-plot",
        axis: "largest eigenvalue of the Hessian",
        factor: 1.0,
        decimals: 1,
        reference: Some(0.0),
    };
    Some(Chapter {
        number: Some((
            number(most.query.quartiles[1], 2),
            format!("median largest eigenvalue of the query loss of {} after adaptation", group.name),
        )),
        finding: Said::described(format!(
            "The largest eigenvalue of the query loss at the adapted parameters (median over tasks) is {}.{support}",
            list(&each)
        )),
        caveat: "Batch normalization runs as in the test. A flat loss does not guarantee generalization: in a study of MAML, flatness kept \
                 increasing while generalization fell (Guiroy et al. 2019)."
            .to_owned(),
        figures: figure(look, "Mean over tasks of the largest eigenvalue (Lanczos), support and query loss apart.", &quantities)
            .into_iter()
            .chain(spectra(&found))
            .collect(),
        tables: vec![table(&found), layers(&found)],
        ..Chapter::default()
    })
}

fn points<'c>(found: &'c [(&Group<'_>, Curvature)]) -> impl Iterator<Item = (String, &'c AtPoint)> {
    found.iter().flat_map(|(group, curvature)| {
        let support = curvature
            .support
            .as_ref()
            .map(|at| (format!("{}: support, theta", group.name), at));
        [
            Some((format!("{}: query, adapted", group.name), &curvature.query)),
            support,
        ]
        .into_iter()
        .flatten()
    })
}

fn table(found: &[(&Group<'_>, Curvature)]) -> Table {
    let rho = found.first().map_or(0.0, |(_, curvature)| curvature.rho);
    Table {
        caption: format!(
            "Means over tasks. Sharpness: rise of the loss after a step of length {} along the gradient, and along random directions.",
            number(rho, 2)
        ),
        head: [
            "loss",
            "largest eigenvalue",
            "smallest Ritz value",
            "trace",
            "sharpness, nats",
            "random sharpness, nats",
            "tasks",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: points(found)
            .map(|(name, at)| {
                vec![
                    name,
                    written(&at.largest, 1.0, 2),
                    written(&at.smallest, 1.0, 2),
                    written(&at.trace, 1.0, 1),
                    written(&at.sharpness, 1.0, 4),
                    written(&at.random_sharpness, 1.0, 5),
                    at.n_tasks.to_string(),
                ]
            })
            .collect(),
    }
}

fn layers(found: &[(&Group<'_>, Curvature)]) -> Table {
    let rows = points(found).flat_map(|(name, at)| {
        let row = move |(layer, value): &(String, f64)| {
            vec![name.clone(), layer.clone(), number(*value, 2)]
        };
        at.layers.iter().map(row).collect::<Vec<_>>()
    });
    Table {
        caption: "Largest eigenvalue of the block of each layer, mean over the first tasks of the first run.".to_owned(),
        head: ["loss", "layer", "largest eigenvalue"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// Ritz values of one task with their weights.
fn spectra(found: &[(&Group<'_>, Curvature)]) -> Option<Figure> {
    let mut data = Csv::new("loss,ritz_value,weight");
    let mut panels = Vec::new();
    for (name, at) in points(found) {
        let series = found
            .iter()
            .find(|(group, _)| name.starts_with(&group.name))
            .map(|(group, _)| group.series)?;
        let weights: Vec<(f64, f64)> = at
            .spectrum
            .iter()
            .map(|(value, weight)| (*value, weight.max(1e-9)))
            .collect();
        for (value, weight) in &at.spectrum {
            data.row(&[
                Cell::Text(&name),
                Cell::Number(*value),
                Cell::Number(*weight),
            ]);
        }
        let x = Axis::new(
            "Ritz value",
            Extent::of(weights.iter().map(|w| w.0))?.padded(0.04, 1e-6, f64::MIN, f64::MAX),
        );
        let y = Axis {
            title: "weight in the spectral density, logarithmic".to_owned(),
            extent: Extent::of(weights.iter().map(|w| w.1).chain([1.0]))?,
            logarithmic: true,
        };
        let mut panel = Panel::new(&heading(&name, ""), &x, &y, 220.0);
        panel.upright(0.0, "reference");
        panel.dots(series, "dot", 3.5, &weights);
        let extreme = weights
            .iter()
            .map(|w| w.0)
            .fold(f64::NEG_INFINITY, f64::max);
        panels.push(panel.finish(
            &format!("spectrum-{}", panels.len()),
            &format!("Spectrum of the Hessian of one task, {name}"),
            &format!(
                "{} Ritz values, the largest {}.",
                weights.len(),
                number(extreme, 2)
            ),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "spectrum".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Ritz values of the first task after the steps of Lanczos' method: the outer values are eigenvalues, and each inner value \
                  stands for many. Almost all of the weight lies near zero. Values left of zero are negative curvature."
            .to_owned(),
        data,
    })
}
