//! Task accuracies as a distribution function, against pure query sampling.

use crate::distribution::binomial_cdf;
use crate::findings::Certainty;
use crate::report::document::{
    Cell, Chapter, Csv, Figure, extremes, list, percent, percent_range, range,
};
use crate::report::group::{Group, by_setting};
use crate::report::said::{Basis, Said};
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Panel, heading};
use crate::summary::mean;
use crate::tail::{Tail, TailLevel};

/// Share of tasks that counts as the tail.
pub(crate) const TAIL: f64 = 0.1;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "tail",
    family: Family::Outcome,
    title: "Tail",
    question: "How bad are the worst tasks?",
    metrics: &["tail"],
    write: chapter,
};

/// Why there is no tail, and what would bring it.
fn no_tail(material: &Material<'_>) -> String {
    if material
        .groups
        .iter()
        .all(|group| group.scored().is_empty())
    {
        return "No run reached its test, so there is no tail to look at.".to_owned();
    }
    let has_tasks = material
        .groups
        .iter()
        .flat_map(Group::scored)
        .any(|(_, scores)| scores.len() > 1);
    if has_tasks {
        "The tail needs the number of queries of each score (a column `queries`). Without it, the value of the worst tenth by chance is not \
         known."
            .to_owned()
    } else if material.groups.iter().any(Group::is_incomplete) {
        "Not every run was tested on every task, so there is no tail to look at.".to_owned()
    } else {
        "Each run has one score and no scores by task, so there is no tail to look at.".to_owned()
    }
}

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { groups, .. } = *material;
    let levels: Vec<(&str, TailLevel)> = groups
        .iter()
        .filter_map(|group| Some((group.name.as_str(), level(group)?)))
        .collect();
    let few = groups
        .iter()
        .filter_map(|group| group.get::<Tail>())
        .any(|tail| !tail.enough_queries);
    let lowest: Vec<(&str, f64)> = levels
        .iter()
        .map(|(name, level)| (*name, level.cvar))
        .collect();
    let shown = |name: &str| {
        levels
            .iter()
            .find(|(other, _)| *other == name)
            .map_or_else(String::new, |(_, level)| {
                format!(
                    "{} % {} for {name} (query sampling alone would give {} %)",
                    percent(level.cvar),
                    percent_range(level.over_tasks.lower, level.over_tasks.upper),
                    percent(level.null_exact)
                )
            })
    };
    let finding = match extremes(&lowest) {
        None => Said::described(no_tail(material)),
        Some(((hard, _), (mild, _))) => {
            let below = |(_, level): &&(&str, TailLevel)| {
                let null = level.null.interval.as_ref();
                null.is_some_and(|null| level.over_tasks.upper < null.lower)
            };
            let below: Vec<&str> = levels.iter().filter(below).map(|(name, _)| *name).collect();
            let spread = if hard == mild {
                shown(hard)
            } else {
                format!("{} to {}", shown(hard), shown(mild))
            };
            let (certainty, tell) = if below.is_empty() {
                (
                    Certainty::NotDistinguishable,
                    "No learner is shown to be lower than equally hard tasks would give."
                        .to_owned(),
                )
            } else {
                (
                    Certainty::Distinguishable,
                    format!("Some tasks are harder than others for {}.", list(&below)),
                )
            };
            let basis = Basis::of(&groups.iter().collect::<Vec<_>>(), certainty);
            Said::carried(
                format!("The worst tenth of tasks averages {spread}. {tell}"),
                basis,
            )
        }
    };
    Some(Chapter {
        number: extremes(&lowest).map(|((_, lo), (_, hi))| {
            (
                range(*lo, *hi, "%"),
                "accuracy in the worst tenth of tasks (CVaR10)".to_owned(),
            )
        }),
        finding,
        caveat: format!(
            "A lowest tenth exists even if all tasks are equally hard; only its distance from the null shows that tasks differ.{}",
            if few {
                " With fewer than 15 queries of each class, a tail is mostly binomial noise of the queries."
            } else {
                ""
            }
        ),
        figures: ecdf(groups).into_iter().collect(),
        tables: Vec::new(),
        ..Chapter::default()
    })
}

/// The figures of the tail that is drawn.
pub(crate) fn level(group: &Group<'_>) -> Option<TailLevel> {
    group
        .get::<Tail>()?
        .levels
        .into_iter()
        .find(|level| (level.share - TAIL).abs() < 1e-9)
}

/// Distribution function of task accuracy for each group, the binomial null and the tail.
fn ecdf(groups: &[Group<'_>]) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new("setting,learner,task_accuracy,share_of_tasks,binomial_null");
    let mut missing = Vec::new();
    for (_, members) in by_setting(groups) {
        let tables: Vec<_> = members.iter().map(|group| distribution(group)).collect();
        let lowest = tables.iter().flatten().flat_map(|table| {
            table
                .iter()
                .filter(|row| row.1.max(row.2) > 5e-4)
                .map(|row| 100.0 * row.0)
        });
        let Some(extent) = Extent::of(lowest) else {
            missing.extend(members.iter().map(|group| group.name.clone()));
            continue;
        };
        let Some(unit) = Extent::of([0.0, 100.0]) else {
            continue;
        };
        let x = Axis::new(
            "task accuracy, %",
            extent.with(100.0).padded(0.0, 4.0, 0.0, 100.0),
        );
        let y = Axis::new("tasks at or below, %", unit);
        for (group, table) in members.iter().zip(&tables) {
            let Some(table) = table else {
                missing.push(group.name.clone());
                continue;
            };
            let tail = level(group).map(|l| (l.cvar, l.null_exact));
            let title = tail.map_or(group.name.clone(), |(own, null)| {
                let rest = format!("CVaR10 {:.1} %, null {:.1} %", 100.0 * own, 100.0 * null);
                heading(&group.name, &rest)
            });
            let mut panel = Panel::new(&title, &x, &y, 270.0);
            let own: Vec<_> = std::iter::once((x.extent.ends().0, 0.0))
                .chain(table.iter().map(|row| (100.0 * row.0, 100.0 * row.1)))
                .collect();
            let null: Vec<_> = std::iter::once((x.extent.ends().0, 0.0))
                .chain(table.iter().map(|row| (100.0 * row.0, 100.0 * row.2)))
                .collect();
            panel.band(group.series, "tail", &shade(&own, 100.0 * TAIL));
            panel.stairs("null", &null);
            panel.stairs(&format!("{} measured", group.series.class()), &own);
            let mut words = String::new();
            if let Some((measured, expected)) = tail {
                panel.upright(100.0 * expected, "mark-null");
                panel.upright(
                    100.0 * measured,
                    &format!("{} mark-own", group.series.class()),
                );
                words = format!(
                    " The lowest tenth of tasks averages {:.1} %, where query sampling alone would give {:.1} %.",
                    100.0 * measured,
                    100.0 * expected
                );
            }
            for row in table {
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Number(row.0),
                    Cell::Number(row.1),
                    Cell::Number(row.2),
                ]);
            }
            panels.push(panel.finish(
                &format!("ecdf-{}", panels.len()),
                &format!("Distribution of task accuracy, {}", group.name),
                &format!("Step curve of the share of tasks at or below each accuracy, beside the binomial null.{words}"),
            ));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let legend = vec![
        (
            swatch("<path class=\"c5 measured\" d=\"M0 10H10V6H20V2H30\"/>"),
            "measured, runs pooled".to_owned(),
        ),
        (
            swatch("<path class=\"null\" d=\"M0 10H10V6H20V2H30\"/>"),
            "binomial null: all tasks equally hard".to_owned(),
        ),
        (
            swatch("<rect class=\"c5 tail\" width=\"30\" height=\"12\"/>"),
            "lowest 10 % of tasks".to_owned(),
        ),
        (
            swatch("<path class=\"c5 mark-own\" d=\"M15 0V12\"/>"),
            "CVaR10 measured".to_owned(),
        ),
        (
            swatch("<path class=\"mark-null\" d=\"M15 0V12\"/>"),
            "CVaR10 of the null".to_owned(),
        ),
    ];
    let mut caption = String::from(
        "Share of tasks at or below each accuracy. In the null, every query is right with the run's mean accuracy as its probability, \
         independently of the others. A curve left of the null shows difficulty of tasks, not chance of queries.",
    );
    if !missing.is_empty() {
        caption += &format!(" No curve for {}: no run reached its test.", list(&missing));
    }
    Some(Figure {
        id: "ecdf".to_owned(),
        panels,
        legend,
        caption,
        data,
    })
}

/// `(accuracy, measured share at or below, null share at or below)` at every accuracy that a task can have.
fn distribution(group: &Group<'_>) -> Option<Vec<(f64, f64, f64)>> {
    let n_queries = group.queries_per_task()?;
    let scored = group.scored();
    let mut counts = vec![0usize; n_queries + 1];
    let mut null = vec![0.0; n_queries + 1];
    for (_, accuracies) in &scored {
        let p = mean(accuracies);
        for (right, total) in null.iter_mut().enumerate() {
            *total += binomial_cdf(right as u64, n_queries as u64, p) / scored.len() as f64;
        }
        for accuracy in accuracies {
            counts[(accuracy * n_queries as f64).round() as usize] += 1;
        }
    }
    let n: usize = counts.iter().sum();
    let mut below = 0;
    Some(
        counts
            .iter()
            .zip(&null)
            .enumerate()
            .map(|(right, (count, share))| {
                below += count;
                (
                    right as f64 / n_queries as f64,
                    below as f64 / n as f64,
                    *share,
                )
            })
            .collect(),
    )
}

/// The area under a step curve up to height `top`.
fn shade(stairs: &[(f64, f64)], top: f64) -> Vec<(f64, f64, f64)> {
    let mut area: Vec<(f64, f64, f64)> = Vec::new();
    let mut height = 0.0;
    for &(x, y) in stairs {
        area.push((x, 0.0, height));
        height = f64::min(y, top);
        area.push((x, 0.0, height));
        if y >= top {
            break;
        }
    }
    area
}
