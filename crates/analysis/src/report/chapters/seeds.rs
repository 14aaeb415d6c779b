//! The seeds' final accuracies: every run, their density, the interval of their mean.

use super::bands::LEAST_FOR_BANDS;
use crate::report::document::{Cell, Csv, Figure, list};
use crate::report::group::{Group, by_setting, distinct};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Rows, Series};
use crate::spread::Spread;
use crate::summary::{mean, standard_deviation};
use crate::words::Words;

/// Raincloud of the runs' test accuracies, with the interval of the mean over seeds; a panel for each setting.
pub(super) fn figure(groups: &[Group<'_>], words: Words<'_>) -> Option<Figure> {
    let (factor, bounds, unit) = (words.factor(), words.bounds(), words.unit());
    let mut panels = Vec::new();
    let mut data = Csv::new(match words.are_shares() {
        true => "setting,learner,run,seed,test_accuracy,failed",
        false => "setting,learner,run,seed,test_score,failed",
    });
    let (mut any_cloud, mut any_failed) = (false, false);
    for (setting, members) in by_setting(groups) {
        let scores: Vec<Vec<(f64, bool)>> = members
            .iter()
            .map(|group| {
                group
                    .scored()
                    .into_iter()
                    .map(|(run, accuracies)| {
                        let accuracy = mean(&accuracies);
                        let is_failed = group.failed(run);
                        data.row(&[
                            Cell::Text(setting),
                            Cell::Text(group.learner),
                            Cell::Text(&run.id),
                            Cell::Text(&run.seed.to_string()),
                            Cell::Number(accuracy),
                            Cell::Text(if is_failed { "yes" } else { "no" }),
                        ]);
                        (factor * accuracy, is_failed)
                    })
                    .collect()
            })
            .collect();
        let means: Vec<Option<(f64, f64, f64)>> = members
            .iter()
            .map(|group| {
                let estimate = group.get::<Spread>()?.mean;
                let interval = estimate.interval?;
                let ends = [factor * interval.lower, factor * interval.upper];
                let [low, high] = [ends[0].min(ends[1]), ends[0].max(ends[1])];
                Some((low, factor * estimate.value, high))
            })
            .collect();
        let ends = means
            .iter()
            .flatten()
            .flat_map(|m| [m.0.max(bounds[0]), m.2.min(bounds[1])]);
        let clouds = scores.iter().flat_map(|s| cloud_ends(s, bounds));
        let Some(extent) = Extent::of(
            scores
                .iter()
                .flatten()
                .map(|s| s.0)
                .chain(ends)
                .chain(clouds),
        ) else {
            continue;
        };
        let axis = Axis::new(
            &words.text("test accuracy of a run, %"),
            extent.padded(
                0.05,
                if words.are_shares() { 1.0 } else { 0.0 },
                bounds[0],
                bounds[1],
            ),
        );
        let names: Vec<String> = members
            .iter()
            .map(|group| group.learner.to_owned())
            .collect();
        let title = if panels.is_empty() && distinct(groups.iter().map(|g| g.setting)).len() == 1 {
            ""
        } else {
            setting
        };
        let clouds = scores
            .iter()
            .any(|s| s.iter().filter(|s| !s.1).count() >= LEAST_FOR_BANDS);
        // Without clouds the points move up into their room.
        let (pitch, points, bar) = if clouds {
            (58.0, 7.0, 20.0)
        } else {
            (38.0, -7.0, 8.0)
        };
        let mut rows = Rows::new(title, &axis, &names, pitch);
        for (row, group) in members.iter().enumerate() {
            let good: Vec<f64> = scores[row].iter().filter(|s| !s.1).map(|s| s.0).collect();
            let bad: Vec<f64> = scores[row].iter().filter(|s| s.1).map(|s| s.0).collect();
            if scores[row].is_empty() {
                rows.words(row, "no run reached its test");
                continue;
            }
            if good.len() >= LEAST_FOR_BANDS {
                rows.cloud(row, group.series, &density(&good, bounds), 22.0);
                any_cloud = true;
            }
            rows.dots(row, points, group.series, "ring", 3.6, &good);
            rows.crosses(row, points, &bad);
            any_failed |= !bad.is_empty();
            if let Some((lo, middle, hi)) = means[row] {
                rows.interval(
                    row,
                    bar,
                    group.series,
                    "dot",
                    lo.max(bounds[0]),
                    middle,
                    hi.min(bounds[1]),
                );
            }
        }
        let told: Vec<String> = members
            .iter()
            .zip(&scores)
            .map(|(group, s)| match Extent::of(s.iter().map(|s| s.0)) {
                Some(e) => format!(
                    "{} from {:.1} to {:.1}{unit}",
                    group.learner,
                    e.ends().0,
                    e.ends().1
                ),
                None => format!("{} without a tested run", group.learner),
            })
            .collect();
        panels.push(rows.finish(
            &format!("seeds-{}", panels.len()),
            &format!("{}, {setting}", words.text("Test accuracy of each run")),
            &format!("Runs: {}.", list(&told)),
        ));
    }
    if panels.is_empty() {
        return None;
    }
    let cut = if words.are_shares() {
        " (cut at 0 and 100 %)"
    } else {
        ""
    };
    let mut caption = format!(
        "{}, and below it the mean with its interval over seeds{cut}.",
        words.text("Test accuracy of every run")
    );
    let mut legend = vec![
        (
            swatch(&format!(
                "<path class=\"c5 ring\" d=\"{}\"/>",
                Series(0).marker(15.0, 6.0, 3.6)
            )),
            "one run (one seed)".to_owned(),
        ),
        (
            swatch(&format!(
                "<path class=\"c5 whisker\" d=\"M1 6H29M1 2V10M29 2V10\"/><path class=\"c5 dot\" d=\"{}\"/>",
                Series(0).marker(15.0, 6.0, 3.6)
            )),
            "mean, interval over seeds".to_owned(),
        ),
    ];
    if any_cloud {
        caption += " The shape is a Gaussian kernel density of the runs that did not fail (Silverman's bandwidth), scaled to one height.";
        legend.push((
            swatch("<path class=\"c5 band80\" d=\"M0 12C9 12 9 1 15 1S21 12 30 12Z\"/>"),
            "density of runs".to_owned(),
        ));
    } else {
        caption += &format!(" A density is drawn from {LEAST_FOR_BANDS} runs on.");
    }
    if any_failed {
        legend.push((
            swatch("<path class=\"cross\" d=\"M11 2L19 10M11 10L19 2\"/>"),
            "failed run".to_owned(),
        ));
    }
    Some(Figure {
        id: "seeds".to_owned(),
        panels,
        legend,
        caption,
        data,
    })
}

/// How far the density of a group's sound runs reaches.
fn cloud_ends(scores: &[(f64, bool)], bounds: [f64; 2]) -> Vec<f64> {
    let good: Vec<f64> = scores.iter().filter(|s| !s.1).map(|s| s.0).collect();
    if good.len() < LEAST_FOR_BANDS {
        return Vec::new();
    }
    let reach = 2.5 * bandwidth(&good);
    good.iter()
        .flat_map(|v| [(v - reach).max(bounds[0]), (v + reach).min(bounds[1])])
        .collect()
}

/// Silverman's bandwidth, `0.9 sd n^(-1/5)`, in percentage points.
fn bandwidth(values: &[f64]) -> f64 {
    // The floor keeps equal runs a visible spike instead of a division by zero.
    (0.9 * standard_deviation(values) * (values.len() as f64).powf(-0.2)).max(0.02)
}

/// Gaussian kernel density at 96 places across the values and 2.5 bandwidths beyond.
fn density(values: &[f64], bounds: [f64; 2]) -> Vec<(f64, f64)> {
    let bandwidth = bandwidth(values);
    let Some((lo, hi)) = Extent::of(values.iter().copied()).map(Extent::ends) else {
        return Vec::new();
    };
    let from = (lo - 2.5 * bandwidth).max(bounds[0]);
    let to = (hi + 2.5 * bandwidth).min(bounds[1]);
    (0..=96)
        .map(|i| {
            let at = from + (to - from) * f64::from(i) / 96.0;
            let sum: f64 = values
                .iter()
                .map(|v| (-0.5 * ((at - v) / bandwidth).powi(2)).exp())
                .sum();
            (at, sum)
        })
        .collect()
}
