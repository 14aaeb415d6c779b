//! What the inner loop and the hidden units do as training goes on.

use super::intervals::{measured, written};
use super::strip::{Course, figure, rests_on};
use crate::report::document::{Chapter, Table, decimal, extremes, list};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::training::MeanCurve;
use crate::training::inside::{HiddenUnits, InnerCourse, first_gain};

/// The subject of the inner loop.
pub(crate) const INNER: Subject = Subject {
    id: "inner-course",
    family: Family::Dynamics,
    title: "Inner loop over training",
    question: "When does adaptation start to work, and does it stay stable?",
    metrics: &["inner_course"],
    write: inner_chapter,
};

/// The subject of the units.
pub(crate) const UNITS: Subject = Subject {
    id: "hidden-units",
    family: Family::Dynamics,
    title: "Hidden units",
    question: "Do units die, and how far does adaptation move the statistics of batch normalisation?",
    metrics: &["hidden_units"],
    write: units_chapter,
};

fn inner_chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, InnerCourse)> = measured(material.groups);
    let gains: Vec<(&Group<'_>, f64)> = found
        .iter()
        .map(|(group, it)| (*group, it.first_gain.value))
        .collect();
    let (_, (most, gain)) = extremes(&gains)?;
    let each: Vec<String> = found
        .iter()
        .map(|(group, it)| {
            let gain = written(&it.first_gain, 100.0, 2);
            format!("{gain} for {} ({})", group.name, rests_on(it.n_runs))
        })
        .collect();
    let course = |title, of: fn(&MeanCurve) -> f64| {
        Course::along(title, &found, |it| {
            let points = it.course.iter();
            points.map(|(step, curve)| (*step, of(curve))).collect()
        })
    };
    let row = |(group, it): &(&Group<'_>, InnerCourse)| {
        vec![
            group.name.clone(),
            written(&it.before, 100.0, 2),
            written(&it.first_gain, 100.0, 2),
            written(&it.overshoot, 100.0, 2),
            written(&it.support_rose, 100.0, 1),
        ]
    };
    Some(Chapter {
        number: Some((
            format!("{} pp", decimal(100.0 * gain, 1)),
            format!("gain of the first inner step of {}, at the end of training", most.name),
        )),
        finding: Said::described(format!(
            "At the end of training, the first inner step adds, in pp: {}.",
            list(&each)
        )),
        caveat: format!(
            "Means over the inspected validation tasks, which are always the same ({} at least at the end of a training). Small changes \
             between inspections may hold for these tasks alone.",
            found.iter().map(|(_, it)| it.n_tasks).min().unwrap_or(0)
        ),
        figures: figure(
            "inner-course-plot",
            "At each inspection, means over runs: accuracy before adaptation, gain of the first inner step, accuracy at the end of the \
             curve (four times the trained steps), and share of tasks whose support loss rises at some step.",
            vec![
                course("accuracy before adaptation", |curve| {
                    curve.query_accuracy.first().copied().unwrap_or(f64::NAN)
                }),
                course("gain of the first inner step", first_gain),
                course("accuracy at the end of the curve", |curve| {
                    curve.query_accuracy.last().copied().unwrap_or(f64::NAN)
                }),
                course("tasks with rising support loss", |curve| curve.support_rose),
            ],
        )
        .into_iter()
        .collect(),
        tables: vec![Table {
            caption: "At the end of training; in % and pp, intervals over runs.".to_owned(),
            head: [
                "learner",
                "before adaptation",
                "gain of the first step",
                "lost after the best step",
                "tasks with rising support loss",
            ]
            .map(str::to_owned)
            .to_vec(),
            rows: found.iter().map(row).collect(),
        }],
        ..Chapter::default()
    })
}

fn units_chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, HiddenUnits)> = measured(material.groups);
    let shares: Vec<(&Group<'_>, f64)> = found
        .iter()
        .map(|(group, it)| (*group, it.dead.value))
        .collect();
    let ((_, lo), (_, hi)) = extremes(&shares)?;
    let finding = if *hi > 0.0 {
        let each: Vec<String> = found
            .iter()
            .map(|(group, it)| {
                let dead = written(&it.dead, 100.0, 2);
                format!("{dead} for {} ({})", group.name, rests_on(it.n_runs))
            })
            .collect();
        format!(
            "The share of units that are never active at the end of training is, in %, {}.",
            list(&each)
        )
    } else {
        let n_runs = found.iter().map(|(_, it)| it.n_runs).min().unwrap_or(0);
        format!(
            "At the end of training every unit of every learner is active on some inspected task, from {}.",
            rests_on(n_runs)
        )
    };
    let course = Course::along("share of dead units", &found, |it| {
        let points = it.course.iter();
        let share = |dead: &Vec<f64>| dead.iter().sum::<f64>() / dead.len().max(1) as f64;
        points.map(|(step, dead)| (*step, share(dead))).collect()
    });
    let rows = found.iter().flat_map(|(group, it)| {
        let blocks = it.blocks.iter().enumerate();
        blocks.map(move |(at, block)| {
            let drift = |which: usize| {
                let value = block.drift.map(|drift| drift[which]);
                value.map_or_else(|| "none".to_owned(), |value| decimal(value, 3))
            };
            vec![
                group.name.clone(),
                (at + 1).to_string(),
                decimal(100.0 * block.dead, 2),
                drift(0),
                drift(1),
            ]
        })
    });
    Some(Chapter {
        number: Some((
            format!("{} to {} %", decimal(100.0 * lo, 1), decimal(100.0 * hi, 1)),
            "units that are never active on the inspected tasks".to_owned(),
        )),
        finding: Said::described(finding),
        caveat: format!(
            "A unit is a filter of a block; it counts as dead if its output is not above zero at any place of any query of the inspected \
             validation tasks ({} at least at the end of a training). Other tasks may activate it.",
            found.iter().map(|(_, it)| it.n_tasks).min().unwrap_or(0)
        ),
        figures: figure(
            "hidden-units-plot",
            "Share of units, over all blocks, that are never active on the inspected validation tasks; means over runs.",
            vec![course],
        )
        .into_iter()
        .collect(),
        tables: vec![Table {
            caption: "By block at the end of training, means over runs. Drift: what the inner loop does to the batch statistics of the \
                      supports, from theta to the adapted parameters."
                .to_owned(),
            head: ["learner", "block", "dead units, %", "drift of the mean, SD", "drift of the SD, log"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.collect(),
        }],
        ..Chapter::default()
    })
}
