//! What another support set does to the same task.

use super::intervals::{Look, Quantity, figure, measured, values, written};
use crate::probe::support_sets::SupportSets;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, extremes, percent, range};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Panel, heading};
use crate::summary::mean;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "support-sets",
    family: Family::Adaptation,
    title: "Support sets",
    question: "Does the answer stay the same when the same task is shown with other support examples?",
    metrics: &["support_sets"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let found: Vec<(&Group<'_>, SupportSets)> = measured(material.groups);
    let sds = values(&found, |sets| sets.sd.value);
    let ((least, lo), (most, hi)) = extremes(&sds)?;
    let (_, first) = found.first()?;
    let spread = if least == most {
        format!(
            "another draw of the support set moves {least} by {} pp (SD)",
            percent(*lo)
        )
    } else {
        format!(
            "another draw of the support set moves the accuracy by {} pp ({least}) to {} pp ({most}) (SD)",
            percent(*lo),
            percent(*hi)
        )
    };
    let searched = found.iter().filter_map(|(group, sets)| {
        Some((group.name.as_str(), sets.extremes.as_ref()?.range.value))
    });
    let widest = extremes(&searched.collect::<Vec<_>>()).map(|(_, (name, range))| {
        format!(
            " Between the worst and the best support set that a search finds, the accuracy of {name} on fresh queries differs by {} pp.",
            percent(*range)
        )
    });
    Some(Chapter {
        number: Some((range(*lo, *hi, "pp"), "SD of the accuracy of one task over support sets".to_owned())),
        finding: Said::described(format!("On the same task, {spread}.{}", widest.unwrap_or_default())),
        caveat: "A task with few queries cannot show small changes. Searched sets are judged on queries that the search did not see. A \
                 greedy search gives a lower bound of the true range."
            .to_owned(),
        figures: draws(&found).into_iter().chain(dumbbells(&found)).collect(),
        tables: vec![Table {
            caption: format!(
                "{} support sets for each task, classes and queries fixed. ICC: share of the variance of a single episode that comes from \
                 the task.",
                first.n_draws
            ),
            head: ["learner", "SD, pp", "95th percentile of SD, pp", "ICC", "SD of binomial queries, pp", "runs × tasks"]
                .map(str::to_owned)
                .to_vec(),
            rows: found
                .iter()
                .map(|(group, sets)| {
                    vec![
                        group.name.clone(),
                        written(&sets.sd, 100.0, 2),
                        percent(sets.high_sd),
                        written(&sets.icc, 1.0, 2),
                        sets.binomial_sd.map_or_else(|| "unknown".to_owned(), percent),
                        format!("{} × {}", sets.n_runs, sets.n_tasks),
                    ]
                })
                .collect(),
        }],
        ..Chapter::default()
    })
}

/// Each task a column: all its draws, tasks in order of their mean.
fn draws(found: &[(&Group<'_>, SupportSets)]) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,rank_of_task,draw_in_ascending_order,accuracy");
    let lowest = found
        .iter()
        .flat_map(|(_, sets)| sets.tasks.iter().flatten());
    let y = Axis::new(
        "task accuracy, %",
        Extent::of(lowest.map(|a| 100.0 * a))?.padded(0.03, 4.0, 0.0, 100.0),
    );
    let mut panels = Vec::new();
    for (group, sets) in found {
        let mut tasks: Vec<&Vec<f64>> = sets.tasks.iter().collect();
        tasks.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
        let x = Axis::new(
            "tasks, by their mean",
            Extent::of([1.0, tasks.len() as f64])?,
        );
        let shown = format!("SD {} pp", percent(sets.sd.value));
        let mut panel = Panel::new(&heading(&group.name, &shown), &x, &y, 260.0);
        let mut ends = Vec::new();
        let mut means = Vec::new();
        let mut cloud = Vec::new();
        for (rank, task) in tasks.iter().enumerate() {
            let at = (rank + 1) as f64;
            ends.push((at, 100.0 * task[0], 100.0 * task[task.len() - 1]));
            means.push((at, 100.0 * mean(task)));
            for (draw, accuracy) in task.iter().enumerate() {
                cloud.push((at, 100.0 * accuracy));
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Count(rank + 1),
                    Cell::Count(draw),
                    Cell::Number(*accuracy),
                ]);
            }
        }
        panel.band(group.series, "band80", &ends);
        panel.cloud(group.series, &cloud);
        panel.line(group.series, "median", &means);
        panels.push(panel.finish(
            &format!("support-draws-{}", panels.len()),
            &format!("Accuracy of each task over support sets, {}", group.name),
            &format!(
                "{} tasks with {} support sets each; {shown} on average.",
                tasks.len(),
                sets.n_draws
            ),
        ));
    }
    Some(Figure {
        id: "support-draws".to_owned(),
        panels,
        legend: Vec::new(),
        caption: "Each task of the first run is a column: its accuracy with each drawn support set (points), from the lowest to the \
                  highest (band), and the mean (line). Points lie on each other where draws agree."
            .to_owned(),
        data,
    })
}

fn dumbbells(found: &[(&Group<'_>, SupportSets)]) -> Option<Figure> {
    let mut quantities = Vec::new();
    for (group, sets) in found {
        let Some(sets) = &sets.extremes else { continue };
        for (name, estimate) in [
            ("worst", &sets.worst),
            ("drawn", &sets.drawn),
            ("best", &sets.best),
        ] {
            quantities.push(Quantity {
                group,
                name,
                estimate: estimate.clone(),
            });
        }
    }
    let look = Look {
        id: "support-extremes",
        axis: "accuracy on fresh queries, %",
        factor: 100.0,
        decimals: 1,
        reference: None,
    };
    figure(
        look,
        "The support set that hurts most, one drawn at random, and the one that helps most. A greedy search over the candidates of each \
         class finds the two on some queries of the task; the accuracy is on the other queries.",
        &quantities,
    )
}
