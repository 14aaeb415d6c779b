//! Whether confidences are honest.

use super::intervals::{Look, Quantity, figure, measured, values, written};
use crate::probe::confidence::Confidence;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, extremes, percent, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Panel, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "calibration",
    family: Family::Shift,
    title: "Calibration",
    question: "Does a learner know how sure it may be?",
    metrics: &["confidence"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Confidence)> = measured(material.groups);
    let errors = values(&found, |c| c.ece.value);
    let ((least, lo), (most, hi)) = extremes(&errors)?;
    let (_, worst) = found.iter().find(|(group, _)| group.name == *most)?;
    let side = if worst.overconfidence.value > 0.0 {
        "over"
    } else {
        "under"
    };
    let of = if least == most {
        format!(
            "The expected calibration error of {least} is {} %",
            percent(*lo)
        )
    } else {
        format!(
            "The expected calibration error is {} % ({least}) to {} % ({most})",
            percent(*lo),
            percent(*hi)
        )
    };
    let look = Look {
        id: "calibration-plot",
        axis: "expected calibration error, %",
        factor: 100.0,
        decimals: 2,
        reference: Some(0.0),
    };
    let quantities: Vec<Quantity<'_, '_>> = found
        .iter()
        .map(|(group, c)| Quantity {
            group,
            name: "",
            estimate: c.ece.clone(),
        })
        .collect();
    Some(Chapter {
        number: Some((range(*lo, *hi, "%"), "expected calibration error".to_owned())),
        finding: Said::described(format!("{of}; {most} is {side}confident by {} %.", percent(worst.overconfidence.value.abs()))),
        caveat: "A finite number of predictions never gives an error of 0; the table says what calibrated confidences would show. Queries of \
                 one task are not independent, so this error of calibrated confidences is a lower bound."
            .to_owned(),
        figures: figure(look, "Expected calibration error over 15 bins of equal numbers of predictions.", &quantities)
            .into_iter()
            .chain(reliability(&found))
            .collect(),
        tables: [Some(table(&found)), steps(&found)].into_iter().flatten().collect(),
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, Confidence)]) -> Table {
    Table {
        caption: "Predictions of all test tasks of a run, pooled. Overconfidence: mean confidence minus accuracy.".to_owned(),
        head: ["learner", "ECE, %", "if calibrated, %", "overconfidence, pp", "Brier", "NLL, nats", "runs × predictions"].map(str::to_owned).to_vec(),
        rows: found
            .iter()
            .map(|(group, c)| {
                vec![
                    group.name.clone(),
                    written(&c.ece, 100.0, 2),
                    percent(c.honest_ece),
                    written(&c.overconfidence, 100.0, 2),
                    written(&c.brier, 1.0, 3),
                    c.nll.as_ref().map_or_else(|| "infinite".to_owned(), |nll| written(nll, 1.0, 3)),
                    format!("{} × {}", c.n_runs, c.n),
                ]
            })
            .collect(),
    }
}

fn steps(found: &[(&Group<'_>, Confidence)]) -> Option<Table> {
    let rows: Vec<Vec<String>> = found
        .iter()
        .flat_map(|(group, c)| {
            c.steps.iter().map(|after| {
                vec![
                    group.name.clone(),
                    after.n_steps.to_string(),
                    percent(after.accuracy),
                    percent(after.confidence),
                    percent(after.ece),
                ]
            })
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "What inner steps do to confidence, first run.".to_owned(),
        head: [
            "learner",
            "inner steps",
            "accuracy, %",
            "mean confidence, %",
            "ECE, %",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    })
}

fn reliability(found: &[(&Group<'_>, Confidence)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,bin,predictions,mean_confidence,accuracy");
    let mut panels = Vec::new();
    let (x, y) = (
        Axis::new("confidence, %", Extent::of([0.0, 100.0])?),
        Axis::new("right, %", Extent::of([0.0, 100.0])?),
    );
    for (group, c) in found {
        let points: Vec<(f64, f64)> = c
            .bins
            .iter()
            .map(|bin| (100.0 * bin.confidence, 100.0 * bin.accuracy))
            .collect();
        for (at, bin) in c.bins.iter().enumerate() {
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Count(at + 1),
                Cell::Count(bin.n),
                Cell::Number(bin.confidence),
                Cell::Number(bin.accuracy),
            ]);
        }
        let shown = format!("ECE {} %", percent(c.ece.value));
        let mut panel = Panel::new(&heading(&group.name, &shown), &x, &y, 260.0);
        panel.line(group.series, "reference", &[(0.0, 0.0), (100.0, 100.0)]);
        panel.line(group.series, "line", &points);
        panel.dots(group.series, "dot", 3.5, &points);
        panels.push(panel.finish(
            &format!("reliability-{}", panels.len()),
            &format!("Reliability diagram, {}", group.name),
            &format!("{} bins; {shown}.", points.len()),
        ));
    }
    (!panels.is_empty()).then(|| Figure {
        id: "reliability".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Share of right predictions against mean confidence, 15 bins of equal numbers of predictions of the first run; calibrated \
                  confidences lie on the diagonal, overconfident ones below it."
            .to_owned(),
        data,
    })
}
