//! Which source of chance, and which setting, moves the result: the chapter around sources, ordered lists and marginals.

use super::{factor_lists, marginals, sources};
use crate::factors::key::KeyFactors;
use crate::factors::responses::Side;
use crate::factors::sources::Sources;
use crate::factors::tested::TestedFactor;
use crate::factors::variance::{QUERIES, REST, SourceVariance};
use crate::factors::words::{MOST_HIDDEN, effect, hidden};
use crate::findings::{Certainty, Finding, ratio};
use crate::metric::Measure;
use crate::outcome::StudyAnalysis;
use crate::record::Study;
use crate::report::document::{Chapter, Table, list};
use crate::report::group::Group;
use crate::report::said::{Basis, Said};
use crate::report::subject::{Family, Material, Subject};
use crate::report::varied;

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "factors",
    family: Family::Sources,
    title: "Key factors",
    question: "Which setting, and which source of chance, moves the mean, the spread and the failures?",
    metrics: &["key_factors", "sources", "setting_effects"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { analysis, .. } = *material;
    let key: Option<KeyFactors> = analysis.all.get();
    let found: Option<Sources> = analysis.all.get();
    let settings = varied::settings(analysis, material.groups, 1.0 - analysis.options.level);
    if key.is_none() && found.is_none() && settings.is_empty() {
        return None;
    }
    let mut figures = Vec::new();
    let mut tables = Vec::new();
    if let Some(key) = &key {
        figures.extend(factor_lists::figure(key));
        figures.extend(marginals::figure(key));
        tables.extend(factor_lists::best(key));
        tables.extend(factor_lists::basins(key));
        tables.extend(factor_lists::pairs(key));
    }
    if let Some(found) = &found {
        figures.extend(sources::alone(found));
        tables.extend(sources::investigated(found));
        figures.extend(found.components.as_ref().and_then(sources::components));
    }
    tables.extend(varied::table(analysis));
    Some(Chapter {
        number: match &key {
            Some(key) => headline(key),
            None => largest_source(analysis).or_else(|| varied::headline(analysis)),
        },
        finding: match &key {
            Some(key) => {
                let certainty = match key.lists.iter().any(|it| it.settled().next().is_some()) {
                    true => Certainty::Distinguishable,
                    false => Certainty::NotDistinguishable,
                };
                let basis = Basis::of_study(material.study, material.groups, certainty);
                Said::carried(finding(key), basis)
            }
            None => {
                let sources = of_sources(material.study, analysis, material.groups);
                let all = sources.into_iter().chain(settings);
                all.reduce(Said::and).unwrap_or_default()
            }
        },
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
    let rows = key.lists.iter().map(|side| {
        let settled: Vec<&TestedFactor> = side.settled().collect();
        let names: Vec<&str> = settled.iter().map(|one| one.factor.as_str()).collect();
        let effects: Vec<String> = settled
            .iter()
            .filter_map(|one| Some(effect(side.side, &one.factor, one.effect.as_ref()?)))
            .collect();
        let none = match &side.why_none {
            Some(_) => "no list",
            None => "none settled",
        };
        let room = hidden(side).filter(|_| side.side != Side::Mean);
        vec![
            side.side.name().to_owned(),
            if names.is_empty() {
                none.to_owned()
            } else {
                list(&names)
            },
            match (effects.is_empty(), room) {
                (false, _) => effects.join("; "),
                (true, Some(most)) if names.is_empty() && most > MOST_HIDDEN => {
                    "not bounded".to_owned()
                }
                (true, Some(most)) if names.is_empty() => {
                    format!("up to x {} not ruled out", ratio(most))
                }
                (true, _) => String::new(),
            },
        ]
    });
    Some(Table {
        caption: format!(
            "{} runs at {} points, {} failed, {} different seeds. The factors that move each side, at 5 % for each list as a whole.",
            key.n_runs, key.n_points, key.n_failed, key.n_seeds
        ),
        head: ["side", "settled factors", "how much"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
    })
}

/// The first settled factor of the spread, else of the mean.
fn headline(key: &KeyFactors) -> Option<(String, String)> {
    let of = |side: Side| key.lists.iter().find(|list| list.side == side);
    let spread = [Side::SpreadBeyondMean, Side::Spread]
        .into_iter()
        .find_map(|side| of(side)?.settled().next());
    if let Some(one) = spread {
        let found = one.effect.as_ref()?;
        return Some((
            format!("{} x {}", one.factor, ratio(found.value.value)),
            "what it does to the standard deviation over seeds".to_owned(),
        ));
    }
    let mean = of(Side::Mean)?;
    let first = mean.settled().next()?;
    let ranked = mean.ranked.as_ref()?;
    let share = ranked.factors.iter().find(|it| it.factor == first.factor)?;
    Some((
        format!("{} {:.0} %", first.factor, 100.0 * share.main.value),
        "share of the variance of the mean, alone".to_owned(),
    ))
}

/// What the sources of chance do, for a study in which no setting was varied.
pub(crate) fn of_sources(
    study: &Study,
    analysis: &StudyAnalysis,
    groups: &[Group<'_>],
) -> Option<Said> {
    let of = |finding: &&Finding| finding.metric == Sources::ID;
    let found = analysis.findings.iter().find(of)?;
    Some(Said::of_finding(found.text.clone(), found, study, groups))
}

/// The source with the largest share of the variance of one run, with the limits of the share.
fn largest_source(analysis: &StudyAnalysis) -> Option<(String, String)> {
    let found: Sources = analysis.all.get()?;
    let components = found.components?;
    let is_named = |it: &&SourceVariance| it.source != REST && it.source != QUERIES;
    let named = components.sources.iter().filter(is_named);
    let largest = named.max_by(|a, b| a.share.value.total_cmp(&b.share.value))?;
    let limits = largest
        .share
        .interval
        .as_ref()
        .map_or_else(String::new, |i| {
            format!(" [{:.0}, {:.0}]", 100.0 * i.lower, 100.0 * i.upper)
        });
    Some((
        format!(
            "{} {:.0} %{limits}",
            largest.source,
            100.0 * largest.share.value
        ),
        "share of the variance of one run, with all sources drawn anew".to_owned(),
    ))
}

/// The settled factors of each side.
fn finding(key: &KeyFactors) -> String {
    let each: Vec<String> = key
        .lists
        .iter()
        .filter_map(|side| {
            let names: Vec<&str> = side.settled().map(|one| one.factor.as_str()).collect();
            let verb = if names.len() == 1 { "moves" } else { "move" };
            (!names.is_empty()).then(|| format!("{} {verb} the {}", list(&names), side.side.name()))
        })
        .collect();
    if each.is_empty() {
        "No factor is settled for any side of the result.".to_owned()
    } else {
        format!("{}.", list(&each))
    }
}
