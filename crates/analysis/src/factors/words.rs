//! What the lists of factors say, in sentences.

use super::key::{Agreement, FactorList, KeyFactors};
use super::responses::Side;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, p_value};
use crate::metric::Measure;

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

/// The sentence on one list.
pub(super) fn told(found: &KeyFactors, list: &FactorList) -> Finding {
    let side = match list.side {
        Side::Failure => "the failure rate".to_owned(),
        side => format!("the {} of {}", side.name(), found.response),
    };
    let (certainty, text) = match (&list.ranked, list.screened.first()) {
        (Some(ranked), _) => {
            let leader = &ranked.factors[0];
            let sure = list.is_settled();
            let mut text = format!(
                "Of {} factors, {} moves {side} most: {} of its variance over the space alone, {} together with others",
                found.factors.len(),
                leader.factor,
                share(&leader.main),
                share(&leader.total)
            );
            if let Some(second) = ranked.factors.get(1) {
                text += &format!(
                    "; next comes {} with {} alone",
                    second.factor,
                    share(&second.main)
                );
            }
            if let Some(pair) = ranked.pairs.first().filter(|pair| pair.share.value > 0.05) {
                text += &format!(
                    "; {} and {} add {} by acting together",
                    pair.a,
                    pair.b,
                    share(&pair.share)
                );
            }
            text += &if sure {
                format!(
                    ". The lead of {} holds in {:.0} % of resamples of the points.",
                    leader.factor,
                    100.0 * leader.first
                )
            } else {
                format!(
                    ". {} leads in {:.0} % of resamples of the points: who leads is not settled.",
                    leader.factor,
                    100.0 * leader.first
                )
            };
            text += &format!(
                " The factors explain {:.0} % of what is seen at the {} points.",
                100.0 * ranked.r_squared,
                found.n_points
            );
            if let Some(basin) = leader.basin.as_ref() {
                text += &format!(
                    " {} may lie between {} and {} ({:.2} {}) before the mean falls by {} from its best, at {}.",
                    leader.factor,
                    basin.low,
                    basin.high,
                    basin.width.value,
                    basin.unit,
                    found.basin_margin,
                    basin.best
                );
            }
            (
                if sure {
                    Certainty::Distinguishable
                } else {
                    Certainty::NotDistinguishable
                },
                text,
            )
        }
        (None, Some(first)) => {
            let sure = list.is_settled();
            let verdict = if sure {
                "which chance hardly gives"
            } else {
                "which chance gives often enough: no factor is distinguishable"
            };
            let text = format!(
                "No shares are given for {side}: {}. By itself {} goes with it most ({:.0} % of the variance of ranks, {}, \
                 the best of {} factors), {verdict}.",
                list.what.trim_end_matches('.'),
                first.factor,
                100.0 * first.eta_squared,
                p_value(first.p_value),
                found.factors.len()
            );
            (
                if sure {
                    Certainty::Distinguishable
                } else {
                    Certainty::NotDistinguishable
                },
                text,
            )
        }
        (None, None) => (
            Certainty::TooFewRuns,
            format!("There is no list of factors for {side}: {}.", list.what),
        ),
    };
    of_study(certainty, text)
}

/// The sentence on two lists.
pub(super) fn compared(agreement: &Agreement) -> Finding {
    let (a, b) = (agreement.a.name(), agreement.b.name());
    let first = if agreement.same_first {
        "The same factor leads"
    } else {
        "Different factors lead"
    };
    let order = agreement.rank_correlation.map_or_else(String::new, |rho| {
        format!("; the orders of all factors have rank correlation {rho:.2}")
    });
    of_study(
        Certainty::Estimated,
        format!("{first} the lists for the {a} and for the {b}{order}."),
    )
}

fn of_study(certainty: Certainty, text: String) -> Finding {
    Finding {
        metric: KeyFactors::ID.to_owned(),
        setting: None,
        learner: None,
        certainty,
        text,
        without_failed: false,
    }
}
