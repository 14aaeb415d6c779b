//! Validation accuracy over outer steps, a panel for each learner.

use super::bands::LEAST_FOR_BANDS;
use crate::record::Run;
use crate::report::document::{Cell, Csv, Figure, count, list};
use crate::report::group::{Group, by_setting, validation};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Panel, Series, heading};
use crate::summary::quantile;
use crate::words::Words;

/// Fan of the validation curves, a panel for each group; `None` if nothing was validated.
pub(super) fn figure(groups: &[Group<'_>], words: Words<'_>) -> Option<Figure> {
    // The sign that the analysis turned is turned back before anything is ordered.
    let (scale, sign) = match words.are_shares() {
        true => (100.0, 1.0),
        false => (1.0, words.factor()),
    };
    let mut panels = Vec::new();
    let mut data =
        Csv::new("setting,learner,step,runs,low95,low80,low50,median,high50,high80,high95");
    let mut missing = Vec::new();
    let (mut any_bands, mut any_range, mut any_cross, mut any_chance) =
        (false, false, false, false);
    for (_, members) in by_setting(groups) {
        let curves: Vec<_> = members
            .iter()
            .map(|group| curve(&group.runs, sign))
            .collect();
        let steps = curves.iter().flatten().map(|(step, _)| *step as f64);
        let values = curves
            .iter()
            .flatten()
            .flat_map(|(_, values)| values.iter().map(|v| scale * v));
        let (Some(steps), Some(values)) = (Extent::of(steps), Extent::of(values)) else {
            missing.extend(members.iter().map(|group| group.name.clone()));
            continue;
        };
        let x = Axis::new("outer steps", steps.with(0.0));
        let y = Axis::new(
            &words.text("validation accuracy, %"),
            values.padded(
                0.04,
                if words.are_shares() { 1.0 } else { 0.0 },
                words.bounds()[0],
                words.bounds()[1],
            ),
        );
        for (group, curve) in members.iter().zip(&curves) {
            if curve.is_empty() {
                missing.push(group.name.clone());
                continue;
            }
            let n_runs = group
                .runs
                .iter()
                .filter(|run| !validation(run).is_empty())
                .count();
            let bands = n_runs >= LEAST_FOR_BANDS;
            (any_bands, any_range) = (any_bands || bands, any_range || !bands);
            let title = heading(&group.name, &count(n_runs, "run"));
            let mut panel = Panel::new(&title, &x, &y, 270.0);
            if let Some(chance) = chance(group).filter(|c| scale * c >= y.extent.ends().0) {
                panel.level(scale * chance, "chance");
                any_chance = true;
            }
            draw_curve(&mut panel, group, curve, bands, [scale, sign]);
            let ends: Vec<_> = group
                .diverged()
                .into_iter()
                .filter_map(|(run, _, _)| {
                    validation(run)
                        .last()
                        .map(|(s, a)| (*s as f64, scale * sign * a))
                })
                .collect();
            panel.crosses(&ends);
            any_cross |= !ends.is_empty();
            for (step, values) in curve {
                let q = |share| Cell::Number(quantile(values, share));
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Count(*step),
                    Cell::Count(values.len()),
                    q(0.025),
                    q(0.1),
                    q(0.25),
                    q(0.5),
                    q(0.75),
                    q(0.9),
                    q(0.975),
                ]);
            }
            let last = curve
                .last()
                .map_or(f64::NAN, |(_, values)| scale * quantile(values, 0.5));
            panels.push(panel.finish(
                &format!("fan-{}", panels.len()),
                &words.text(&format!(
                    "Validation accuracy over outer steps, {}",
                    group.name
                )),
                &format!(
                    "Median of {} ends at {}; {}.",
                    count(n_runs, "run"),
                    match words.are_shares() {
                        true => format!("{last:.1} %"),
                        false => words.value(sign * last),
                    },
                    if bands {
                        "bands hold 50, 80 and 95 % of the runs"
                    } else {
                        "the band reaches from the lowest to the highest run"
                    }
                ),
            ));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let mut caption = words
        .text("Accuracy on the fixed validation episodes while training; line: median over runs.");
    let mut legend = vec![(
        Series(5)
            .swatch(false)
            .replace("stroke-dasharray", "data-dash"),
        "median of the runs".to_owned(),
    )];
    if any_bands {
        caption += " Bands hold the middle 50, 80 and 95 % of the runs at each step (interpolated quantiles).";
        for (class, words) in [
            ("band50", "50 % of runs"),
            ("band80", "80 %"),
            ("band95", "95 %"),
        ] {
            legend.push((
                swatch(&format!(
                    "<rect class=\"c5 {class}\" width=\"30\" height=\"12\"/>"
                )),
                words.to_owned(),
            ));
        }
    }
    if any_range {
        caption += &format!(
            " With fewer than {LEAST_FOR_BANDS} runs, quantiles are not estimated: the band reaches from the lowest to the highest run, and every run is drawn."
        );
        legend.push((
            swatch("<rect class=\"c5 band80\" width=\"30\" height=\"12\"/>"),
            "lowest to highest run".to_owned(),
        ));
        legend.push((
            swatch("<path class=\"c5 thin\" d=\"M0 6H30\"/>"),
            "single run".to_owned(),
        ));
    }
    if any_cross {
        legend.push((
            swatch("<path class=\"cross\" d=\"M11 2L19 10M11 10L19 2\"/>"),
            "last validation of a run that diverged".to_owned(),
        ));
    }
    if any_chance {
        legend.push((
            swatch("<path class=\"reference\" d=\"M0 6H30\"/>"),
            "chance".to_owned(),
        ));
    }
    if !missing.is_empty() {
        caption += &format!(
            " No curve for {}: no validation was recorded.",
            list(&missing)
        );
    }
    Some(Figure {
        id: "fan".to_owned(),
        panels,
        legend,
        caption,
        data,
    })
}

fn draw_curve(
    panel: &mut Panel,
    group: &Group<'_>,
    curve: &[(usize, Vec<f64>)],
    bands: bool,
    [scale, sign]: [f64; 2],
) {
    let at = |share: f64| -> Vec<(f64, f64)> {
        curve
            .iter()
            .map(|(step, values)| (*step as f64, scale * quantile(values, share)))
            .collect()
    };
    let widths: &[(f64, &str)] = if bands {
        &[(0.025, "band95"), (0.1, "band80"), (0.25, "band50")]
    } else {
        &[(0.0, "band80")]
    };
    for (low, class) in widths {
        let edges: Vec<_> = at(*low)
            .into_iter()
            .zip(at(1.0 - low))
            .map(|((x, lo), (_, hi))| (x, lo, hi))
            .collect();
        panel.band(group.series, class, &edges);
    }
    if !bands {
        for run in &group.runs {
            let points: Vec<_> = validation(run)
                .into_iter()
                .map(|(s, a)| (s as f64, scale * sign * a))
                .collect();
            panel.line(group.series, "thin", &points);
        }
    }
    // The panel names its learner, so the median may be solid everywhere: dashes would read as gaps in the data.
    panel.line(group.series, "median", &at(0.5));
    if curve.len() <= 12 {
        panel.dots(group.series, "dot", 3.2, &at(0.5));
    }
}

/// Validation accuracies of all runs at each step, in order of steps.
fn curve(runs: &[&Run], sign: f64) -> Vec<(usize, Vec<f64>)> {
    let points = runs.iter().flat_map(|run| validation(run));
    let mut points: Vec<(usize, f64)> = points.map(|(step, it)| (step, sign * it)).collect();
    points.sort_by_key(|(step, _)| *step);
    let mut curve: Vec<(usize, Vec<f64>)> = Vec::new();
    for (step, accuracy) in points {
        match curve.last_mut() {
            Some((last, values)) if *last == step => values.push(accuracy),
            _ => curve.push((step, vec![accuracy])),
        }
    }
    curve
}

/// Chance accuracy, known where a test is.
fn chance(group: &Group<'_>) -> Option<f64> {
    group
        .tested()
        .first()
        .map(|(_, test)| 1.0 / test.n_way as f64)
}
