//! Learners that promise to be steadier than their base: the table of what came of it.

use super::intervals::written;
use crate::estimate::Estimate;
use crate::findings::{p_value, ratio};
use crate::probe::label_order::LabelOrder;
use crate::promises::Promises;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, count, list};
use crate::report::group::Group;
use crate::report::said::Said;
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::{Axis, Extent, Rows, Series};
use crate::steadiness::{SpreadRatio, SpreadVerdict};
use crate::summary::mean;
use crate::tail::Tail;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "promises",
    family: Family::Comparison,
    title: "Promises of stability",
    question: "Is each learner that promises it steadier over seeds than its base?",
    metrics: &["promises"],
    write: chapter,
};

/// Share of the tasks in the tail of the table.
const TAIL: f64 = 0.1;

/// A promise with the runs of both.
struct Row<'m> {
    setting: &'m str,
    pair: SpreadRatio,
    learner: &'m Group<'m>,
    base: &'m Group<'m>,
}

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let rows: Vec<Row<'_>> = material
        .analysis
        .settings
        .iter()
        .filter_map(|setting| Some((setting, setting.all.get::<Promises>()?)))
        .flat_map(|(setting, found)| {
            let name = setting.setting.as_str();
            let of = move |learner: &str| {
                let mut groups = material.groups.iter();
                groups.find(|group| group.setting == name && group.learner == learner)
            };
            found.pairs.into_iter().filter_map(move |pair| {
                Some(Row {
                    setting: name,
                    learner: of(&pair.a)?,
                    base: of(&pair.b)?,
                    pair,
                })
            })
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let with = |wanted: fn(SpreadVerdict) -> bool| -> Vec<String> {
        let own = rows.iter().filter(|row| wanted(row.pair.verdict));
        own.map(|row| format!("{} over {}", row.pair.a, row.pair.b))
            .collect()
    };
    let kept = with(|it| it == SpreadVerdict::ASteadier);
    let broken = with(|it| matches!(it, SpreadVerdict::BSteadier | SpreadVerdict::AsSteady));
    let n_open = rows.len() - kept.len() - broken.len();
    let mut finding = match kept.as_slice() {
        [] => format!(
            "Of {} of stability, none is shown to be kept.",
            count(rows.len(), "promise")
        ),
        names => format!(
            "Of {} of stability, {} {} kept: {}.",
            count(rows.len(), "promise"),
            names.len(),
            if names.len() == 1 { "is" } else { "are" },
            list(names)
        ),
    };
    if !broken.is_empty() {
        finding += &format!(" Not kept: {}.", list(&broken));
    }
    if n_open > 0 {
        finding += &format!(" The runs leave {n_open} open.");
    }
    Some(Chapter {
        number: Some((
            format!("{} of {}", kept.len(), rows.len()),
            "promises are kept: a smaller SD over seeds than the base, Holm over all promises of a setting".to_owned(),
        )),
        finding: Said::described(finding),
        caveat: "The verdict is on the standard deviation over seeds alone; failures, tail, label order and cost have no verdict. Ratios are \
                 beyond the noise of the test. Seconds were measured on this machine, whatever else ran on it."
            .to_owned(),
        figures: figure(&rows).into_iter().collect(),
        tables: vec![table(&rows)],
        ..Chapter::default()
    })
}

fn verdict(pair: &SpreadRatio) -> String {
    match pair.verdict {
        SpreadVerdict::ASteadier => "kept".to_owned(),
        SpreadVerdict::BSteadier => "not kept: less steady".to_owned(),
        SpreadVerdict::AsSteady => "not kept: practically as steady".to_owned(),
        SpreadVerdict::NoSeedEffect => "open: neither scatters beyond its test".to_owned(),
        SpreadVerdict::FailuresDecide => "open: runs failed".to_owned(),
        SpreadVerdict::Open { seeds: Some(n) } => format!("open: about {n} seeds of each"),
        SpreadVerdict::Open { seeds: None } => "open: more seeds than are planned for".to_owned(),
    }
}

/// `0.42 [0.20, 0.90]`.
fn ratio_with(estimate: &Estimate) -> String {
    let limits = estimate.interval.as_ref().map_or_else(String::new, |it| {
        format!(" [{}, {}]", ratio(it.lower), ratio(it.upper))
    });
    ratio(estimate.value) + &limits
}

/// A cell for the learner, and behind it that of its base.
fn both(row: &Row<'_>, of: impl Fn(&Group<'_>) -> Option<String>) -> String {
    let cell = |group| of(group).unwrap_or_else(|| "-".to_owned());
    format!("{}; {}", cell(row.learner), cell(row.base))
}

fn failed(group: &Group<'_>) -> Option<String> {
    let failures = &group.analysis?.failures;
    Some(format!("{} of {}", failures.failed.len(), failures.n_runs))
}

fn tail(group: &Group<'_>) -> Option<String> {
    let tail: Tail = group.get()?;
    let level = tail
        .levels
        .iter()
        .find(|it| (it.share - TAIL).abs() < 1e-9)?;
    let interval = level.over_runs.clone();
    let estimate = Estimate {
        value: level.cvar,
        interval,
    };
    Some(written(&estimate, 100.0, 2))
}

fn label_order(group: &Group<'_>) -> Option<String> {
    Some(written(&group.get::<LabelOrder>()?.sd, 100.0, 2))
}

/// Mean seconds of training; none where they are not known.
fn seconds(group: &Group<'_>) -> Option<f64> {
    let each: Vec<f64> = group.runs.iter().map(|run| run.train_seconds).collect();
    Some(mean(&each)).filter(|it| *it > 0.0)
}

fn table(rows: &[Row<'_>]) -> Table {
    Table {
        caption: "Each learner beside its base; where a cell has two values, the second is the base's. SD ratio: learner over base, below 1 is what was \
                  promised; p after Holm over the promises of a setting. CVaR10 is the mean of the worst tenth of the tasks, its interval over seeds."
            .to_owned(),
        head: [
            "learner",
            "base",
            "SD ratio",
            "p",
            "failed runs",
            "CVaR10, %",
            "SD over label orders, pp",
            "seconds a training",
            "verdict",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows
            .iter()
            .map(|row| {
                let pair = &row.pair;
                vec![
                    row.learner.name.clone(),
                    pair.b.clone(),
                    pair.ratio.as_ref().map_or_else(|| "-".to_owned(), ratio_with),
                    pair.p_value.map_or_else(|| "-".to_owned(), p_value),
                    both(row, failed),
                    both(row, tail),
                    both(row, label_order),
                    both(row, |group| Some(format!("{:.1}", seconds(group)?))),
                    verdict(pair),
                ]
            })
            .collect(),
    }
}

/// Logarithms to base 2 of the ratios: 0 is as steady, -1 half the SD.
fn figure(rows: &[Row<'_>]) -> Option<Figure> {
    // What a limit without bound is drawn at.
    const FARTHEST: f64 = 5.0;
    let log = |value: f64| value.max(1e-9).log2().clamp(-FARTHEST, FARTHEST);
    let ends = |estimate: &Estimate| {
        let interval = estimate.interval.as_ref();
        interval.map_or([estimate.value; 2], |it| [it.lower, it.upper])
    };
    let known: Vec<(&Row<'_>, &Estimate)> = rows
        .iter()
        .filter_map(|row| Some((row, row.pair.ratio.as_ref()?)))
        .collect();
    let values = known
        .iter()
        .flat_map(|(_, it)| ends(it).map(log))
        .chain([0.0]);
    let axis = Axis::new(
        "log2 of the SD ratio, learner over base",
        Extent::of(values)?.padded(0.04, 1e-6, f64::MIN, f64::MAX),
    );
    let names: Vec<String> = known
        .iter()
        .map(|(row, _)| format!("{} over {}", row.learner.name, row.pair.b))
        .collect();
    if names.is_empty() {
        return None;
    }
    let mut panel = Rows::new("", &axis, &names, 24.0);
    panel.upright(0.0, "reference");
    let mut data = Csv::new("setting,learner,base,sd,base_sd,ratio,lower,upper,p_value,verdict");
    for (at, (row, estimate)) in known.iter().enumerate() {
        let [lower, upper] = ends(estimate);
        let [low, middle, high] = [lower, estimate.value, upper].map(log);
        panel.interval(at, 0.0, Series(0), "dot", low, middle, high);
        data.row(&[
            Cell::Text(row.setting),
            Cell::Text(&row.pair.a),
            Cell::Text(&row.pair.b),
            Cell::Number(row.pair.sd[0]),
            Cell::Number(row.pair.sd[1]),
            Cell::Number(estimate.value),
            Cell::Number(lower),
            Cell::Number(upper),
            Cell::Number(row.pair.p_value.unwrap_or(f64::NAN)),
            Cell::Text(&verdict(&row.pair)),
        ]);
    }
    let drawing = panel.finish(
        "promises-plot-0",
        "SD over seeds of each learner over that of its base",
        &format!("{} ratios with their intervals.", names.len()),
    );
    Some(Figure {
        id: "promises-plot".to_owned(),
        panels: vec![drawing],
        legend: Vec::new(),
        caption: "SD over seeds of each learner over that of its base, with its interval, as logarithms to base 2: left of 0 is steadier, -1 is half the SD. \
                  Limits beyond 32 times are drawn there."
            .to_owned(),
        data,
    })
}
