//! Loss along the training with its spikes, and how reliably validation accuracy rises.

use super::bands::LEAST_FOR_BANDS;
use super::intervals::{measured, written};
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, count, decimal, extremes, list};
use crate::report::group::{Group, by_setting};
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Panel, heading};
use crate::summary::quantile;
use crate::training::reliability::Reliability;
use crate::training::spikes::{LossSpikes, windows};
use crate::words::Words;

/// Points of a loss curve.
const N_POINTS: usize = 80;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "training-course",
    family: Family::Dynamics,
    title: "Course of training",
    question: "Does training go smoothly, or in jumps, falls and spikes?",
    metrics: &["reliability", "spikes"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let words = Words::of(&material.analysis.options);
    let spikes: Vec<(&Group<'_>, LossSpikes)> = measured(material.groups);
    let curves: Vec<(&Group<'_>, Reliability)> = measured(material.groups);
    if spikes.is_empty() && curves.is_empty() {
        return None;
    }
    let rates: Vec<(&Group<'_>, f64)> = spikes
        .iter()
        .map(|(group, it)| (*group, it.rate.value))
        .collect();
    let finding = match extremes(&rates) {
        None => falls(&curves, words)?,
        Some(((calm, lo), (wild, hi))) if calm.name == wild.name || lo >= hi => format!(
            "The training loss spikes {} times in 1,000 steps with every learner.",
            written(&spikes.first()?.1.rate, 1.0, 2)
        ),
        Some(_) => {
            let each: Vec<String> = spikes
                .iter()
                .map(|(group, it)| format!("{} for {}", written(&it.rate, 1.0, 2), group.name))
                .collect();
            format!(
                "Spikes of the training loss in 1,000 steps: {}.",
                list(&each)
            )
        }
    };
    Some(Chapter {
        number: extremes(&rates).map(|((_, lo), (_, hi))| {
            let range = format!("{} to {}", decimal(*lo, 2), decimal(*hi, 2));
            (range, "spikes of the training loss in 1,000 outer steps".to_owned())
        }),
        finding: Said::described(finding),
        caveat: "A spike is a loss above the median of the 100 steps before by more than six robust standard deviations: hard tasks make \
                 some even where training is healthy. Poisson intervals assume independent spikes. Risks of the validation curve are those \
                 of Chan et al. 2020; with ten checks, the worst 5 % is the single worst check."
            .to_owned(),
        figures: figure(material.groups, &spikes, words).into_iter().collect(),
        tables: vec![spike_table(&spikes, words), reliability_table(&curves, words)]
            .into_iter()
            .filter(|table| !table.rows.is_empty())
            .collect(),
        ..Chapter::default()
    })
}

/// Where no loss is known step by step, the validation curve speaks.
fn falls(curves: &[(&Group<'_>, Reliability)], words: Words<'_>) -> Option<String> {
    let risks: Vec<(&Group<'_>, f64)> = curves
        .iter()
        .map(|(group, it)| (*group, it.long_term_risk.value))
        .collect();
    let (_, (_, risk)) = extremes(&risks)?;
    if *risk <= 0.0 {
        return Some(format!(
            "No learner's validation {} ever lies {} its best so far.",
            words.noun(),
            words.under()
        ));
    }
    let each: Vec<String> = curves
        .iter()
        .map(|(group, it)| {
            let risk = match words.are_shares() {
                true => format!("{} pp", written(&it.long_term_risk, 100.0, 2)),
                false => words.points_with(&it.long_term_risk),
            };
            format!("{risk} for {}", group.name)
        })
        .collect();
    Some(format!(
        "In the worst 5 % of checks, the distance of the validation {} {} its best so far is {}.",
        words.noun(),
        words.under(),
        list(&each)
    ))
}

/// Median loss over runs, with what the runs leave between them, and a cross at each spike.
fn figure(
    groups: &[Group<'_>],
    spikes: &[(&Group<'_>, LossSpikes)],
    words: Words<'_>,
) -> Option<Figure> {
    let mut panels = Vec::new();
    let mut data = Csv::new("setting,learner,step,runs,lowest,median,highest");
    for (_, members) in by_setting(groups) {
        for group in members {
            let losses: Vec<Vec<f64>> = group
                .runs
                .iter()
                .filter_map(|run| Some(run.training.as_ref()?.losses()))
                .filter(|losses| !losses.is_empty())
                .collect();
            let longest = losses.iter().map(Vec::len).max().unwrap_or(0);
            if longest == 0 {
                continue;
            }
            let curve = windows(&losses, longest.div_ceil(N_POINTS));
            let mut marks = Vec::new();
            for (_, it) in spikes.iter().filter(|(it, _)| it.name == group.name) {
                for run in &it.runs {
                    let own = group.runs.iter().find(|other| other.seed == run.seed);
                    let own = own.and_then(|run| Some(run.training.as_ref()?.losses()));
                    let own = own.unwrap_or_default();
                    let at = run.spikes.iter();
                    marks.extend(at.filter_map(|it| Some(((it.at + 1) as f64, *own.get(it.at)?))));
                }
            }
            let values = curve.iter().flat_map(|(_, values)| values.iter().copied());
            let extent = Extent::of(values.chain(marks.iter().map(|mark| mark.1)))?;
            let x = Axis::new("outer steps", Extent::of([0.0, longest as f64])?);
            let y = Axis::new(
                &words.text("training loss, nats"),
                extent.padded(0.04, 1e-6, 0.0, f64::MAX),
            );
            let title = heading(&group.name, &count(losses.len(), "run"));
            let mut panel = Panel::new(&title, &x, &y, 240.0);
            let (low, high) = if losses.len() < LEAST_FOR_BANDS {
                (0.0, 1.0)
            } else {
                (0.1, 0.9)
            };
            let band: Vec<(f64, f64, f64)> = curve
                .iter()
                .map(|(step, it)| (*step as f64, quantile(it, low), quantile(it, high)))
                .collect();
            let middle: Vec<(f64, f64)> = curve
                .iter()
                .map(|(step, it)| (*step as f64, quantile(it, 0.5)))
                .collect();
            panel.band(group.series, "band80", &band);
            panel.line(group.series, "median", &middle);
            panel.crosses(&marks);
            for (step, values) in &curve {
                data.row(&[
                    Cell::Text(group.setting),
                    Cell::Text(group.learner),
                    Cell::Count(*step),
                    Cell::Count(values.len()),
                    Cell::Number(quantile(values, 0.0)),
                    Cell::Number(quantile(values, 0.5)),
                    Cell::Number(quantile(values, 1.0)),
                ]);
            }
            let first = middle.first().map_or(f64::NAN, |it| it.1);
            let last = middle.last().map_or(f64::NAN, |it| it.1);
            panels.push(panel.finish(
                &format!("loss-fan-{}", panels.len()),
                &format!("Training loss over outer steps, {}", group.name),
                &format!(
                    "Median of {} at the start and {} at the end, {} spikes.",
                    decimal(first, 3),
                    decimal(last, 3),
                    marks.len()
                ),
            ));
        }
    }
    (!panels.is_empty()).then(|| Figure {
        id: "loss-fan".to_owned(),
        panels,
        legend: vec![(
            swatch("<path class=\"cross\" d=\"M11 2L19 10M11 10L19 2\"/>"),
            "spike, at its first loss".to_owned(),
        )],
        caption: format!(
            "Training loss, means over short stretches of steps: median over runs; the band holds the middle 80 % of runs, or all of \
             them where there are fewer than {LEAST_FOR_BANDS}."
        ),
        data,
    })
}

fn spike_table(found: &[(&Group<'_>, LossSpikes)], words: Words<'_>) -> Table {
    let none = || "none".to_owned();
    let row = |(group, it): &(&Group<'_>, LossSpikes)| {
        vec![
            group.name.clone(),
            format!("{} in {}", it.n_spikes, count(it.n_steps, "step")),
            written(&it.rate, 1.0, 2),
            it.height.map_or_else(none, |height| decimal(height, 3)),
            it.recovery.map_or_else(none, |steps| decimal(steps, 0)),
            it.n_lasting.to_string(),
        ]
    };
    Table {
        caption: words.text(
            "Spikes of the training loss; height above the threshold in nats, steps until the loss is back at the median before.",
        ),
        head: ["learner", "spikes", "in 1,000 steps", "median height", "mean recovery", "not recovered"]
            .map(str::to_owned)
            .to_vec(),
        rows: found.iter().map(row).collect(),
    }
}

fn reliability_table(found: &[(&Group<'_>, Reliability)], words: Words<'_>) -> Table {
    let size = words.difference_factor();
    let row = |(group, it): &(&Group<'_>, Reliability)| {
        let last = it.across.last();
        vec![
            group.name.clone(),
            written(&it.area, words.factor(), 2),
            written(&it.dispersion, size, 2),
            written(&it.short_term_risk, size, 2),
            written(&it.long_term_risk, size, 2),
            last.map_or_else(
                || "one run".to_owned(),
                |it| decimal(size * it.dispersion, 2),
            ),
            last.map_or_else(
                || "one run".to_owned(),
                |it| decimal(words.factor() * it.risk, 2),
            ),
        ]
    };
    Table {
        caption: words.text(
            "Reliability of the validation curve (Chan et al. 2020), in % and pp, intervals over runs. Across runs: at the last check.",
        ),
        head: [
            "learner",
            "area under the curve",
            "dispersion of changes",
            "worst changes",
            "worst drawdowns",
            "dispersion across runs",
            "worst runs",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found.iter().map(row).collect(),
    }
}
