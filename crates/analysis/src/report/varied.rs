//! What a study with several settings says of them: whether, and by how much, they move the spread and the mean of its learners.

use super::document::{Table, count, list};
use super::group::{Group, distinct};
use super::said::{Basis, Said};
use crate::between_settings::{SettingEffect, SettingEffects, farthest, open_in_words};
use crate::estimate::Estimate;
use crate::findings::{Certainty, p_value, ratio};
use crate::outcome::StudyAnalysis;
use crate::steadiness::SpreadVerdict;
use crate::words::Words;

/// Most settings that are named.
const MOST_NAMED: usize = 6;
/// Most effects that are told on the first screen.
const MOST_TOLD: usize = 3;

/// The settings, and what is settled of them at `level`; empty where no learner was tested twice in two of them.
pub(crate) fn settings(analysis: &StudyAnalysis, groups: &[Group<'_>], level: f64) -> Vec<Said> {
    let Some(SettingEffects { pairs }) = analysis.all.get() else {
        return Vec::new();
    };
    let words = Words::of(&analysis.options);
    let names: Vec<&str> = analysis
        .settings
        .iter()
        .map(|it| it.setting.as_str())
        .collect();
    let varied = if names.len() > MOST_NAMED {
        count(names.len(), "setting")
    } else {
        list(&names)
    };
    let mut told = vec![Said::described(format!(
        "The setting was varied: {varied}."
    ))];
    let spread: Vec<&SettingEffect> = pairs
        .iter()
        .filter(|it| it.is_spread_told(1.0 - level))
        .collect();
    if spread.is_empty() {
        let text = format!(
            "No learner's spread over seeds is shown to move with the setting: {}.",
            open_in_words(&pairs.iter().collect::<Vec<_>>())
        );
        told.push(carried(text, groups, Certainty::NotDistinguishable));
    }
    let texts = spread.iter().map(|it| {
        let text = format!(
            "It moves the spread over seeds of {}: {}.",
            it.learner,
            it.spread_in_words(words)
        );
        (text, it.learner.as_str())
    });
    let means: Vec<&SettingEffect> = distinct(pairs.iter().map(|it| it.learner.as_str()))
        .into_iter()
        .filter_map(|learner| {
            let own = pairs.iter().filter(|it| it.learner == learner);
            farthest(&own.collect::<Vec<_>>())
        })
        .filter(|it| it.p_value.is_some_and(|p| p <= level))
        .collect();
    let of_means = means.iter().map(|it| {
        let text = format!(
            "It moves the mean of {} {}.",
            it.learner,
            it.mean_in_words(words)
        );
        (text, it.learner.as_str())
    });
    let all: Vec<(String, &str)> = texts.chain(of_means).collect();
    let more = all.len().saturating_sub(MOST_TOLD);
    told.extend(all.into_iter().take(MOST_TOLD).map(|(text, learner)| {
        let own = groups.iter().filter(|it| it.learner == learner);
        let basis = Basis::of(&own.collect::<Vec<_>>(), Certainty::Distinguishable);
        Said::carried(text, basis)
    }));
    if means.is_empty() {
        let text = "No learner's mean is shown to move with the setting.";
        told.push(carried(
            text.to_owned(),
            groups,
            Certainty::NotDistinguishable,
        ));
    }
    if more > 0 {
        told.push(Said::described(format!(
            "{} more in the chapter on key factors.",
            count(more, "settled effect")
        )));
    }
    told
}

fn carried(text: String, groups: &[Group<'_>], certainty: Certainty) -> Said {
    Said::carried(
        text,
        Basis::of(&groups.iter().collect::<Vec<_>>(), certainty),
    )
}

/// The p-values of both lists: spreads, means.
pub(crate) fn p_values(analysis: &StudyAnalysis) -> [Vec<f64>; 2] {
    let pairs = analysis
        .all
        .get::<SettingEffects>()
        .unwrap_or_default()
        .pairs;
    [
        pairs.iter().filter_map(|it| it.spread.p_value).collect(),
        pairs.iter().filter_map(|it| it.p_value).collect(),
    ]
}

/// The largest settled ratio of spreads, as the number of a chapter.
pub(crate) fn headline(analysis: &StudyAnalysis) -> Option<(String, String)> {
    let pairs = analysis.all.get::<SettingEffects>()?.pairs;
    let settled = pairs
        .iter()
        .filter(|it| it.is_spread_told(analysis.options.level));
    let of = |it: &SettingEffect| {
        let value = it.spread.ratio.as_ref()?.value;
        Some((it.learner.clone(), value.max(1.0 / value.max(1e-9))))
    };
    let (learner, most) = settled.filter_map(of).max_by(|x, y| x.1.total_cmp(&y.1))?;
    Some((
        format!("{learner} x {}", ratio(most)),
        "what the setting does to the standard deviation over seeds".to_owned(),
    ))
}

/// Every learner in every pair of settings.
pub(crate) fn table(analysis: &StudyAnalysis) -> Option<Table> {
    let pairs = analysis.all.get::<SettingEffects>()?.pairs;
    let words = Words::of(&analysis.options);
    let p = |p: Option<f64>| p.map_or_else(|| "no test".to_owned(), p_value);
    let rows = pairs.iter().map(|it| {
        vec![
            it.learner.clone(),
            format!("{} over {}", it.spread.a, it.spread.b),
            it.spread
                .ratio
                .as_ref()
                .map_or_else(|| "no spread".to_owned(), ratio_with),
            p(it.spread.p_value),
            verdict(it),
            words.bare_points_with(&it.difference),
            p(it.p_value),
        ]
    });
    Some(Table {
        caption: words.text(
            "What the setting does to each learner: ratio of the standard deviations over seeds beyond the noise of the test, and difference of \
             the means for other trainings and tasks, in pp; p-values after Holm over this column.",
        ),
        head: [
            "learner",
            "settings",
            "SD ratio [CI]",
            "p",
            "spread",
            "mean, first less second [CI]",
            "p of the mean",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: rows.collect(),
    })
}

fn ratio_with(found: &Estimate) -> String {
    let limits = found.interval.as_ref().map_or_else(String::new, |i| {
        format!(" [{}, {}]", ratio(i.lower), ratio(i.upper))
    });
    format!("{}{limits}", ratio(found.value))
}

fn verdict(it: &SettingEffect) -> String {
    match it.spread.verdict {
        SpreadVerdict::ASteadier => format!("steadier in {}", it.spread.a),
        SpreadVerdict::BSteadier => format!("steadier in {}", it.spread.b),
        SpreadVerdict::AsSteady => "practically as steady".to_owned(),
        SpreadVerdict::NoSeedEffect => "no seed effect".to_owned(),
        SpreadVerdict::FailuresDecide => "failures decide".to_owned(),
        SpreadVerdict::Open { seeds: Some(n) } => format!("open; {n} seeds"),
        SpreadVerdict::Open { seeds: None } => "open".to_owned(),
    }
}
