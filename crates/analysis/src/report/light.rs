//! Steady, unstable or open: a figure of the card against two thresholds, with its uncertainty.

use crate::estimate::{Estimate, Interval};
use crate::options::Light;

/// What a light says, from the best on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// On the good side, and the interval excludes the bad one.
    Steady,
    /// Between the thresholds, or the runs are too few to say.
    Open,
    /// On the bad side, and the interval excludes the good one.
    Unstable,
}

impl Verdict {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Unstable => "unstable",
            Self::Open => "open",
        }
    }
}

/// Judges an estimate; without an interval nothing is settled.
pub(crate) fn judge(estimate: &Estimate, light: Light) -> Verdict {
    let Some(Interval { lower, upper, .. }) = estimate.interval else {
        return Verdict::Open;
    };
    // Where high values are good, the same with the sign turned.
    let turn = if light.good <= light.bad { 1.0 } else { -1.0 };
    let (good, bad) = (turn * light.good, turn * light.bad);
    let (value, lower, upper) = if turn > 0.0 {
        (estimate.value, lower, upper)
    } else {
        (-estimate.value, -upper, -lower)
    };
    if value <= good && upper < bad {
        Verdict::Steady
    } else if value >= bad && lower > good {
        Verdict::Unstable
    } else {
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_needs_the_interval() {
        let light = Light {
            good: 0.5,
            bad: 1.5,
        };
        let of = |value, lower, upper| Estimate {
            value,
            interval: Some(Interval {
                lower,
                upper,
                level: 0.95,
                method: String::new(),
            }),
        };
        assert_eq!(judge(&of(0.2, 0.1, 0.6), light), Verdict::Steady);
        assert_eq!(
            judge(&of(0.2, 0.1, 1.6), light),
            Verdict::Open,
            "too few runs"
        );
        assert_eq!(
            judge(&of(1.0, 0.9, 1.1), light),
            Verdict::Open,
            "in between"
        );
        assert_eq!(judge(&of(1.7, 0.9, 6.0), light), Verdict::Unstable);
        assert_eq!(
            judge(&of(1.7, 0.4, 6.0), light),
            Verdict::Open,
            "too few runs"
        );
        let turned = Light {
            good: -0.02,
            bad: -0.1,
        };
        assert_eq!(judge(&of(-0.01, -0.05, 0.01), turned), Verdict::Steady);
        assert_eq!(judge(&of(-0.2, -0.3, -0.1), turned), Verdict::Unstable);
        let alone = Estimate {
            value: 0.0,
            interval: None,
        };
        assert_eq!(judge(&alone, light), Verdict::Open);
    }
}
