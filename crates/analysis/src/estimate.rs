//! A number with its uncertainty, and how that uncertainty was found.

use serde::{Deserialize, Serialize};

use crate::distribution::student_quantile;

/// An interval, with the claim that it makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower limit, in the units of the estimate.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
    /// Coverage it was built for, e.g. 0.95.
    pub level: f64,
    /// How it was made, e.g. `Student t over 3 seeds`.
    pub method: String,
}

impl Interval {
    /// `center` plus and minus `half_width`.
    #[must_use]
    pub fn around(center: f64, half_width: f64, level: f64, method: impl Into<String>) -> Self {
        Self {
            lower: center - half_width,
            upper: center + half_width,
            level,
            method: method.into(),
        }
    }

    /// Student's interval of a mean: `center` plus and minus `t((1 + level) / 2, df) sqrt(variance_of_mean)`.
    #[must_use]
    pub fn student(
        center: f64,
        variance_of_mean: f64,
        df: f64,
        level: f64,
        method: impl Into<String>,
    ) -> Self {
        let half_width = student_quantile((1.0 + level) / 2.0, df) * variance_of_mean.sqrt();
        Self::around(center, half_width, level, method)
    }

    /// Keeps the interval of the share `value` within 0 to 1, see [`Estimate::within_shares`].
    pub(crate) fn keep_within_shares(&mut self, value: f64) {
        if self.lower >= 0.0 && self.upper <= 1.0 {
            return;
        }
        if value <= 0.0 || value >= 1.0 {
            self.lower = self.lower.clamp(0.0, 1.0);
            self.upper = self.upper.clamp(0.0, 1.0);
            return;
        }
        let slope = value * (1.0 - value);
        let moved = |distance: f64| {
            1.0 / (1.0 + (-((value / (1.0 - value)).ln() + distance / slope)).exp())
        };
        self.lower = moved(self.lower - value);
        self.upper = moved(self.upper - value);
        self.method += ", on the logit scale";
    }

    /// Half its width.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.upper - self.lower) / 2.0
    }

    /// Whether `value` lies within, limits included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }
}

/// A number, with an interval where the data can carry one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its interval; absent if the data say nothing on uncertainty (a single run, for instance).
    pub interval: Option<Interval>,
}

impl Estimate {
    /// A number with its interval.
    #[must_use]
    pub fn new(value: f64, interval: Interval) -> Self {
        Self {
            value,
            interval: Some(interval),
        }
    }

    /// The same for a share: where the interval leaves 0 to 1 it is made on the logit scale, with the same width at the value; at 0
    /// and at 1 it ends there.
    #[must_use]
    pub fn within_shares(mut self) -> Self {
        let value = self.value;
        if let Some(interval) = &mut self.interval {
            interval.keep_within_shares(value);
        }
        self
    }

    /// The same of the quantity with its sign turned.
    #[must_use]
    pub fn negated(self) -> Self {
        Self {
            value: -self.value,
            interval: self.interval.map(|interval| Interval {
                lower: -interval.upper,
                upper: -interval.lower,
                ..interval
            }),
        }
    }

    /// The same, negated where its value is below zero.
    #[must_use]
    pub fn positive(self) -> Self {
        if self.value < 0.0 {
            self.negated()
        } else {
            self
        }
    }

    /// A number of unknown uncertainty.
    #[must_use]
    pub fn bare(value: f64) -> Self {
        Self {
            value,
            interval: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 98 % and 5 points to either side: on the logit scale 3.8918 and 0.05 / (0.98 * 0.02) = 2.5510.
    #[test]
    fn the_interval_of_a_share_stays_within_its_range() {
        let share = |value: f64, half: f64| {
            let interval = Interval::around(value, half, 0.95, "by hand");
            Estimate::new(value, interval)
                .within_shares()
                .interval
                .unwrap()
        };
        let near = share(0.98, 0.05);
        assert!((near.lower - 0.792_621).abs() < 1e-5, "{near:?}");
        assert!((near.upper - 0.998_411).abs() < 1e-5, "{near:?}");
        assert!(near.method.ends_with("on the logit scale"));
        // What lies within is left as it is, and at the edge the interval ends there.
        let inside = share(0.5, 0.1);
        assert!((inside.lower - 0.4).abs() < 1e-12 && (inside.upper - 0.6).abs() < 1e-12);
        let edge = share(1.0, 0.1);
        assert!((edge.lower - 0.9).abs() < 1e-12 && (edge.upper - 1.0).abs() < 1e-12);
    }
}
