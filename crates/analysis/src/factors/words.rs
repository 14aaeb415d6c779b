//! What the lists of factors say, in sentences.

use super::key::{FactorList, KeyFactors, RankedFactor};
use super::noise::NoiseSource;
use super::responses::Side;
use super::tested::{Effect, TestedFactor};
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, list as list_in_words, p_value, ratio};
use crate::metric::Measure;

/// What a factor does: `SD x 2.1 [1.4, 3.2] with norm = none against batch`.
#[must_use]
pub(crate) fn effect(side: Side, factor: &str, effect: &Effect) -> String {
    let limits = |show: &dyn Fn(f64) -> String| {
        let interval = effect.value.interval.as_ref();
        interval.map_or_else(String::new, |i| {
            format!(" [{}, {}]", show(i.lower), show(i.upper))
        })
    };
    let levels = format!("with {factor} = {} against {}", effect.to, effect.from);
    let decade = effect
        .per_decade
        .map_or_else(String::new, |step| format!(", x {} a decade", ratio(step)));
    match side {
        Side::Mean => {
            let show = |v: f64| format!("{v:+.3}");
            format!("{}{} {levels}", show(effect.value.value), limits(&show))
        }
        Side::Spread | Side::SpreadBeyondMean => {
            format!(
                "SD x {}{} {levels}{decade}",
                ratio(effect.value.value),
                limits(&ratio)
            )
        }
        Side::Failure => format!(
            "odds x {}{} {levels}{decade}",
            ratio(effect.value.value),
            limits(&ratio)
        ),
    }
}

/// `the spread over seeds of accuracy`.
fn side_of(found: &KeyFactors, side: Side) -> String {
    match side {
        Side::Failure => "the failure rate".to_owned(),
        Side::SpreadBeyondMean => format!(
            "the spread over seeds of {} beyond what goes with its mean",
            found.response
        ),
        side => format!("the {} of {}", side.name(), found.response),
    }
}

/// How the list was tested.
fn tested_how(found: &KeyFactors) -> String {
    if found.shared_seeds {
        format!(
            "tested over {} different seeds and {} points, 5 % for the list as a whole",
            found.n_seeds, found.n_points
        )
    } else {
        format!(
            "permutation over {} points, 5 % for the list as a whole",
            found.n_points
        )
    }
}

/// A ratio beyond which a limit says nothing.
pub(crate) const MOST_HIDDEN: f64 = 100.0;

/// The sentence on one list.
pub(super) fn told(found: &KeyFactors, list: &FactorList) -> Finding {
    let side = side_of(found, list.side);
    let (certainty, text) = if let Some(why) = &list.why_none {
        let text = format!("There is no list of factors for {side}: {why}.");
        (Certainty::TooFewRuns, text)
    } else {
        let settled: Vec<&TestedFactor> = list.settled().collect();
        let (certainty, text) = if settled.is_empty() {
            (Certainty::NotDistinguishable, unsettled(found, list, &side))
        } else {
            (
                Certainty::Distinguishable,
                moved(found, list, &settled, &side),
            )
        };
        (certainty, text + &mixed(list) + &noise(found, list.side))
    };
    Finding {
        metric: KeyFactors::ID.to_owned(),
        setting: None,
        learner: None,
        certainty,
        text,
        without_failed: matches!(list.side, Side::Spread | Side::SpreadBeyondMean)
            && found.n_failed > 0,
    }
}

fn moved(found: &KeyFactors, list: &FactorList, settled: &[&TestedFactor], side: &str) -> String {
    let each: Vec<String> = settled
        .iter()
        .map(|one| {
            let what = one.effect.as_ref().map_or_else(String::new, |it| {
                format!("{}, ", effect(list.side, &one.factor, it))
            });
            let shares = shares_of(list, &one.factor).map_or_else(String::new, |it| {
                format!(
                    "which alone explains {} of the variance over the space, ",
                    share(&it.main)
                )
            });
            format!("{} ({what}{shares}{})", one.factor, p_value(one.p_value))
        })
        .collect();
    let verb = if settled.len() == 1 { "moves" } else { "move" };
    let names = list_in_words(&each);
    let rest = list.tested.len() - settled.len();
    let others = match rest {
        0 => String::new(),
        1 => "; the other factor is not settled".to_owned(),
        _ => format!("; the other {rest} factors are not settled"),
    };
    format!("{names} {verb} {side}{others} ({}).", tested_how(found))
}

fn unsettled(found: &KeyFactors, list: &FactorList, side: &str) -> String {
    let least = list
        .tested
        .iter()
        .map(|one| one.p_value)
        .fold(1.0, f64::min);
    let hidden = match list.side {
        Side::Mean => None,
        _ => hidden(list),
    };
    let room = hidden.map_or_else(String::new, |most| {
        if most > MOST_HIDDEN {
            return " The data put no upper limit on an effect.".to_owned();
        }
        let what = if list.side == Side::Failure {
            "ratio of odds"
        } else {
            "ratio of SDs"
        };
        format!(" A {what} of up to {} cannot be ruled out.", ratio(most))
    });
    format!(
        "No factor is settled for {side}: the smallest of {} p-values is {least:.2} ({}).{room}",
        list.tested.len(),
        tested_how(found)
    )
}

/// The largest ratio, either way, that an interval of the list leaves room for.
#[must_use]
pub(crate) fn hidden(list: &FactorList) -> Option<f64> {
    let effects = list.tested.iter().filter_map(|one| one.effect.as_ref());
    let limits = effects.filter_map(|effect| effect.value.interval.as_ref());
    limits
        .map(|i| i.upper.max(1.0 / i.lower.max(1e-9)))
        .max_by(f64::total_cmp)
}

/// The factors that cannot be told from something else.
fn mixed(list: &FactorList) -> String {
    let mut sentences = String::new();
    for one in &list.tested {
        let Some(other) = &one.mixed_with else {
            continue;
        };
        sentences += &if other == "the mean" {
            format!(
                " The effect of {} on the spread cannot be told from its effect on the mean in this design.",
                one.factor
            )
        } else {
            format!(
                " {} moves together with {other} in this design and cannot be told from it.",
                one.factor
            )
        };
    }
    sentences
}

fn noise(found: &KeyFactors, side: Side) -> String {
    match (side, found.noise) {
        (Side::Spread, Some(NoiseSource::Unknown)) => {
            " The noise of the test is not known, so the spread includes it. A column of scores by task, or the number of queries, would \
             remove it."
                .to_owned()
        }
        _ => String::new(),
    }
}

fn shares_of<'a>(list: &'a FactorList, factor: &str) -> Option<&'a RankedFactor> {
    let ranked = list.ranked.as_ref()?;
    ranked.factors.iter().find(|it| it.factor == factor)
}

fn share(estimate: &Estimate) -> String {
    let limits = estimate
        .interval
        .as_ref()
        .map_or_else(String::new, |interval| {
            format!(
                " ({:.0} to {:.0} %)",
                100.0 * interval.lower,
                100.0 * interval.upper
            )
        });
    format!("{:.0} %{limits}", 100.0 * estimate.value)
}
