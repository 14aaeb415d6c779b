//! The tasks of a policy by index: goals, arms, machines; whatever a family of environments draws.

use anyhow::Result;
use metastable_data::{MetaSplit, Seeds};
use metastable_environments::Environment;
use sha2::{Digest, Sha256};

use super::world::World;
use crate::files::hex;

/// Tasks of a part lie so far from those of the part before: no index of one is an index of another.
const APART: u64 = 1 << 40;

/// The tasks of one part, by index.
#[derive(Clone)]
pub(crate) struct Goals {
    pub(crate) world: World,
    pub(crate) part: MetaSplit,
    pub(crate) seeds: Seeds,
}

impl Goals {
    /// The number of a task among those of all parts: it keys the task and its rollouts.
    pub(super) fn number(&self, index: u64) -> u64 {
        index
            + APART
                * match self.part {
                    MetaSplit::Train => 0,
                    MetaSplit::Validation => 1,
                    MetaSplit::Test => 2,
                }
    }

    pub(super) fn task(&self, index: u64) -> Box<dyn Environment> {
        self.world.family().task(&self.seeds, self.number(index))
    }

    /// The numbers of the first tasks, one after the other.
    pub(super) fn numbers(&self, n: usize) -> Result<Vec<f64>> {
        let indices = (0..n as u64).map(|index| self.number(index));
        self.world.numbers(&self.seeds, indices)
    }

    /// SHA-256 over the numbers of the first tasks, as little-endian `f64`.
    pub(crate) fn digest(&self, n: usize) -> Result<String> {
        let mut hasher = Sha256::new();
        for number in self.numbers(n)? {
            hasher.update(number.to_le_bytes());
        }
        Ok(hex(&hasher.finalize()))
    }
}
