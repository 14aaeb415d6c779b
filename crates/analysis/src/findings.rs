//! Plain sentences. Uncertainty is part of the sentence, and "not distinguishable" is a finding.

use serde::{Deserialize, Serialize};

/// One sentence of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Identifier of the metric that it rests on.
    pub metric: String,
    /// The setting it is about; none: all settings.
    pub setting: Option<String>,
    /// The learner it is about; none: several.
    pub learner: Option<String>,
    /// How much the sentence claims.
    pub certainty: Certainty,
    /// The sentence, with its figures and their uncertainty.
    pub text: String,
    /// Whether failed runs were left out of the figures.
    pub without_failed: bool,
}

/// How much a sentence claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// An estimate with its interval; nothing is decided.
    Estimated,
    /// The interval excludes "no difference".
    Distinguishable,
    /// The interval includes "no difference": that is the finding.
    NotDistinguishable,
    /// The runs were made differently in more than what is studied: no claim.
    NotComparable,
    /// A check of the result failed: nothing that rests on it stands.
    Refuted,
    /// The data are too few for the claim that a reader would expect here.
    TooFewRuns,
}

impl Certainty {
    /// Of an estimate that decides nothing, from so many runs: with fewer than three, an interval over them says little.
    pub(crate) fn of_estimate(n_runs: usize) -> Self {
        match n_runs {
            0..3 => Self::TooFewRuns,
            _ => Self::Estimated,
        }
    }
}

impl Finding {
    pub(crate) fn of_setting(
        setting: &str,
        metric: &str,
        certainty: Certainty,
        text: String,
    ) -> Self {
        Self {
            metric: metric.to_owned(),
            setting: Some(setting.to_owned()),
            learner: None,
            certainty,
            text,
            without_failed: false,
        }
    }
}

/// A fraction as percent with one decimal more than a percentage point: `93.12 %`.
#[must_use]
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}

/// The probability of chance: `p = 0.041`; `p < 0.001` rather than 0.
#[must_use]
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p = {p:.3}")
    }
}

/// A difference or spread of accuracies in percentage points: `1.07 pp`.
#[must_use]
pub fn points(fraction: f64) -> String {
    format!("{:.2} pp", 100.0 * fraction)
}

/// A ratio, short: `2.1`, `0.48`, `12`; `over 10^6` where it is known to be large alone.
#[must_use]
pub(crate) fn ratio(value: f64) -> String {
    match value {
        v if v >= 1e6 => "over 10^6".to_owned(),
        v if v >= 10.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [head @ .., last] => {
            let head: Vec<&str> = head.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", head.join(", "), last.as_ref())
        }
    }
}
