//! A condition on a report, for continuous integration: it holds, it does not, or the runs do not settle it.

use std::str::FromStr;

use crate::estimate::Estimate;
use crate::outcome::{LearnerAnalysis, StudyAnalysis};
use crate::spread::Spread;
use crate::tail::Tail;

/// What a condition can be about, with its unit.
pub const QUANTITIES: [(&str, &str); 4] = [
    ("mean", "mean test score over runs and tasks, %"),
    (
        "seed_sd",
        "standard deviation over seeds beyond the noise of the test, percentage points",
    ),
    ("cvar10", "mean of the worst tenth of the tasks, %"),
    ("failed", "share of runs that failed, %"),
];

/// Conditions that have to hold for every learner: `seed_sd < 1 and protonet.mean > 95`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    /// None: every learner.
    learner: Option<String>,
    quantity: &'static str,
    /// Whether the quantity has to be below the limit.
    below: bool,
    /// In the unit of the quantity.
    limit: f64,
    text: String,
}

/// What came out of one condition for one learner.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The condition, as it was written.
    pub condition: String,
    /// Learner and, where there are several, setting.
    pub learner: String,
    /// The quantity in its unit, with its interval.
    pub estimate: Option<Estimate>,
    /// What follows.
    pub outcome: GateOutcome,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GateOutcome {
    /// The whole interval satisfies it.
    Pass,
    /// The interval has both sides, or there is none.
    Open,
    /// The whole interval violates it.
    Fail,
}

impl FromStr for Gate {
    type Err = String;

    /// Conditions `QUANTITY < NUMBER` or `LEARNER.QUANTITY > NUMBER`, joined by `and`.
    fn from_str(text: &str) -> Result<Self, String> {
        let terms: Result<Vec<Term>, String> = text.split(" and ").map(term).collect();
        Ok(Self { terms: terms? })
    }
}

fn term(text: &str) -> Result<Term, String> {
    let text = text.trim();
    let Some(at) = text.find(['<', '>']) else {
        return Err(format!(
            "`{text}` is not a condition; write for example `seed_sd < 1` or `protonet.mean > 95`, several joined by `and`"
        ));
    };
    let (left, right) = (
        text[..at].trim(),
        text[at + 1..].trim().trim_start_matches('='),
    );
    let limit: f64 = right
        .trim()
        .parse()
        .ok()
        .filter(|it: &f64| it.is_finite())
        .ok_or_else(|| format!("`{}` in `{text}` is not a number", right.trim()))?;
    let (learner, quantity) = match left.rsplit_once('.') {
        Some((learner, quantity)) => (Some(learner.to_owned()), quantity),
        None => (None, left),
    };
    let known = QUANTITIES.iter().find(|(name, _)| *name == quantity);
    let Some((quantity, _)) = known else {
        let names: Vec<&str> = QUANTITIES.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "`{quantity}` in `{text}` is not known; one of {}",
            names.join(", ")
        ));
    };
    Ok(Term {
        learner,
        quantity,
        below: text[at..].starts_with('<'),
        limit,
        text: text.to_owned(),
    })
}

impl Gate {
    /// Each condition for each learner that it is about.
    ///
    /// # Errors
    /// A sentence if a condition names a learner that the study does not have.
    pub fn check(&self, analysis: &StudyAnalysis) -> Result<Vec<Checked>, String> {
        let many = analysis.settings.len() > 1;
        let mut found = Vec::new();
        for term in &self.terms {
            let before = found.len();
            for setting in &analysis.settings {
                for learner in &setting.learners {
                    if term
                        .learner
                        .as_ref()
                        .is_some_and(|it| *it != learner.learner)
                    {
                        continue;
                    }
                    let estimate = quantity(term.quantity, learner);
                    found.push(Checked {
                        condition: term.text.clone(),
                        learner: if many {
                            format!("{}, {}", learner.learner, setting.setting)
                        } else {
                            learner.learner.clone()
                        },
                        outcome: outcome(term, estimate.as_ref()),
                        estimate,
                    });
                }
            }
            if found.len() == before {
                let mut names: Vec<&str> = analysis
                    .settings
                    .iter()
                    .flat_map(|it| &it.learners)
                    .map(|it| it.learner.as_str())
                    .collect();
                names.dedup();
                return Err(format!(
                    "`{}` is about a learner that the study does not have; it has {}",
                    term.text,
                    names.join(", ")
                ));
            }
        }
        Ok(found)
    }
}

/// The quantity in percent, with its interval.
fn quantity(name: &str, learner: &LearnerAnalysis) -> Option<Estimate> {
    let estimate = match name {
        "mean" => learner.all.get::<Spread>()?.mean,
        "seed_sd" => learner.all.get::<Spread>()?.between_seeds()?.clone(),
        "cvar10" => {
            let mut levels = learner.all.get::<Tail>()?.levels.into_iter();
            let level = levels.find(|level| (level.share - 0.1).abs() < 1e-9)?;
            Estimate::new(level.cvar, level.over_tasks)
        }
        _ => learner.failures.rate.clone(),
    };
    Some(Estimate {
        value: 100.0 * estimate.value,
        interval: estimate.interval.map(|mut interval| {
            interval.lower *= 100.0;
            interval.upper *= 100.0;
            interval
        }),
    })
}

fn outcome(term: &Term, estimate: Option<&Estimate>) -> GateOutcome {
    let Some(interval) = estimate.and_then(|it| it.interval.as_ref()) else {
        return GateOutcome::Open;
    };
    let (best, worst) = if term.below {
        (interval.lower, interval.upper)
    } else {
        (-interval.upper, -interval.lower)
    };
    let limit = if term.below { term.limit } else { -term.limit };
    if worst < limit {
        GateOutcome::Pass
    } else if best >= limit {
        GateOutcome::Fail
    } else {
        GateOutcome::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Interval;

    #[test]
    fn conditions_are_read_and_judged() {
        let gate: Gate = "seed_sd < 1 and my.net.mean > 95".parse().unwrap();
        assert_eq!(gate.terms[1].learner.as_deref(), Some("my.net"));
        for (text, part) in [
            ("seed_sd 1", "is not a condition"),
            ("seed_sd < much", "`much`"),
            ("sd < 1", "one of mean, seed_sd, cvar10, failed"),
        ] {
            let error = text.parse::<Gate>().unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let of = |lower: f64, upper: f64| {
            let interval = Interval {
                lower,
                upper,
                level: 0.95,
                method: String::new(),
            };
            Estimate::new(f64::midpoint(lower, upper), interval)
        };
        let judged = |term: &Term, it: Estimate| outcome(term, Some(&it));
        assert_eq!(judged(&gate.terms[0], of(0.2, 0.9)), GateOutcome::Pass);
        assert_eq!(judged(&gate.terms[0], of(0.2, 1.1)), GateOutcome::Open);
        assert_eq!(judged(&gate.terms[0], of(1.0, 1.1)), GateOutcome::Fail);
        assert_eq!(judged(&gate.terms[1], of(95.1, 97.0)), GateOutcome::Pass);
        assert_eq!(judged(&gate.terms[1], of(90.0, 95.0)), GateOutcome::Fail);
        assert_eq!(outcome(&gate.terms[0], None), GateOutcome::Open);
    }
}
