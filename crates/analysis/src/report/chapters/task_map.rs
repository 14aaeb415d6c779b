//! Where tasks lie, and whether the odd ones fail.

use super::alphabets;
use super::intervals::measured;
use crate::findings::p_value;
use crate::multiplicity::holm;
use crate::probe::task_map::{Correlation, TaskMap};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, decimal, list};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Panel, Series, heading};
use crate::summary::quantile;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "task-map",
    family: Family::Geometry,
    title: "Task map",
    question: "Which tasks are alike, do the odd ones fail, and which alphabets are unstable?",
    metrics: &["task_map"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, TaskMap)> = measured(material.groups);
    let strength = |map: &TaskMap| map.oddness_accuracy.map_or(0.0, |c| c.rho.abs());
    let (group, strongest) = found
        .iter()
        .max_by(|a, b| strength(&a.1).total_cmp(&strength(&b.1)))?;
    let known: Vec<(&Group<'_>, Correlation)> = found
        .iter()
        .filter_map(|(group, map)| Some((*group, map.oddness_accuracy?)))
        .collect();
    let adjusted = holm(known.iter().map(|(_, c)| Some(c.p_value)));
    let each: Vec<String> = known
        .iter()
        .zip(&adjusted)
        .map(|((group, c), p)| {
            let p = p.map_or_else(String::new, |p| format!(" ({})", p_value(p)));
            format!("{}{p} for {}", decimal(c.rho, 2), group.name)
        })
        .collect();
    let finding = if each.is_empty() {
        "Every task has the same accuracy, so no correlation exists.".to_owned()
    } else {
        format!(
            "Rank correlation between the distance of a task from the others and its accuracy (p after Holm): {}.",
            list(&each)
        )
    };
    Some(Chapter {
        number: strongest
            .oddness_accuracy
            .map(|c| (decimal(c.rho, 2), format!("rank correlation of a task's oddness with accuracy, {}", group.name))),
        finding: Said::described(finding).and(alphabets::finding(&found)),
        caveat: "The Fisher information is estimated from a few draws of labels. It depends on the difficulty of a task as well as on its \
                 content: a task that is solved with certainty has little of it. A correlation does not show a cause. The intervals of the \
                 lowest alphabets are not corrected for their selection as the lowest."
            .to_owned(),
        figures: [figure(&found), alphabets::figure(&found)].into_iter().flatten().collect(),
        tables: vec![table(&found), alphabets::table(&found)],
        ..Chapter::default()
    })
}

fn table(found: &[(&Group<'_>, TaskMap)]) -> Table {
    let shown = |correlation: Option<Correlation>| {
        correlation.map_or_else(
            || "constant".to_owned(),
            |c| format!("{} (p = {})", decimal(c.rho, 2), decimal(c.p_value, 3)),
        )
    };
    Table {
        caption: "Spearman's rank correlations over tasks (means over runs), with permutation tests. Oddness: mean distance to all other \
                  tasks. Instability: SD over support sets."
            .to_owned(),
        head: ["learner", "oddness, accuracy", "oddness, instability", "information, accuracy", "runs × tasks"]
            .map(str::to_owned)
            .to_vec(),
        rows: found
            .iter()
            .map(|(group, map)| {
                vec![
                    group.name.clone(),
                    shown(map.oddness_accuracy),
                    shown(map.oddness_instability),
                    shown(map.information_accuracy),
                    format!("{} × {}", map.n_runs, map.first.n_tasks),
                ]
            })
            .collect(),
    }
}

fn figure(found: &[(&Group<'_>, TaskMap)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,task,x,y,accuracy,sd_over_support_sets,information");
    let mut panels = Vec::new();
    for (group, map) in found {
        let first = &map.first;
        let at = |pick: fn(&(f64, f64)) -> f64| {
            Extent::of(first.plane.iter().map(pick))
                .map(|e| e.padded(0.05, 1e-9, f64::MIN, f64::MAX))
        };
        let (x, y) = (
            Axis::new("first axis", at(|p| p.0)?),
            Axis::new("second axis", at(|p| p.1)?),
        );
        let mut panel = Panel::new(&heading(&group.name, "tasks"), &x, &y, 280.0);
        let (low, high) = (
            quantile(&first.accuracy, 0.25),
            quantile(&first.accuracy, 0.75),
        );
        let with = |keep: &dyn Fn(f64) -> bool| -> Vec<(f64, f64)> {
            let tasks = first.plane.iter().zip(&first.accuracy);
            tasks
                .filter(|(_, accuracy)| keep(**accuracy))
                .map(|(point, _)| *point)
                .collect()
        };
        panel.cloud(group.series, &with(&|a| a > low && a < high));
        panel.dots(Series(1), "dot", 4.0, &with(&|a| a <= low));
        panel.dots(Series(2), "dot", 4.0, &with(&|a| a >= high && a > low));
        for (task, point) in first.plane.iter().enumerate() {
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Count(task),
                Cell::Number(point.0),
                Cell::Number(point.1),
                Cell::Number(first.accuracy[task]),
                Cell::Number(first.support_sd[task]),
                Cell::Number(first.information[task]),
            ]);
        }
        panels.push(panel.finish(
            &format!("task-map-plot-{}", panels.len()),
            &format!("Map of tasks, {}", group.name),
            &format!(
                "{} tasks; the lowest quarter of accuracies is at most {} %.",
                first.n_tasks,
                decimal(100.0 * low, 1)
            ),
        ));
    }
    let mark = |series: Series| {
        swatch(&format!(
            "<path class=\"{} dot\" d=\"{}\"/>",
            series.class(),
            series.marker(15.0, 6.0, 4.0)
        ))
    };
    (!panels.is_empty()).then(|| Figure {
        id: "task-map-plot".to_owned(),
        panels,
        legend: vec![
            (mark(Series(1)), "lowest quarter of accuracies".to_owned()),
            (mark(Series(2)), "highest quarter".to_owned()),
        ],
        caption: "Each test task of the first run is a point, placed so that the distances of the Fisher embeddings are preserved as well as \
                  a plane allows."
            .to_owned(),
        data,
    })
}
