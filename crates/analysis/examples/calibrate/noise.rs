//! Where the chance of a simulated study comes from.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Normal, Open01, StudentT};

/// The law of what a seed does, with mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    Normal,
    /// Student's t with three degrees of freedom.
    HeavyTailed,
    /// An exponential law, turned to the low side.
    Skewed,
    /// One seed in five is bad: four standard deviations lower.
    BadSeeds,
}

impl Law {
    pub(crate) const ALL: [Self; 4] = [
        Self::Normal,
        Self::Skewed,
        Self::HeavyTailed,
        Self::BadSeeds,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::HeavyTailed => "t3",
            Self::Skewed => "skew",
            Self::BadSeeds => "20 % bad",
        }
    }

    pub(crate) fn draw(self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Normal => normal(rng),
            Self::HeavyTailed => {
                StudentT::new(3.0).map_or(0.0, |law| law.sample(rng)) / 3.0_f64.sqrt()
            }
            Self::Skewed => 1.0 + uniform(rng).ln(),
            Self::BadSeeds => {
                let bad = uniform(rng) < 0.2;
                // Mean 0.2 * -4 = -0.8, variance 1 + 16 * 0.16.
                (normal(rng) + if bad { -3.2 } else { 0.8 }) / 3.56_f64.sqrt()
            }
        }
    }
}

pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    Normal::new(0.0, 1.0).map_or(0.0, |law| law.sample(rng))
}

/// Between 0 and 1, without both ends.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    Open01.sample(rng)
}

pub(crate) fn generator(seed: u64, table: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(table))
}
