//! The first screen: which learner is best, is it stable enough, what makes it unstable, what to run next. Each answer rests on a
//! verdict that the analysis computed, and an open one says what would settle it.

use super::advice::advice;
use super::card::below_null;
use super::chapters::factors::of_sources;
use super::document::{Answer, Line, count, list, percent};
use super::group::Group;
use super::light::{Verdict, judge};
use super::said::{Basis, Said};
use super::varied;
use crate::comparison::{Comparison, Comparisons};
use crate::factors::key::KeyFactors;
use crate::factors::responses::Side;
use crate::factors::words::{MOST_HIDDEN, effect, hidden};
use crate::findings::{Certainty, ratio};
use crate::multiplicity::level_of_lists;
use crate::options::Light;
use crate::outcome::{LearnerAnalysis, SettingAnalysis, StudyAnalysis};
use crate::probe::support_sets::SupportSets;
use crate::record::Study;
use crate::spread::Spread;
use crate::tail::Tail;
use crate::training::selection::SelectionGap;
use crate::words::Words;

/// Most factors that are named.
const MOST_FACTORS: usize = 3;

/// The answers of a study.
pub(crate) fn decide(study: &Study, analysis: &StudyAnalysis, groups: &[Group<'_>]) -> Vec<Answer> {
    let level = claim_level(analysis);
    let mut answers = Vec::new();
    if !study.runs.is_empty() {
        let settings = analysis.settings.iter();
        let sentences = settings
            .map(|it| best(it, analysis, groups, level))
            .collect();
        answers.push(Answer::plain("Which is best?", sentences));
        answers.push(stable(analysis, groups, level));
    }
    let causes = causes(study, analysis, groups, level);
    answers.push(Answer::plain("What makes it unstable?", causes));
    let advice = advice(study, analysis);
    let mut sentences = advice.sentences.clone();
    // Behind what the runs would settle.
    if let Some(time) = advice.time() {
        sentences.insert(1, time);
    }
    answers.push(Answer {
        command: advice.command,
        ..Answer::plain(
            "What to run next?",
            sentences.into_iter().map(Said::described).collect(),
        )
    });
    answers
}

/// The level at which the lists of this report (pairs of each setting, falls in training, factors of each side, what the settings do to spreads
/// and to means) are read here.
fn claim_level(analysis: &StudyAnalysis) -> f64 {
    let mut least = Vec::new();
    let mut list = |p: Vec<f64>| {
        if !p.is_empty() {
            least.push(p.into_iter().fold(1.0, f64::min));
        }
    };
    let mut falls = Vec::new();
    for setting in &analysis.settings {
        let pairs = setting.all.get::<Comparisons>().unwrap_or_default().pairs;
        list(pairs.iter().filter_map(|pair| pair.p_value).collect());
        let gaps = setting
            .learners
            .iter()
            .filter_map(|it| it.all.get::<SelectionGap>());
        falls.extend(gaps.map(|gap| gap.p_value().unwrap_or(1.0)));
    }
    let n = falls.len() as f64;
    list(falls.into_iter().map(|p| (p * n).min(1.0)).collect());
    if let Some(key) = analysis.all.get::<KeyFactors>() {
        for side in &key.lists {
            let told = side.tested.iter().filter(|one| one.mixed_with.is_none());
            list(told.map(|one| one.p_value).collect());
        }
    }
    for of_settings in varied::p_values(analysis) {
        list(of_settings);
    }
    level_of_lists(&least, 1.0 - analysis.options.level)
}

/// The learner with the highest mean, those that cannot be told from it, and how far the others fall behind.
fn best(
    setting: &SettingAnalysis,
    analysis: &StudyAnalysis,
    groups: &[Group<'_>],
    level: f64,
) -> Said {
    let place = if analysis.settings.len() > 1 {
        format!("{}: ", setting.setting)
    } else {
        String::new()
    };
    let means: Vec<(&str, f64)> = setting
        .learners
        .iter()
        .filter_map(|it| Some((it.learner.as_str(), it.all.get::<Spread>()?.mean.value)))
        .collect();
    let Some((first, mean)) = means
        .iter()
        .copied()
        .reduce(|a, b| if b.1 > a.1 { b } else { a })
    else {
        return Said::described(format!("{place}no learner has a tested run."));
    };
    let words = Words::of(&analysis.options);
    let (unit, highest) = (words.unit(), words.highest());
    if means.len() == 1 {
        return Said::described(format!(
            "{place}there is one learner, {first}, with {}{unit}.",
            words.bare(mean)
        ));
    }
    let pairs = setting.all.get::<Comparisons>().unwrap_or_default().pairs;
    let (mut alike, mut behind, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (other, _) in means.iter().filter(|it| it.0 != first) {
        let pair = pairs.iter().find(|pair| {
            (pair.a == first && pair.b == *other) || (pair.b == first && pair.a == *other)
        });
        let Some(pair) = pair.filter(|pair| pair.p_value.is_some()) else {
            let why = pair.map_or("no common test", Comparison::why_undecided);
            unknown.push(format!("{other} ({why})"));
            continue;
        };
        match (pair.better(1.0 - level), pair.difference()) {
            (Some((better, _)), Some(difference)) if better == first => {
                let more = difference.clone().positive();
                behind.push(format!("{other} by {}", words.points_with(&more)));
            }
            _ => alike.push(*other),
        }
    }
    let mut text = if alike.is_empty() && unknown.is_empty() {
        format!("{place}{first}, with {}{unit}.", words.bare(mean))
    } else if alike.is_empty() {
        format!(
            "{place}open; {first} has the {highest} mean, {}{unit}.",
            words.bare(mean)
        )
    } else {
        let group: Vec<&str> = std::iter::once(first)
            .chain(alike.iter().copied())
            .collect();
        format!(
            "{place}{} cannot be told apart ({first} has the {highest} mean, {}{unit}).",
            list(&group),
            words.bare(mean)
        )
    };
    if !behind.is_empty() {
        text += &format!(" Behind: {}.", list(&behind));
    }
    if !unknown.is_empty() {
        text += &format!(" Not decided against {first}: {}.", list(&unknown));
    }
    let certainty = match behind.is_empty() {
        true => Certainty::NotDistinguishable,
        false => Certainty::Distinguishable,
    };
    let of_setting = groups.iter().filter(|it| it.setting == setting.setting);
    Said::carried(text, Basis::of(&of_setting.collect::<Vec<_>>(), certainty))
}

/// One thing that can make a learner unstable.
struct Aspect {
    verdict: Verdict,
    words: String,
}

/// For each learner the worst of its aspects.
fn stable(analysis: &StudyAnalysis, groups: &[Group<'_>], level: f64) -> Answer {
    let mut lines = Vec::new();
    let n = groups
        .iter()
        .filter(|it| it.get::<SelectionGap>().is_some())
        .count();
    for group in groups {
        let Some(of_learner) = group.analysis else {
            continue;
        };
        let aspects = aspects(of_learner, analysis, n, level);
        let verdicts = aspects.iter().map(|it| it.verdict);
        let Some(worst) = verdicts.max() else {
            continue;
        };
        let of_worst = aspects.iter().filter(|it| it.verdict == worst);
        let reasons: Vec<&str> = of_worst.map(|it| it.words.as_str()).collect();
        lines.push(Line {
            name: group.name.clone(),
            word: worst.word(),
            reasons: list(&reasons),
        });
    }
    let of = |word: &str| -> Vec<&str> {
        let of_word = lines.iter().filter(|line| line.word == word);
        of_word.map(|line| line.name.as_str()).collect()
    };
    let mut sentences = Vec::new();
    for (word, told) in [
        ("unstable", "Not stable enough"),
        ("steady", "Stable enough"),
        ("open", "Open"),
    ] {
        let names = of(word);
        if !names.is_empty() {
            sentences.push(Said::described(format!("{told}: {}.", list(&names))));
        }
    }
    if sentences.is_empty() {
        sentences.push(Said::described(
            "No learner has a verdict: no run was tested.",
        ));
    }
    let lights = &analysis.options.lights;
    Answer {
        question: "Is it stable enough?",
        sentences,
        note: (!lines.is_empty()).then(|| {
            let is_asked = groups
                .iter()
                .any(|it| it.get::<SupportSets>().is_some());
            let limits = thresholds([
                ("seed SD", "pp", lights.get("seed_sd")),
                ("CVaR10 less its null", "pp", lights.get("tail")),
                (
                    "SD over support sets",
                    "pp",
                    lights.get("support_sd").filter(|_| is_asked),
                ),
                ("failed runs", "%", lights.get("failed")),
            ]);
            let judged = if lights.contains_key("seed_sd") && is_asked {
                "A verdict is the worst of those on seed spread, tail, choice of the support set, failures and degradation in training."
            } else if lights.contains_key("seed_sd") {
                "A verdict is the worst of those on seed spread, tail, failures and degradation in training."
            } else {
                "A verdict is on failures alone: no threshold of the spread is known in this unit (the card has the spread)."
            };
            format!("{judged} {limits}")
        }),
        lines,
        command: None,
    }
}

fn thresholds(each: [(&str, &str, Option<&Light>); 4]) -> String {
    let told: Vec<String> = each
        .iter()
        .filter_map(|(name, unit, light)| {
            let light = (*light)?;
            Some(format!(
                "{name} {} and {} {unit}",
                percent(light.good),
                percent(light.bad)
            ))
        })
        .collect();
    format!(
        "Thresholds of steady and unstable: {} (settings of the analysis).",
        list(&told)
    )
}

fn aspects(
    learner: &LearnerAnalysis,
    analysis: &StudyAnalysis,
    n_learners: usize,
    level: f64,
) -> Vec<Aspect> {
    let options = &analysis.options;
    let light = |name: &str| options.lights.get(name).copied();
    let mut found = Vec::new();
    let spread: Option<Spread> = learner.all.get();
    if let (Some(spread), Some(light)) = (&spread, light("seed_sd")) {
        match spread.between_seeds() {
            Some(sd) => found.push(Aspect {
                verdict: judge(sd, light),
                words: format!("seed SD {}", Words::of(options).points_with(sd)),
            }),
            None => found.push(Aspect {
                verdict: Verdict::Open,
                words: "a single run".to_owned(),
            }),
        }
    }
    let tail: Option<Tail> = learner.all.get();
    let tail = tail.as_ref().and_then(below_null);
    if let (Some(tail), Some(light)) = (tail, light("tail")) {
        let words = format!("CVaR10 less its null {} pp", percent(tail.value));
        found.push(Aspect {
            verdict: judge(&tail, light),
            words,
        });
    }
    let support: Option<SupportSets> = learner.all.get();
    if let (Some(support), Some(light)) = (support, light("support_sd")) {
        found.push(Aspect {
            verdict: judge(&support.sd, light),
            words: format!(
                "SD over support sets {}",
                Words::of(options).points_with(&support.sd)
            ),
        });
    }
    if let Some(light) = light("failed") {
        let rate = &learner.failures.rate;
        let words = format!(
            "{} of {} failed",
            learner.failures.failed.len(),
            count(learner.failures.n_runs, "run")
        );
        found.push(Aspect {
            verdict: judge(rate, light),
            words,
        });
    }
    if let Some(gap) = learner.all.get::<SelectionGap>()
        && gap.degrades(n_learners, 1.0 - level)
    {
        let words = format!(
            "test accuracy falls by {} pp after the best checkpoint",
            percent(gap.gap.value)
        );
        found.push(Aspect {
            verdict: Verdict::Unstable,
            words,
        });
    }
    found
}

/// At most three settled factors, or what could still hide.
fn causes(study: &Study, analysis: &StudyAnalysis, groups: &[Group<'_>], level: f64) -> Vec<Said> {
    let basis = |certainty| Basis::of_study(study, groups, certainty);
    let Some(key) = analysis.all.get::<KeyFactors>() else {
        let sources = of_sources(study, analysis, groups);
        let settings = varied::settings(analysis, groups, level);
        let told: Vec<Said> = sources.into_iter().chain(settings).collect();
        if !told.is_empty() {
            return told;
        }
        if analysis.settings.len() > 1 {
            return vec![Said::described(
                "No learner has two tested runs in each of two settings, so the effect of the settings is not known.",
            )];
        }
        return vec![Said::described(
            "No setting was varied, so no factor can be named. To name factors, run a study that varies settings, such as the built-in one: metastable experiment factors.",
        )];
    };
    let mut settled = Vec::new();
    for side in [
        Side::SpreadBeyondMean,
        Side::Spread,
        Side::Failure,
        Side::Mean,
    ] {
        for list in key.lists.iter().filter(|list| list.side == side) {
            for one in list.settled().filter(|one| one.p_value <= level) {
                let how = one.effect.as_ref().map_or_else(String::new, |it| {
                    format!(": {}", effect(side, &one.factor, it))
                });
                // What moves the spread beyond the mean moves it in all too: said once.
                let again =
                    side == Side::Spread && settled.iter().any(|(name, _)| *name == one.factor);
                if !again {
                    settled.push((
                        one.factor.clone(),
                        format!("{} moves the {}{how}.", one.factor, side.name()),
                    ));
                }
            }
        }
    }
    if !settled.is_empty() {
        let more = settled.len().saturating_sub(MOST_FACTORS);
        let mut told: Vec<Said> = settled
            .into_iter()
            .take(MOST_FACTORS)
            .map(|(_, text)| Said::carried(text, basis(Certainty::Distinguishable)))
            .collect();
        if more > 0 {
            told.push(Said::described(format!(
                "{} more in the chapter on key factors.",
                count(more, "settled effect")
            )));
        }
        return told;
    }
    let spread = key
        .lists
        .iter()
        .find(|list| list.side == Side::SpreadBeyondMean);
    let why = spread.and_then(|list| list.why_none.clone());
    let text = match (spread.and_then(hidden), why) {
        (Some(most), _) if most > MOST_HIDDEN => {
            "Nothing is settled, and the data put no upper limit on the ratio of SDs.".to_owned()
        }
        (Some(most), _) => format!(
            "Nothing is settled; the largest ratio of SDs that cannot be ruled out is x {}.",
            ratio(most)
        ),
        (None, Some(why)) => format!("Nothing is settled: {why}."),
        (None, None) => "Nothing is settled.".to_owned(),
    };
    vec![Said::carried(text, basis(Certainty::NotDistinguishable))]
}
