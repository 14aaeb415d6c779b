//! The bounds of every number of a study, in one place.
//!
//! They are where a number stops to make sense, or stops to fit the arithmetic behind it; what a machine can hold is the
//! matter of [`crate::budget`]. A sum or product of numbers within them fits 64 bits.

use std::fmt::Display;

use anyhow::Result;
use serde_json::{Map, Value};

use super::section::require;

/// What a number may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    least: u64,
    pub(crate) most: u64,
    /// What is said behind the numbers.
    about: &'static str,
}

impl Bound {
    const fn new(least: u64, most: u64, about: &'static str) -> Self {
        Self { least, most, about }
    }

    /// Refuses a number outside of the bounds.
    pub(crate) fn check(self, key: &str, value: impl TryInto<u64> + Display + Copy) -> Result<()> {
        let is_within = |value| (self.least..=self.most).contains(&value);
        require(
            value.try_into().is_ok_and(is_within),
            key,
            value,
            &format!(
                "has to be {} to {}{}",
                grouped(self.least),
                grouped(self.most),
                self.about
            ),
        )
    }
}

/// Seeds are whole numbers of TOML.
pub(crate) const SEED: Bound = Bound::new(0, i64::MAX as u64 / 2, "");
pub(crate) const SEEDS: Bound = Bound::new(1, 10_000, "; 3 is the least that shows a spread");
pub(crate) const SIZE: Bound = Bound::new(1, 512, " pixels; 28 is usual");
pub(crate) const MIN_IMAGES: Bound = Bound::new(0, 1_000_000_000, "");
pub(crate) const WAY: Bound = Bound::new(2, 256, " classes");
pub(crate) const SHOT: Bound = Bound::new(1, 10_000, " supports of each class");
pub(crate) const QUERY: Bound = Bound::new(1, 10_000, " queries of each class");
pub(crate) const POOL: Bound = Bound::new(0, u32::MAX as u64, " tasks; 0 for tasks without end");
pub(crate) const EPISODES: Bound = Bound::new(1, 1_000_000_000, "; 600 are usual for a test");
pub(crate) const CHECKPOINTS: Bound =
    Bound::new(1, 100, "; 1 is a single one, 5 as in Antoniou et al. 2019");
pub(crate) const CURVES: Bound = Bound::new(0, 1_000_000_000, "");
pub(crate) const TIMES: Bound = Bound::new(1, 1_000_000_000, "; 10 is usual");
pub(crate) const WIDTH: Bound = Bound::new(1, 4096, "; 64 is usual");
pub(crate) const BLOCKS: Bound = Bound::new(1, 16, "; 4 is usual");
pub(crate) const NORM_STEPS: Bound = Bound::new(1, 1000, " inner steps; 6 is usual");
pub(crate) const OUTER_STEPS: Bound = Bound::new(1, 1_000_000_000, "; 1,000 to 60,000 are usual");
pub(crate) const META_BATCH: Bound = Bound::new(1, 100_000, " tasks; 4 is usual");
/// Outer steps between two events.
pub(crate) const EVERY: Bound = Bound::new(1, 1_000_000_000, " outer steps");
/// The same, where 0 stands for never.
pub(crate) const EVERY_OR_NEVER: Bound = Bound::new(0, 1_000_000_000, " outer steps");
pub(crate) const LEASE_SECONDS: Bound = Bound::new(1, 86_400, "; 60 is usual");
pub(crate) const PROBE_TASKS: Bound = Bound::new(2, 100_000, "; 40 is usual");
pub(crate) const STREAM_IMAGES: Bound = Bound::new(1, 1_000, "; 15 is usual");
pub(crate) const STREAM_ORDERS: Bound = Bound::new(1, 1_000, "; 5 is usual");
/// Whole numbers among a learner's own settings: numbers of inner steps.
pub(crate) const OF_A_LEARNER: Bound = Bound::new(0, 10_000, "");
/// Seconds between two states on the disk: a year is for ever.
pub(crate) const MOST_SAVE_SECONDS: f64 = 31_536_000.0;
/// Runs that are counted one by one; a study of more is refused before.
pub(crate) const MOST_COMBINATIONS: u128 = 1_000_000;

/// Refuses a whole number among a learner's own settings that is beyond its bound; a stranger's checkpoint has some, too.
pub(crate) fn check_learner(settings: &Map<String, Value>) -> Result<()> {
    for (key, value) in settings {
        if let Some(whole) = value.as_i64() {
            OF_A_LEARNER.check(key, whole)?;
        } else if let Some(whole) = value.as_u64() {
            OF_A_LEARNER.check(key, whole)?;
        }
    }
    Ok(())
}

/// `60000` as `60,000`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_beyond_its_bound_is_answered_with_the_bound() {
        WAY.check("way", 2_usize).unwrap();
        WAY.check("way", 256_usize).unwrap();
        let message = QUERY.check("query", u64::MAX).unwrap_err().to_string();
        assert_eq!(
            message,
            "query = 18446744073709551615: has to be 1 to 10,000 queries of each class"
        );
        assert!(SEED.check("seed", -1_i64).is_err());
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(4096), "4096");
    }

    /// What is computed of numbers at their upper bounds does not wrap.
    #[test]
    fn products_of_bounds_fit() {
        let most = |bounds: &[Bound]| {
            let mut factors = bounds.iter().map(|bound| bound.most);
            factors.try_fold(1_u64, u64::checked_mul)
        };
        assert!(most(&[WAY, SHOT, SIZE, SIZE]).is_some());
        assert!(most(&[OUTER_STEPS, META_BATCH]).is_some());
        assert!(most(&[TIMES, EPISODES]).is_some());
        assert!(most(&[EPISODES, WAY, QUERY]).is_some());
        assert!(SEED.most.checked_add(SEEDS.most).is_some());
    }
}
