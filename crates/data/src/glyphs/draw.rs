//! Random draws for glyphs: keyed generators and the few distributions used, all in exactly rounded arithmetic.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a generator is for. The value is part of the key, so the parts never share random numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The style of an alphabet.
    Style { alphabet: u32 },
    /// One proposal for a character; rejected proposals leave no trace on later ones.
    Proposal {
        alphabet: u32,
        character: u32,
        attempt: u32,
    },
    /// The hand of a drawer, the same in every alphabet.
    Hand { drawer: u32 },
    /// One drawing of one character by one drawer.
    Drawing {
        alphabet: u32,
        character: u32,
        drawer: u32,
    },
}

/// A ChaCha8 generator with the draws that the geometry needs.
///
/// Only `+ - * /` and comparisons on the generator's integers: the same numbers on every machine.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The generator of `part` under `seed`: a pure function of both.
    pub(crate) fn new(seed: u64, part: Part) -> Self {
        let words = match part {
            Part::Style { alphabet } => [0, alphabet, 0, 0],
            Part::Proposal {
                alphabet,
                character,
                attempt,
            } => [1, alphabet, character, attempt],
            Part::Hand { drawer } => [2, drawer, 0, 0],
            Part::Drawing {
                alphabet,
                character,
                drawer,
            } => [3, alphabet, character, drawer],
        };
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (bytes, word) in key[8..24].chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&u32::to_le_bytes(word));
        }
        // The last eight bytes keep these keys apart from those of the experiment's streams.
        key[24..].copy_from_slice(b"glyphs01");
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `[0, 1)`, 53 bits.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Bell-shaped, mean 0, variance 1, within ±3.47: the sum of four uniforms (Irwin-Hall), scaled.
    ///
    /// Not a Gaussian on purpose: it needs no logarithm or cosine, and it has no far tail that would throw a
    /// stroke out of the frame.
    pub(crate) fn bell(&mut self) -> f64 {
        const SQRT_3: f64 = 1.732_050_807_568_877_2;
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * SQRT_3
    }

    /// An index drawn with the given weights (at least one positive).
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (idx, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return idx;
            }
        }
        // Rounding can leave a remainder of one unit in the last place.
        weights.iter().rposition(|&w| w > 0.0).unwrap_or(0)
    }

    /// An index in `0..n`, `n` at least 1.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small non-negative numbers"
    )]
    pub(crate) fn index(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::count;
    use super::*;

    /// Mean 0 and variance 1 by construction. With 40,000 draws the standard errors are 0.005 and below 0.008
    /// (kurtosis 2.7), so each bound is five of them.
    #[test]
    fn bell_has_mean_0_and_variance_1() {
        const N: usize = 40_000;
        let draw = &mut Draw::new(1, Part::Hand { drawer: 0 });
        let values: Vec<f64> = (0..N).map(|_| draw.bell()).collect();
        let mean = values.iter().sum::<f64>() / count(N);
        let variance = values.iter().map(|v| v * v).sum::<f64>() / count(N);
        assert!(mean.abs() < 0.025, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
    }

    #[test]
    fn keys_of_different_parts_differ() {
        let parts = [
            Part::Style { alphabet: 1 },
            Part::Hand { drawer: 1 },
            Part::Proposal {
                alphabet: 1,
                character: 2,
                attempt: 3,
            },
            Part::Drawing {
                alphabet: 1,
                character: 2,
                drawer: 3,
            },
            Part::Drawing {
                alphabet: 1,
                character: 3,
                drawer: 2,
            },
        ];
        let mut firsts: Vec<u64> = parts
            .map(|part| Draw::new(0, part).unit().to_bits())
            .to_vec();
        firsts.push(Draw::new(1, parts[0]).unit().to_bits());
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 6);
    }
}
