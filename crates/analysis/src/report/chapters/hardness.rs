//! Accuracy against the hardness of tasks: a figure of the chapter on difficulty.

use crate::hardness::{Hardness, HardnessSlope, Reference, task_accuracies};
use crate::outcome::StudyAnalysis;
use crate::report::document::{Cell, Csv, Figure};
use crate::report::group::{Group, by_setting};
use crate::report::svg::text::number;
use crate::report::svg::{Axis, Extent, Panel, heading};

/// A panel for each learner with a slope; `None` where no run served as reference.
pub(super) fn figure(groups: &[Group<'_>], analysis: &StudyAnalysis) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new("setting,learner,task,hardness,accuracy");
    let mut references: Vec<Reference> = Vec::new();
    for (setting, members) in by_setting(groups) {
        let figures = analysis.settings.iter().find(|s| s.setting == setting);
        let Some(hardness) = figures.and_then(|figures| figures.all.get::<Hardness>()) else {
            continue;
        };
        let clouds: Vec<_> = members
            .iter()
            .filter_map(|group| cloud(group, &hardness))
            .collect();
        let of = |pick: fn(&(f64, f64)) -> f64| {
            Extent::of(clouds.iter().flat_map(|cloud| &cloud.points).map(pick))
        };
        let (Some(x), Some(y)) = (of(|point| point.0), of(|point| point.1)) else {
            continue;
        };
        let x = Axis::new("hardness, log-odds against the true class", x);
        let y = Axis::new("task accuracy, %", y.padded(0.0, 4.0, 0.0, 100.0));
        for cloud in &clouds {
            panels.push(panel(panels.len(), cloud, &x, &y));
            for (task, (hardness, accuracy)) in cloud.points.iter().enumerate() {
                data.row(&[
                    Cell::Text(setting),
                    Cell::Text(cloud.group.learner),
                    Cell::Count(task),
                    Cell::Number(*hardness),
                    Cell::Number(accuracy / 100.0),
                ]);
            }
        }
        if !references.contains(&hardness.reference) {
            references.push(hardness.reference);
        }
    }
    let named: Vec<String> = references
        .iter()
        .map(|reference| format!("{}, seed {}", reference.learner, reference.seed))
        .collect();
    (!panels.is_empty()).then(|| Figure {
        id: "hardness-plot".to_owned(),
        panels,
        legend: Vec::new(),
        caption: format!(
            "Each point is one test task: accuracy (mean over runs) against its hardness, the mean over queries of the \
             log-odds against the true class under one frozen reference ({}), which is left out of the means. The line \
             is least squares; the steeper it falls, the more the learner depends on which tasks it meets.",
            named.join("; ")
        ),
        data,
    })
}

/// What a panel shows.
struct Cloud<'g, 'a> {
    group: &'g Group<'a>,
    slope: HardnessSlope,
    /// Hardness, and accuracy in percent, of each task.
    points: Vec<(f64, f64)>,
}

fn cloud<'g, 'a>(group: &'g Group<'a>, hardness: &Hardness) -> Option<Cloud<'g, 'a>> {
    let mut slopes = hardness.slopes.iter();
    let slope = slopes.find(|slope| slope.learner == group.learner)?.clone();
    let runs = group.scored().into_iter().map(|(run, _)| run);
    let (_, means) = task_accuracies(runs, &hardness.reference)?;
    let points = hardness
        .tasks
        .iter()
        .zip(means)
        .map(|(x, y)| (*x, 100.0 * y))
        .collect();
    Some(Cloud {
        group,
        slope,
        points,
    })
}

fn panel(index: usize, cloud: &Cloud<'_, '_>, x: &Axis, y: &Axis) -> String {
    let Cloud {
        group,
        slope,
        points,
    } = cloud;
    let line = &slope.line;
    let shown = format!("{} pp a unit", number(100.0 * line.slope.value, 1));
    let mut panel = Panel::new(&heading(&group.name, &shown), x, y, 270.0);
    panel.cloud(group.series, points);
    let ends = x.extent.ends();
    let at = |x: f64| (x, 100.0 * (line.intercept + line.slope.value * x));
    // Cut where the line leaves the frame: it is straight, and accuracy is not.
    let (bottom, top) = y.extent.ends();
    let inside: Vec<(f64, f64)> = (0..=200)
        .map(|step| at(ends.0 + (ends.1 - ends.0) * f64::from(step) / 200.0))
        .filter(|point| (bottom..=top).contains(&point.1))
        .collect();
    panel.line(group.series, "line", &inside);
    panel.finish(
        &format!("hardness-plot-{index}"),
        &format!("Accuracy against hardness of tasks, {}", group.name),
        &format!(
            "Scatter of {} tasks with a line of slope {shown}, R squared {}.",
            points.len(),
            number(line.r_squared, 2)
        ),
    )
}
