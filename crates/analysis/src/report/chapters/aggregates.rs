//! Learners over all their settings at once.

use crate::aggregate::{Aggregates, LearnerAggregate};
use crate::estimate::Estimate;
use crate::outcome::StudyAnalysis;
use crate::report::document::{Cell, Csv, Figure, Table, decimal, list};
use crate::report::subject::Material;
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Panel, Rows, Series};

/// Aggregates over settings, where there are several.
pub(super) fn table(analysis: &StudyAnalysis) -> Option<Table> {
    let aggregates: Aggregates = analysis.all.get().filter(|_| analysis.settings.len() > 1)?;
    let show = |e: &Estimate| {
        let range = e.interval.as_ref().map_or(String::new(), |i| {
            format!(" [{}, {}]", decimal(i.lower, 3), decimal(i.upper, 3))
        });
        format!("{}{range}", decimal(e.value, 3))
    };
    Some(Table {
        caption: "Over settings: chance-normalized accuracy (0 is guessing, 1 is perfect), stratified bootstrap over runs; a run without a \
                  usable test counts as guessing."
            .to_owned(),
        head: ["learner", "IQM [CI]", "mean [CI]", "median [CI]", "optimality gap [CI]", "settings"].map(str::to_owned).to_vec(),
        rows: aggregates
            .learners
            .iter()
            .map(|l| vec![l.learner.clone(), show(&l.iqm), show(&l.mean), show(&l.median), show(&l.optimality_gap), l.settings.len().to_string()])
            .collect(),
    })
}

/// Performance profiles, interquartile means, and how often a run of one learner beats a run of another; needs several
/// settings.
pub(super) fn figure(material: &Material<'_>) -> Option<Figure> {
    let Material {
        analysis, groups, ..
    } = *material;
    let aggregates: Aggregates = analysis.all.get().filter(|_| analysis.settings.len() > 1)?;
    let series = |learner: &str| {
        let group = groups.iter().find(|group| group.learner == learner);
        group.map_or(Series(0), |group| group.series)
    };
    let mut data = Csv::new("quantity,learner,other,score,value,lower,upper");
    let panels = [
        profiles(&aggregates, &series, &mut data)?,
        middle_halves(&aggregates, &series, &mut data)?,
    ];
    let panels = panels.into_iter().chain(wins(&aggregates, &mut data));
    let mut legend: Vec<(String, String)> = aggregates
        .learners
        .iter()
        .map(|l| (series(&l.learner).swatch(true), l.learner.clone()))
        .collect();
    legend.push((
        swatch("<rect class=\"c5 band80\" width=\"30\" height=\"12\"/>"),
        "pointwise interval".to_owned(),
    ));
    Some(Figure {
        id: "aggregates".to_owned(),
        panels: panels.collect(),
        legend,
        caption: format!(
            "Over {} settings, chance-normalized: 0 is guessing, 1 is perfect, and a run without a usable test counts as guessing. Profiles: \
             share of runs above each score; a learner whose curve lies above that of another throughout is better. IQM: mean of the middle \
             half of all runs. P(first > second): a run of the first against a run of the second, in a setting drawn at random, ties half. \
             Intervals by stratified bootstrap over runs: an interval has no width if all resamples agree, which proves little with few \
             runs.",
            analysis.settings.len()
        ),
        data,
    })
}

fn limits(estimate: &Estimate) -> (f64, f64) {
    let limits = estimate.interval.as_ref();
    limits.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper))
}

fn row(data: &mut Csv, names: [&str; 3], score: f64, estimate: &Estimate) {
    let (lower, upper) = limits(estimate);
    let numbers = [score, estimate.value, lower, upper].map(Cell::Number);
    let cells = names.map(Cell::Text).into_iter().chain(numbers);
    data.row(&cells.collect::<Vec<_>>());
}

fn profiles(
    aggregates: &Aggregates,
    series: &impl Fn(&str) -> Series,
    data: &mut Csv,
) -> Option<String> {
    // Where all curves are still at 1 there is nothing to see.
    let lowest = aggregates.learners.iter().flat_map(|l| &l.scores).flatten();
    let lowest = lowest.copied().fold(1.0, f64::min);
    let x = Axis::new(
        "chance-normalized score",
        Extent::of([lowest.max(0.0), 1.0])?.padded(0.05, 0.0, 0.0, 1.0),
    );
    let y = Axis::new("runs above it, %", Extent::of([0.0, 100.0])?);
    let mut panel = Panel::new("Performance profiles", &x, &y, 270.0);
    let from = x.extent.ends().0 - 1e-9;
    let points = |learner: &LearnerAggregate| -> Vec<(f64, f64, f64, f64)> {
        let points = aggregates.taus.iter().zip(&learner.profile);
        points
            .filter(|(tau, _)| **tau >= from)
            .map(|(tau, share)| {
                let (lower, upper) = limits(share);
                (*tau, 100.0 * share.value, 100.0 * lower, 100.0 * upper)
            })
            .collect()
    };
    for learner in &aggregates.learners {
        let band: Vec<_> = points(learner).iter().map(|p| (p.0, p.2, p.3)).collect();
        panel.band(series(&learner.learner), "band80", &band);
    }
    for learner in &aggregates.learners {
        let line: Vec<_> = points(learner).iter().map(|p| (p.0, p.1)).collect();
        panel.line(series(&learner.learner), "line", &line);
        for (tau, share) in aggregates.taus.iter().zip(&learner.profile) {
            row(data, ["profile", &learner.learner, ""], *tau, share);
        }
    }
    let words: Vec<String> = aggregates
        .learners
        .iter()
        .map(|l| format!("{} {}", l.learner, decimal(l.median.value, 3)))
        .collect();
    Some(panel.finish(
        "profiles",
        "Share of runs above each chance-normalized score",
        &format!("Median scores: {}.", list(&words)),
    ))
}

fn middle_halves(
    aggregates: &Aggregates,
    series: &impl Fn(&str) -> Series,
    data: &mut Csv,
) -> Option<String> {
    let learners = &aggregates.learners;
    let ends = learners.iter().flat_map(|l| {
        let (lower, upper) = limits(&l.iqm);
        [l.iqm.value, lower, upper]
    });
    let axis = Axis::new(
        "chance-normalized score",
        Extent::of(ends)?.padded(0.08, 0.01, f64::NEG_INFINITY, 1.0),
    );
    let names: Vec<String> = learners.iter().map(|l| l.learner.clone()).collect();
    let mut rows = Rows::new("Interquartile mean (IQM)", &axis, &names, 30.0);
    let mut words = Vec::new();
    for (at, learner) in learners.iter().enumerate() {
        let (lower, upper) = limits(&learner.iqm);
        let series = series(&learner.learner);
        rows.interval(at, 0.0, series, "dot", lower, learner.iqm.value, upper);
        row(data, ["iqm", &learner.learner, ""], f64::NAN, &learner.iqm);
        words.push(format!(
            "{} {}",
            learner.learner,
            decimal(learner.iqm.value, 3)
        ));
    }
    Some(rows.finish(
        "iqm",
        "Interquartile mean of each learner",
        &format!("{}.", list(&words)),
    ))
}

fn wins(aggregates: &Aggregates, data: &mut Csv) -> Option<String> {
    let pairs = &aggregates.improvements;
    if pairs.is_empty() {
        return None;
    }
    let axis = Axis::new("runs that beat the other's, %", Extent::of([0.0, 100.0])?);
    let names: Vec<String> = pairs.iter().map(|p| format!("{} > {}", p.x, p.y)).collect();
    let mut rows = Rows::new("P(first > second)", &axis, &names, 24.0);
    rows.upright(50.0, "reference");
    let mut words = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let (lower, upper) = limits(&pair.probability);
        let value = pair.probability.value;
        let sure = lower > 0.5 || upper < 0.5;
        let mark = if sure { "dot" } else { "ring" };
        let [lower, value, upper] = [lower, value, upper].map(|v| 100.0 * v);
        rows.interval(at, 0.0, Series(0), mark, lower, value, upper);
        let names = ["improvement", pair.x.as_str(), pair.y.as_str()];
        row(data, names, f64::NAN, &pair.probability);
        words.push(format!("{} over {}: {value:.0} %", pair.x, pair.y));
    }
    Some(rows.finish(
        "improvements",
        "How often a run of one learner beats a run of another",
        &format!("{}.", words.join("; ")),
    ))
}
