//! What each inner step does to accuracy and loss.

use crate::curves::InnerCurves;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, extremes, list, percent, range};
use crate::report::group::{Group, by_setting, n_columns};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Panel, Series, heading};
use crate::summary::{quantile_of_sorted, sorted};
use crate::words::Words;

/// Quantiles of the ribbons, the median in the middle.
const SHARES: [f64; 7] = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975];

/// One quantity after each inner step: its quantiles over tasks and runs.
type Ribbon = Vec<[f64; 7]>;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "adaptation",
    family: Family::Adaptation,
    title: "Adaptation",
    question: "What does each inner step do, and what happens beyond the steps that training used?",
    metrics: &["curves"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material {
        groups, analysis, ..
    } = *material;
    let words = Words::of(&analysis.options);
    let gains: Vec<(&str, f64)> = groups
        .iter()
        .filter(|group| !group.adapted().is_empty())
        .filter_map(|group| {
            let [accuracy, _, _] = quantities(group);
            let trained = group.adapted()[0]
                .1
                .trained_steps
                .min(accuracy.len().checked_sub(1)?);
            Some((group.name.as_str(), accuracy[trained][3] - accuracy[0][3]))
        })
        .collect();
    let finding = match extremes(&gains) {
        None => "No learner of this study recorded an inner loop (metric learners have none), so there is nothing to show here.".to_owned(),
        Some(((only, gain), _)) if gains.len() == 1 => {
            let what = format!("In the inner steps of its training, {only} gains");
            match words.are_shares() {
                true => format!("{what} {} pp of median query accuracy.", percent(*gain)),
                false => format!("{what} {} of median query {}.", words.points(*gain), words.noun()),
            }
        }
        Some(((least, lo), (most, hi))) if !words.are_shares() => format!(
            "In the inner steps of training, median query {} gains {} ({least}) to {} ({most}).",
            words.noun(),
            words.points(*lo),
            words.points(*hi)
        ),
        Some(((least, lo), (most, hi))) => format!(
            "In the inner steps of training, median query accuracy gains {} pp ({least}) to {} pp ({most}).", percent(*lo), percent(*hi)
        ),
    };
    Some(Chapter {
        number: extremes(&gains).map(|((_, lo), (_, hi))| {
            let shown = match words.are_shares() {
                true => range(*lo, *hi, "pp"),
                false => format!("{} to {}", words.points(*lo), words.points(*hi)),
            };
            (shown, "median gain from the inner loop".to_owned())
        }),
        finding: Said::described(finding),
        caveat: "Bands are over tasks, not over trainings; steps beyond those of training are outside of what the meta-parameters were \
                 trained for.".to_owned(),
        figures: ribbons(groups, words).into_iter().collect(),
        tables: table(groups, words).into_iter().collect(),
        ..Chapter::default()
    })
}

/// What the mean curves say, for each group with an inner loop.
fn table(groups: &[Group<'_>], words: Words<'_>) -> Option<Table> {
    let rows: Vec<Vec<String>> = groups
        .iter()
        .filter_map(|group| {
            let curves: InnerCurves = group.get()?;
            let s = &curves.summary;
            Some(vec![
                group.name.clone(),
                words.bare(s.before),
                words.bare_points(s.gain_of_first_step),
                words.bare_points(s.gain),
                format!("{} (trained with {})", s.best_step, curves.trained_steps),
                words.bare_points(s.overshoot),
                percent(s.support_rose),
                percent(s.query_rose_while_support_fell),
            ])
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: match words.are_shares() {
            true => "Means over tasks and runs. Overshoot: accuracy lost between the best and the last step.".to_owned(),
            false => format!(
                "Means of the {} over tasks and runs; a gain is an improvement. Overshoot: what is lost between the best and the last step.",
                words.noun()
            ),
        },
        head: [
            "learner", "before adaptation, %", "gain of first step, pp", "gain to the end, pp", "best step", "overshoot, pp",
            "tasks whose support loss rose, %", "tasks whose query loss rose while support loss fell, %",
        ]
        .map(|head| match words.are_shares() {
            true => head.to_owned(),
            false => head.replace(", pp", "").replace("before adaptation, %", "before adaptation"),
        })
        .to_vec(),
        rows,
    })
}

/// Query accuracy and losses over inner steps, two panels for each group with an inner loop.
fn ribbons(groups: &[Group<'_>], words: Words<'_>) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new(
        "setting,learner,quantity,inner_step,low95,low80,low50,median,high50,high80,high95",
    );
    let mut without = Vec::new();
    for (_, members) in by_setting(groups) {
        let (with, none): (Vec<_>, Vec<_>) = members
            .into_iter()
            .partition(|group| !group.adapted().is_empty());
        without.extend(none.iter().map(|group| group.name.clone()));
        let tables: Vec<_> = with.iter().map(|group| quantities(group)).collect();
        for (group, [accuracy, support, query]) in with.iter().zip(&tables) {
            let of_shares = words.are_shares().then_some(("query_accuracy", accuracy));
            let losses = [("support_loss", support), ("query_loss", query)];
            for (name, ribbon) in of_shares.into_iter().chain(losses) {
                for (step, row) in ribbon.iter().enumerate() {
                    let mut cells = vec![
                        Cell::Text(group.setting),
                        Cell::Text(group.learner),
                        Cell::Text(name),
                        Cell::Count(step),
                    ];
                    cells.extend(row.iter().map(|v| Cell::Number(*v)));
                    data.row(&cells);
                }
            }
        }
        let shared =
            |pick: &dyn Fn(&[Ribbon; 3]) -> Vec<f64>| Extent::of(tables.iter().flat_map(pick));
        let Some(accuracies) = shared(&|t| t[0].iter().flatten().map(|v| 100.0 * v).collect())
        else {
            continue;
        };
        let losses = shared(&|t| t[1].iter().chain(&t[2]).flatten().copied().collect());
        let accuracy_axis = Axis::new(
            "query accuracy, %",
            accuracies.padded(0.03, 4.0, 0.0, 100.0),
        );
        for (group, [accuracy, support, query]) in with.iter().zip(&tables) {
            let trained = group.adapted()[0].1.trained_steps as f64;
            let steps = Extent::of([0.0, accuracy.len().saturating_sub(1) as f64, trained]);
            let Some(steps) = steps else { continue };
            let x = Axis::new("inner steps", steps);
            let scaled: Ribbon = accuracy.iter().map(|row| row.map(|v| 100.0 * v)).collect();
            // On another scale the score is the loss.
            if words.are_shares() {
                let mut panel =
                    Panel::new(&heading(&group.name, "accuracy"), &x, &accuracy_axis, 260.0);
                draw(&mut panel, group.series, &scaled, true);
                panel.upright(trained, "reference");
                panels.push(panel.finish(
                    &format!("inner-{}", panels.len()),
                    &format!("Query accuracy over inner steps, {}", group.name),
                    &format!("Median query accuracy {}.", path(&scaled, " %", 1)),
                ));
            }
            let Some(losses) = losses else { continue };
            // An overshooting inner loop sends losses through decades.
            let (lo, hi) = losses.ends();
            let logarithmic = lo > 0.0 && hi / lo > 100.0;
            let extent = if logarithmic {
                losses
            } else {
                losses.with(0.0)
            };
            let y = Axis {
                title: format!(
                    "{}{}",
                    match words.are_shares() {
                        true => "loss, nats per query",
                        false => words.noun(),
                    },
                    if logarithmic { ", logarithmic" } else { "" }
                ),
                extent,
                logarithmic,
            };
            let mut panel = Panel::new(&heading(&group.name, "loss"), &x, &y, 260.0);
            draw(&mut panel, group.series, query, true);
            draw(&mut panel, Series(5), support, false);
            panel.upright(trained, "reference");
            panels.push(panel.finish(
                &format!("inner-{}", panels.len()),
                &format!("Support and query loss over inner steps, {}", group.name),
                &format!(
                    "Median query loss {}; median support loss {}.",
                    path(query, "", 2),
                    path(support, "", 2)
                ),
            ));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let mut legend = vec![
        (
            swatch("<path class=\"c0 median\" d=\"M0 6H30\"/>"),
            "query, median (color of the learner)".to_owned(),
        ),
        (
            Series(5).swatch(false),
            "support loss, median and 50 %".to_owned(),
        ),
    ];
    for (class, words) in [
        ("band50", "query: 50 % of tasks"),
        ("band80", "80 %"),
        ("band95", "95 %"),
    ] {
        legend.push((
            swatch(&format!(
                "<rect class=\"c0 {class}\" width=\"30\" height=\"12\"/>"
            )),
            words.to_owned(),
        ));
    }
    legend.push((
        swatch("<path class=\"reference\" d=\"M15 0V12\"/>"),
        "inner steps used in training".to_owned(),
    ));
    let measured = match words.are_shares() {
        true => "accuracy and mean cross-entropy",
        false => words.noun(),
    };
    let mut caption = format!(
        "Test tasks of all runs, pooled: after each inner step on the support set, {measured}; lines are medians.",
    );
    if !without.is_empty() {
        caption += &format!(" No inner loop was recorded for {}.", list(&without));
    }
    Some(Figure {
        id: "inner".to_owned(),
        panels,
        legend,
        caption,
        data,
    })
}

fn draw(panel: &mut Panel, series: Series, ribbon: &Ribbon, all_bands: bool) {
    let bands: &[(usize, &str)] = if all_bands {
        &[(0, "band95"), (1, "band80"), (2, "band50")]
    } else {
        &[(2, "band50")]
    };
    for (low, class) in bands {
        let edges: Vec<_> = ribbon
            .iter()
            .enumerate()
            .map(|(k, row)| (k as f64, row[*low], row[6 - low]))
            .collect();
        panel.band(series, class, &edges);
    }
    let middle: Vec<_> = ribbon
        .iter()
        .enumerate()
        .map(|(k, row)| (k as f64, row[3]))
        .collect();
    panel.line(series, if all_bands { "median" } else { "line" }, &middle);
    if all_bands {
        panel.dots(series, "dot", 3.0, &middle);
    }
}

/// First and last median, as words.
fn path(ribbon: &Ribbon, unit: &str, decimals: usize) -> String {
    let show = |row: Option<&[f64; 7]>| row.map_or(f64::NAN, |row| row[3]);
    let (first, last) = (show(ribbon.first()), show(ribbon.last()));
    if first.is_finite() && last.is_finite() {
        format!(
            "{first:.decimals$}{unit} before the first step, {last:.decimals$}{unit} after step {}",
            ribbon.len() - 1
        )
    } else {
        "not finite at one end".to_owned()
    }
}

/// Ribbons of query accuracy, support loss and query loss over all tasks and runs of the group.
fn quantities(group: &Group<'_>) -> [Ribbon; 3] {
    let adapted = group.adapted();
    let columns = adapted
        .iter()
        .filter_map(|(_, a)| n_columns(a))
        .min()
        .unwrap_or(0);
    [0, 1, 2].map(|which| {
        (0..columns)
            .map(|k| {
                let mut values = Vec::new();
                for (_, adaptation) in &adapted {
                    let table = [
                        &adaptation.query_accuracy,
                        &adaptation.support_loss,
                        &adaptation.query_loss,
                    ][which];
                    let own = n_columns(adaptation).unwrap_or(1);
                    values.extend(
                        table
                            .chunks_exact(own)
                            .map(|task| task[k])
                            .filter(|v| v.is_finite()),
                    );
                }
                let values = sorted(&values);
                SHARES.map(|share| quantile_of_sorted(&values, share))
            })
            .collect()
    })
}
