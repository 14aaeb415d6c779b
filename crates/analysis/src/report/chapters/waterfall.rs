//! The honest interval, broken into what makes it wide.

use crate::components::Components;
use crate::estimate::Interval;
use crate::report::document::{Cell, Csv, Figure, Table, list};
use crate::report::group::Group;
use crate::report::svg::{Axis, Extent, Rows, Series, heading};
use crate::spread::Spread;
use crate::summary::mean;
use crate::words::Words;

/// One source: its words in the plot, its name in the data, its look, its share of the variance of the mean.
type Part = (&'static str, &'static str, usize, f64);

/// Waterfall of variance shares, a panel for each group with two runs and two tasks.
pub(crate) fn figure(groups: &[Group<'_>], words: Words<'_>) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data =
        Csv::new("setting,learner,source,share_of_variance,half_width_of_honest_interval");
    let mut missing = Vec::new();
    let extent = Extent::of([0.0, 100.0])?;
    for group in groups {
        let Some(components) = group.get::<Components>() else {
            missing.push(group.name.clone());
            continue;
        };
        let half = components.interval.half_width();
        let parts = parts(&components);
        if parts.is_empty() {
            missing.push(group.name.clone());
            continue;
        }
        let axis = Axis::new("share of the variance of the mean, %", extent);
        let names: Vec<String> = parts.iter().map(|part| part.0.to_owned()).collect();
        let rest = written(components.mean, half, words);
        let title = heading(&group.name, &rest);
        let mut rows = Rows::new(&title, &axis, &names, 26.0);
        let mut from = 0.0;
        for (row, (_, source, look, share)) in parts.iter().enumerate() {
            let to = from + 100.0 * share;
            rows.bar(
                row,
                &format!("{} part", Series(*look).class()),
                from,
                to,
                15.0,
            );
            if row + 1 < parts.len() {
                rows.connector(row, to);
            }
            rows.text(row, from, to, &format!("{:.1} %", 100.0 * share));
            from = to;
            data.row(&[
                Cell::Text(group.setting),
                Cell::Text(group.learner),
                Cell::Text(source),
                Cell::Number(*share),
                Cell::Number(half),
            ]);
        }
        let shares: Vec<String> = parts
            .iter()
            .map(|part| format!("{} {:.1} %", part.0, 100.0 * part.3))
            .collect();
        panels.push(rows.finish(
            &format!("honest-{}", panels.len()),
            &format!("What the honest interval consists of, {}", group.name),
            &format!(
                "Half-width {}; shares of its variance: {}.",
                half_width(half, words),
                list(&shares)
            ),
        ));
    }
    if panels.is_empty() {
        return None;
    }
    let mut caption = String::from(
        "The interval for another training on other tasks of the same kind (crossed random effects, Student's t with Satterthwaite's degrees \
         of freedom), and the share of each source in the variance of the mean. More seeds reduce the part of the runs, more test tasks \
         reduce the part of the tasks, and both reduce the rest.",
    );
    if !missing.is_empty() {
        caption += &format!(
            " Not for {}: this needs two tested runs and some variance.",
            list(&missing)
        );
    }
    Some(Figure {
        id: "honest".to_owned(),
        panels,
        legend: Vec::new(),
        caption,
        data,
    })
}

/// The intervals of a mean side by side: what each of them claims, and how wide it is.
pub(crate) fn table(groups: &[Group<'_>], words: Words<'_>) -> Option<Table> {
    let limits = |i: &Interval| words.bare_range(i);
    let rows: Vec<Vec<String>> = groups
        .iter()
        .filter_map(|group| {
            let spread: Spread = group.get()?;
            let components: Option<Components> = group.get();
            let printed = mean(
                &spread
                    .runs
                    .iter()
                    .map(|run| run.printed.half_width())
                    .collect::<Vec<_>>(),
            );
            let open = components
                .as_ref()
                .and_then(|c| c.open.as_ref())
                .map_or("pool unknown".to_owned(), |o| {
                    format!("{} ({} disjoint tasks)", limits(&o.interval), o.n_disjoint)
                });
            Some(vec![
                group.name.clone(),
                words.bare(spread.mean.value),
                if spread.task_means.len() < 2 {
                    "needs two tasks".to_owned()
                } else {
                    format!("± {}", words.bare_points(printed))
                },
                spread
                    .mean
                    .interval
                    .as_ref()
                    .map_or("needs two runs that differ".to_owned(), limits),
                components
                    .as_ref()
                    .map_or("needs two runs that differ".to_owned(), |c| {
                        limits(&c.interval)
                    }),
                open,
            ])
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: words.text("Four meanings of a ±, in %. Printed, one run: this checkpoint on other tasks from the same test images (what \
                  papers print; mean half-width of the runs). Other seeds: another set of seeds on these tasks. Other seeds and tasks: \
                  another set of seeds on other tasks (the honest interval). New test data: the same, if only tasks without a common image \
                  count."),
        head: ["learner", "mean", "printed, one run", "other seeds", "other seeds and tasks", "new test data"].map(str::to_owned).to_vec(),
        rows,
    })
}

/// `59.52 % ± 2.74 pp`.
fn written(mean: f64, half: f64, words: Words<'_>) -> String {
    if words.are_shares() {
        format!("{:.2} % ± {:.2} pp", 100.0 * mean, 100.0 * half)
    } else {
        format!("{} ± {}", words.bare(mean), words.bare_points(half))
    }
}

/// `2.74 percentage points`.
fn half_width(half: f64, words: Words<'_>) -> String {
    if words.are_shares() {
        format!("{:.2} percentage points", 100.0 * half)
    } else {
        words.bare_points(half)
    }
}

/// The sources in order; the residual is split at its known floor, the sampling of queries, where that is known.
fn parts(components: &Components) -> Vec<Part> {
    if !(components.variance_of_mean.is_finite() && components.variance_of_mean > 0.0) {
        return Vec::new();
    }
    let residual = components.residual.share;
    let mut parts: Vec<Part> = vec![
        ("between runs", "run", 0, components.run.share),
        ("between tasks", "task", 1, components.task.share),
    ];
    match components
        .query_floor
        .filter(|_| components.residual.variance > 0.0)
    {
        Some(floor) => {
            let queries = (floor / components.residual.variance).clamp(0.0, 1.0);
            parts.push(("run × task", "interaction", 3, residual * (1.0 - queries)));
            parts.push(("query sampling", "queries", 2, residual * queries));
        }
        None => parts.push(("run × task, queries", "residual", 3, residual)),
    }
    parts
}
