//! From data to paper: extents, linear and logarithmic scales, ticks at round numbers.

use super::text::number;

/// The smallest interval that holds all finite values seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    lo: f64,
    hi: f64,
}

impl Extent {
    /// Extent of the finite values; `None` when there is none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        values
            .into_iter()
            .filter(|v| v.is_finite())
            .fold(None, |extent: Option<Self>, v| {
                Some(extent.map_or(Self { lo: v, hi: v }, |e| e.with(v)))
            })
    }

    /// The same, holding `value` too.
    pub(crate) fn with(self, value: f64) -> Self {
        if value.is_finite() {
            Self {
                lo: self.lo.min(value),
                hi: self.hi.max(value),
            }
        } else {
            self
        }
    }

    /// Widened by `share` of its length on both sides, and to a length of at least `least`, inside `[floor, roof]`.
    pub(crate) fn padded(self, share: f64, least: f64, floor: f64, roof: f64) -> Self {
        let length = self.hi - self.lo;
        let extra = (length * share).max((least - length) / 2.0).max(0.0);
        // Bounds hold the padding back, never the data.
        Self {
            lo: (self.lo - extra).max(floor).min(self.lo),
            hi: (self.hi + extra).min(roof).max(self.hi),
        }
    }

    /// Both ends.
    pub(crate) fn ends(self) -> (f64, f64) {
        (self.lo, self.hi)
    }
}

/// A map from data to coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    lo: f64,
    hi: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// Linear from `extent` to the coordinates `from ..= to` (which may run downwards).
    pub(crate) fn linear(extent: Extent, from: f64, to: f64) -> Self {
        let (lo, hi) = extent.ends();
        // An empty interval would divide by zero: give it a length that its numbers can resolve.
        let room = if hi > lo {
            0.0
        } else {
            (lo.abs() * 1e-3).max(0.5)
        };
        Self {
            lo: lo - room,
            hi: hi + room,
            from,
            to,
            logarithmic: false,
        }
    }

    /// Logarithmic, for extents above zero; a lower end of zero is raised to a millionth of the upper one.
    pub(crate) fn logarithmic(extent: Extent, from: f64, to: f64) -> Self {
        let (lo, hi) = extent.ends();
        let hi = hi.max(f64::MIN_POSITIVE * 1e12);
        let lo = lo.max(hi * 1e-6);
        let room = if hi > lo { 1.0 } else { 2.0 };
        Self {
            lo: lo / room,
            hi: hi * room,
            from,
            to,
            logarithmic: true,
        }
    }

    /// The map as text, by which the page reads a value back from its place: both coordinates, both values, the kind.
    pub(crate) fn attribute(&self) -> String {
        let kind = if self.logarithmic { "log" } else { "linear" };
        format!("{} {} {} {} {kind}", self.from, self.to, self.lo, self.hi)
    }

    /// The coordinate of a value. Values outside the extent are drawn at its end, not outside the frame.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.lo, self.hi);
        let share = if self.logarithmic {
            (value / self.lo).ln() / (self.hi / self.lo).ln()
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        self.from + share * (self.to - self.from)
    }

    /// At most `most` ticks at round values inside the extent, with labels that tell them apart.
    pub(crate) fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let most = most.max(2);
        if self.logarithmic {
            self.decades(most)
        } else {
            self.round_steps(most)
        }
    }

    fn round_steps(&self, most: usize) -> Vec<(f64, String)> {
        let length = self.hi - self.lo;
        let magnitude = 10f64.powf((length / most as f64).log10().floor());
        for (multiple, extra) in [(1.0, 0), (2.0, 0), (2.5, 1), (5.0, 0), (10.0, 0), (20.0, 0)] {
            let step: f64 = magnitude * multiple;
            let first = (self.lo / step - 1e-9).ceil();
            let last = (self.hi / step + 1e-9).floor();
            if last - first + 1.0 <= most as f64 {
                let decimals = (-(magnitude.log10() + 1e-9).floor() as i32).max(0) as usize + extra;
                // 2.5 times a magnitude needs a digit more, 10 and 20 times one less.
                let decimals = if multiple >= 10.0 {
                    decimals.saturating_sub(1)
                } else {
                    decimals
                };
                let decimals = if extra == 1 && magnitude >= 10.0 {
                    0
                } else {
                    decimals
                };
                let count = (last - first).max(0.0) as usize;
                return (0..=count)
                    .map(|i| {
                        let value = (first + i as f64) * step;
                        (value, number(value, decimals))
                    })
                    .collect();
            }
        }
        Vec::new()
    }

    fn decades(&self, most: usize) -> Vec<(f64, String)> {
        let first = self.lo.log10().ceil() as i32;
        let last = self.hi.log10().floor() as i32;
        // Within one decade there is no power of ten, and `last` is below `first`.
        let stride = ((last - first).max(0) as usize / most + 1) as i32;
        let mut ticks: Vec<f64> = (first..=last)
            .step_by(stride as usize)
            .map(|k| 10f64.powi(k))
            .collect();
        if ticks.len() < 2 {
            // Less than two decades: the 1-2-5 series inside them.
            ticks = (first - 1..=last)
                .flat_map(|k| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(k)))
                .filter(|v| (self.lo..=self.hi).contains(v))
                .take(most)
                .collect();
        }
        ticks
            .into_iter()
            .map(|v| {
                let decimals = (-v.log10().floor()).max(0.0) as usize;
                let label = if (1e-4..1e6).contains(&v) {
                    number(v, decimals)
                } else {
                    format!("{v:e}")
                };
                (v, label)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64, most: usize) -> Vec<String> {
        let extent = Extent::of([lo, hi]).unwrap();
        Scale::linear(extent, 0.0, 100.0)
            .ticks(most)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn ticks_are_round_and_distinct() {
        assert_eq!(labels(0.0, 100.0, 6), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(
            labels(97.1, 98.4, 6),
            ["97.25", "97.50", "97.75", "98.00", "98.25"]
        );
        assert_eq!(labels(-0.3, 0.3, 4), ["−0.2", "0.0", "0.2"]);
        assert_eq!(
            labels(0.0, 20_000.0, 5),
            ["0", "5000", "10,000", "15,000", "20,000"]
        );
        for (lo, hi) in [(3.0, 3.0), (1e-9, 2e-9), (-1e7, 1e9), (0.123, 0.124)] {
            let labels = labels(lo, hi, 5);
            assert!((1..=5).contains(&labels.len()), "{labels:?}");
            let mut unique = labels.clone();
            unique.dedup();
            assert_eq!(labels, unique);
        }
    }

    #[test]
    fn maps_ends_to_ends_and_clamps() {
        let scale = Scale::linear(Extent::of([10.0, 20.0, f64::NAN]).unwrap(), 100.0, 0.0);
        assert!((scale.at(10.0) - 100.0).abs() < 1e-12 && scale.at(20.0).abs() < 1e-12);
        assert!(scale.at(1e30).abs() < 1e-12);
        let scale = Scale::logarithmic(Extent::of([1.0, 100.0]).unwrap(), 0.0, 2.0);
        assert!((scale.at(10.0) - 1.0).abs() < 1e-12);
        assert_eq!(scale.ticks(5).len(), 3);
        let within = Scale::logarithmic(Extent::of([2.0, 8.0]).unwrap(), 0.0, 2.0);
        for most in 2..9 {
            assert!(within.ticks(most).len() <= most + 1);
        }
    }

    #[test]
    fn nothing_finite_has_no_extent() {
        assert!(Extent::of([f64::NAN, f64::INFINITY]).is_none());
    }
}
