//! A figure that the chapters on training share: quantities over outer steps, a panel each, a line for each learner.

use std::collections::BTreeSet;

use crate::report::document::{Cell, Csv, Figure, decimal};
use crate::report::group::Group;
use crate::report::svg::{Axis, Extent, Panel};

/// One quantity along the training.
pub(super) struct Course<'g, 'a> {
    /// Quantity and unit, the title of its panel.
    pub(super) title: &'static str,
    /// Whether its axis is logarithmic.
    pub(super) logarithmic: bool,
    /// A level that means something, and its name.
    pub(super) level: Option<(f64, &'static str)>,
    /// Points `(outer step, value)` of each learner that has it.
    pub(super) lines: Vec<(&'g Group<'a>, Vec<(usize, f64)>)>,
}

impl<'g, 'a> Course<'g, 'a> {
    /// What was found of each learner, as points on a linear axis without a level.
    pub(super) fn along<M>(
        title: &'static str,
        found: &[(&'g Group<'a>, M)],
        points: impl Fn(&M) -> Vec<(usize, f64)>,
    ) -> Self {
        let lines = found.iter().map(|(group, it)| (*group, points(it)));
        Self {
            title,
            logarithmic: false,
            level: None,
            lines: lines.collect(),
        }
    }
}

/// Fewest different steps over which a course is drawn: two have no course.
const FEWEST_STEPS: usize = 3;

/// The figure, a panel for each quantity that was seen at three different steps; none if none was.
pub(super) fn figure(id: &str, caption: &str, courses: Vec<Course<'_, '_>>) -> Option<Figure> {
    let mut data = Csv::new("setting,learner,quantity,step,value");
    let mut panels = Vec::new();
    let mut legend: Vec<(String, String)> = Vec::new();
    for course in courses {
        let points = || course.lines.iter().flat_map(|(_, line)| line);
        let seen: BTreeSet<usize> = points().map(|(step, _)| *step).collect();
        if seen.len() < FEWEST_STEPS {
            continue;
        }
        let (Some(steps), Some(values)) = (
            Extent::of(points().map(|(step, _)| *step as f64)),
            Extent::of(
                points()
                    .map(|(_, value)| *value)
                    .chain(course.level.map(|it| it.0)),
            ),
        ) else {
            continue;
        };
        let x = Axis::new("outer steps", steps.with(0.0));
        let y = Axis {
            title: "mean over runs".to_owned(),
            extent: if course.logarithmic {
                values
            } else {
                values.padded(0.05, 1e-6, f64::MIN, f64::MAX)
            },
            logarithmic: course.logarithmic,
        };
        let mut panel = Panel::new(course.title, &x, &y, 230.0);
        if let Some((level, name)) = course.level {
            panel.level(level, name);
        }
        let mut words = Vec::new();
        for (group, line) in course.lines.iter().filter(|(_, line)| !line.is_empty()) {
            let drawn: Vec<(f64, f64)> = line.iter().map(|(x, y)| (*x as f64, *y)).collect();
            panel.line(group.series, "line", &drawn);
            if drawn.len() <= 25 {
                panel.dots(group.series, "dot", 2.6, &drawn);
            }
            let swatch = (group.series.swatch(true), group.name.clone());
            if !legend.contains(&swatch) {
                legend.push(swatch);
            }
            if let (Some((_, first)), Some((_, last))) = (line.first(), line.last()) {
                let [first, last] = [first, last].map(|value| decimal(*value, 3));
                words.push(format!("{} from {first} to {last}", group.name));
            }
            for (step, value) in line {
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Text(course.title),
                    Cell::Count(*step),
                    Cell::Number(*value),
                ]);
            }
        }
        let title = format!("{} over outer steps", course.title);
        let description = format!("{}.", words.join("; "));
        panels.push(panel.finish(&format!("{id}-{}", panels.len()), &title, &description));
    }
    (!panels.is_empty()).then(|| Figure {
        id: id.to_owned(),
        panels,
        legend,
        caption: caption.to_owned(),
        data,
    })
}

/// `3 seeds`, and what that is worth: how a chapter says on how many trainings it rests.
pub(super) fn rests_on(n_runs: usize) -> String {
    match n_runs {
        1 => "one run each, which says nothing about another training".to_owned(),
        n => format!("{n} runs each"),
    }
}
