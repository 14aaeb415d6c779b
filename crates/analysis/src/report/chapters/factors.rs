//! Which source of chance, and which setting, moves the result: the chapter around sources, ordered lists and marginals.

use super::{factor_lists, marginals, sources};
use crate::estimate::Estimate;
use crate::factors::key::KeyFactors;
use crate::factors::sources::Sources;
use crate::outcome::StudyAnalysis;
use crate::report::document::{Chapter, Table, list, percent, percent_range};
use crate::report::subject::{Family, Material, Subject};

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "factors",
    family: Family::Sources,
    title: "Key factors",
    question: "Which setting, and which source of chance, moves the mean, the spread and the failures?",
    metrics: &["key_factors", "sources"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { analysis, .. } = *material;
    let key: Option<KeyFactors> = analysis.all.get();
    let found: Option<Sources> = analysis.all.get();
    if key.is_none() && found.is_none() {
        return None;
    }
    let mut figures = Vec::new();
    let mut tables = Vec::new();
    if let Some(key) = &key {
        figures.extend(factor_lists::figure(key));
        figures.extend(marginals::figure(key));
        tables.extend(factor_lists::basins(key));
        tables.extend(factor_lists::pairs(key));
    }
    if let Some(found) = &found {
        figures.extend(sources::alone(found));
        figures.extend(found.components.as_ref().and_then(sources::components));
    }
    Some(Chapter {
        number: key.as_ref().and_then(headline),
        finding: finding(key.as_ref(), found.as_ref()),
        caveat: "Shares are shares of the variance over the space that was searched, every level equally likely: another space gives \
                 other shares. A setting with a small share may still be set to a bad value."
            .to_owned(),
        figures,
        tables,
        ..Chapter::default()
    })
}

/// The card of a study that has no runs of learners: one row for each side of the result.
pub(crate) fn card(analysis: &StudyAnalysis) -> Option<Table> {
    let key: KeyFactors = analysis.all.get()?;
    let share = |estimate: &Estimate| {
        let limits = estimate.interval.as_ref();
        let limits = limits.map_or_else(String::new, |i| percent_range(i.lower, i.upper));
        format!("{} {limits}", percent(estimate.value))
    };
    let rows = key.lists.iter().map(|side| {
        let leader = side
            .ranked
            .as_ref()
            .map(|ranked| (&ranked.factors[0], ranked.r_squared));
        let by_itself = || side.leader().unwrap_or("none").to_owned();
        let none = || "no shares".to_owned();
        vec![
            side.side.name().to_owned(),
            leader.map_or_else(by_itself, |(factor, _)| factor.factor.clone()),
            leader.map_or_else(none, |(factor, _)| share(&factor.main)),
            leader.map_or_else(none, |(factor, _)| share(&factor.total)),
            leader.map_or_else(none, |(_, explained)| percent(explained)),
        ]
    });
    Some(Table {
        caption: format!(
            "{} runs at {} points, {} failed. The first factor of each side, with its share of the variance; where there are no shares, \
             the first by ranks.",
            key.n_runs, key.n_points, key.n_failed
        ),
        head: [
            "side",
            "first factor",
            "share alone, %",
            "share in all, %",
            "explained, %",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
    })
}

fn headline(key: &KeyFactors) -> Option<(String, String)> {
    let leader = &key
        .lists
        .iter()
        .find_map(|list| list.ranked.as_ref())?
        .factors[0];
    Some((
        format!("{} {:.0} %", leader.factor, 100.0 * leader.main.value),
        "the first factor's share of the variance, alone".to_owned(),
    ))
}

/// The first factor of each side, and whether the lists agree.
fn finding(key: Option<&KeyFactors>, found: Option<&Sources>) -> String {
    let mut sentences = Vec::new();
    if let Some(key) = key {
        let led: Vec<String> = key
            .lists
            .iter()
            .filter_map(|side| {
                let sure = if side.is_settled() {
                    ""
                } else {
                    " (not settled)"
                };
                Some(format!(
                    "{} for the {}{sure}",
                    side.leader()?,
                    side.side.name()
                ))
            })
            .collect();
        sentences.push(if led.is_empty() {
            "No side of the result varies enough for a list of factors.".to_owned()
        } else {
            format!("The first factor is {}.", list(&led))
        });
    }
    if let Some(first) = found.and_then(|found| found.alone.first()) {
        sentences.push(format!(
            "Of the sources of chance, {} scatters the result most when it varies alone.",
            first.source
        ));
    }
    sentences.join(" ")
}
