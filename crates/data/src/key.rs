//! Keys: where every random draw of an experiment comes from.
//!
//! Each source of chance has a stream of its own, so that one is varied while the others stay bit-identical.
//! A generator is a pure function of (seed of the stream, stream, index): it does not matter which episodes were
//! drawn before, on which thread, or whether any were.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// A source of chance that can be varied alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Which classes are for training, validation and test.
    Split,
    /// The initial weights.
    Init,
    /// Which classes (and rotations, when they are classes) an episode holds.
    Task,
    /// Which examples adapt.
    Support,
    /// Which examples judge.
    Query,
    /// Which class gets which output.
    Label,
    /// Rotations drawn as augmentation.
    Augment,
    /// The list of meta-test episodes.
    Eval,
}

impl Stream {
    /// Every stream, in the order of [`Seeds`].
    pub const ALL: [Self; 8] = [
        Self::Split,
        Self::Init,
        Self::Task,
        Self::Support,
        Self::Query,
        Self::Label,
        Self::Augment,
        Self::Eval,
    ];
}

/// A *seed bundle*: one seed for each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "each field is the seed of the stream of the same name"
)]
pub struct Seeds {
    pub split: u64,
    pub init: u64,
    pub task: u64,
    pub support: u64,
    pub query: u64,
    pub label: u64,
    pub augment: u64,
    pub eval: u64,
}

impl Seeds {
    /// The bundle in which every stream has the same seed (their draws differ all the same).
    #[must_use]
    pub fn all(seed: u64) -> Self {
        Self {
            split: seed,
            init: seed,
            task: seed,
            support: seed,
            query: seed,
            label: seed,
            augment: seed,
            eval: seed,
        }
    }

    /// The seed of one stream.
    #[must_use]
    pub fn of(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Split => self.split,
            Stream::Init => self.init,
            Stream::Task => self.task,
            Stream::Support => self.support,
            Stream::Query => self.query,
            Stream::Label => self.label,
            Stream::Augment => self.augment,
            Stream::Eval => self.eval,
        }
    }

    /// The same bundle with the seed of one stream replaced.
    #[must_use]
    pub fn with(mut self, stream: Stream, seed: u64) -> Self {
        match stream {
            Stream::Split => self.split = seed,
            Stream::Init => self.init = seed,
            Stream::Task => self.task = seed,
            Stream::Support => self.support = seed,
            Stream::Query => self.query = seed,
            Stream::Label => self.label = seed,
            Stream::Augment => self.augment = seed,
            Stream::Eval => self.eval = seed,
        }
        self
    }

    /// The bundle of the meta-test list: `task`, `support`, `query`, `label` and `augment` derived from `eval` alone.
    ///
    /// So the list stays the same however a run was trained. It is a plain value: a study of support choice on a
    /// fixed list takes `seeds.evaluation().with(Stream::Support, s)`. The derived seeds differ from `eval` itself,
    /// or a run with equal seeds would be judged by the draws that it was trained by.
    #[must_use]
    pub fn evaluation(&self) -> Self {
        let derived = |stream: Stream| self.rng(Stream::Eval, stream as u64).next_u64();
        Self {
            task: derived(Stream::Task),
            support: derived(Stream::Support),
            query: derived(Stream::Query),
            label: derived(Stream::Label),
            augment: derived(Stream::Augment),
            ..*self
        }
    }

    /// The generator of `stream` at `index`.
    #[must_use]
    pub fn rng(&self, stream: Stream, index: u64) -> ChaCha8Rng {
        generator(self.of(stream), stream, index)
    }
}

/// ChaCha8 whose 256-bit key holds seed, stream and index; its nonce is free for sub-streams.
fn generator(seed: u64, stream: Stream, index: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(stream as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    key[24..].copy_from_slice(b"metastab");
    ChaCha8Rng::from_seed(key)
}
