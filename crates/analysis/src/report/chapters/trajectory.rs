//! How fast two trainings part that differ in one task of one step.

use super::intervals::{measured, written};
use crate::probe::trajectory::Trajectory;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table};
use crate::report::group::{Group, distinct};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, heading};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "parting",
    family: Family::Generalization,
    title: "One task of one step",
    question: "Does training forget a small difference, or amplify it?",
    metrics: &["trajectory"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, Trajectory)> = measured(material.groups);
    let fastest = found
        .iter()
        .max_by(|a, b| a.1.growth.value.total_cmp(&b.1.growth.value))?;
    let floor = found.iter().map(|(_, it)| it.floor).fold(0.0, f64::max);
    let floor = if floor <= 0.0 {
        "With nothing exchanged, two trainings stay equal to the bit at every step.".to_owned()
    } else {
        format!(
            "With nothing exchanged, two trainings differ by up to {floor:.1e} of their length: differences up to that size are noise."
        )
    };
    let rates: Vec<String> = found
        .iter()
        .map(|(group, it)| format!("{} for {}", written(&it.growth, 1.0, 2), group.name))
        .collect();
    Some(Chapter {
        number: Some((
            format!("{} doublings", number(fastest.1.growth.value, 2)),
            format!("of the distance between two trainings of {} in 100 steps after one task of one step was exchanged", fastest.0.name),
        )),
        finding: Said::described(format!(
            "Doublings of the distance of the parameters in 100 steps, after one task of one outer step is exchanged: {}. {floor}",
            rates.join(", ")
        )),
        caveat: "Doublings are the slope of the binary logarithm of the distance over all steps that were followed. This includes the first \
                 steps, in which the optimizer takes up the difference. A distance that has reached the scatter between seeds grows no \
                 further. The beginning of training is followed, since stored runs keep no moments of the optimizer."
            .to_owned(),
        figures: figure(&found).into_iter().collect(),
        tables: vec![table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, Trajectory)]) -> Table {
    Table {
        caption: "Distance of the parameters over their length.".to_owned(),
        head: [
            "learner",
            "exchanged in step",
            "doublings in 100 steps",
            "distance at the end, %",
            "with nothing exchanged",
            "steps followed",
            "runs × exchanges",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found
            .iter()
            .map(|(group, it)| {
                vec![
                    group.name.clone(),
                    format!("{} (1 of {} tasks)", it.start + 1, it.meta_batch),
                    written(&it.growth, 1.0, 2),
                    written(&it.last, 100.0, 3),
                    if it.floor <= 0.0 {
                        "exactly 0".to_owned()
                    } else {
                        format!("{:.1e}", it.floor)
                    },
                    it.n_steps.to_string(),
                    format!("{} × {}", it.n_runs, it.n_exchanges / it.n_runs.max(1)),
                ]
            })
            .collect(),
    }
}

fn figure(found: &[(&Group<'_>, Trajectory)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,steps_since,mean,least,most");
    let mut panels = Vec::new();
    let all = || found.iter().flat_map(|(_, it)| it.curve.iter());
    let x = Axis::new(
        "outer steps since the exchange",
        Extent::of(
            found
                .iter()
                .flat_map(|(_, it)| [1.0, it.curve.len() as f64]),
        )?,
    );
    let y = Axis {
        title: "distance of the parameters, % of their length".to_owned(),
        extent: Extent::of(all().flatten().map(|value| 100.0 * value))?,
        logarithmic: true,
    };
    let groups: Vec<&Group<'_>> = found.iter().map(|(group, _)| *group).collect();
    for setting in distinct(groups.iter().map(|group| group.setting)) {
        let mut panel = Panel::new(&heading(setting, "two trainings part"), &x, &y, 280.0);
        let mut words = Vec::new();
        for (group, it) in found.iter().filter(|(group, _)| group.setting == setting) {
            let points = it.curve.iter().enumerate();
            let points =
                points.map(|(at, values)| ((at + 1) as f64, values.map(|value| 100.0 * value)));
            let points: Vec<(f64, [f64; 3])> = points.collect();
            let band: Vec<(f64, f64, f64)> =
                points.iter().map(|(step, v)| (*step, v[1], v[2])).collect();
            let line: Vec<(f64, f64)> = points.iter().map(|(step, v)| (*step, v[0])).collect();
            panel.band(group.series, "band80", &band);
            panel.line(group.series, "line", &line);
            for (at, values) in it.curve.iter().enumerate() {
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Count(at + 1),
                    Cell::Number(values[0]),
                    Cell::Number(values[1]),
                    Cell::Number(values[2]),
                ]);
            }
            words.push(format!(
                "{} {} % after {} steps",
                group.learner,
                number(100.0 * it.last.value, 2),
                it.n_steps
            ));
        }
        panels.push(panel.finish(
            &format!("parting-plot-{}", panels.len()),
            &format!("Distance of two trainings, {setting}"),
            &format!("{}.", words.join("; ")),
        ));
    }
    Some(Figure {
        id: "parting-plot".to_owned(),
        panels,
        legend: groups.iter().map(|group| (group.series.swatch(false), group.name.clone())).collect(),
        caption: "Distance of the parameters over their length after one task was exchanged: geometric mean over exchanges and runs, and a \
                  band from the smallest to the largest; logarithmic axis."
            .to_owned(),
        data,
    })
}
