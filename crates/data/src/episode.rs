//! Episodes: N-way K-shot tasks with Q queries a class, each a pure function of (seeds, index).

use serde::{Deserialize, Serialize};

/// Size of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EpisodeShape {
    /// Classes, N.
    pub n_way: usize,
    /// Support examples of each class, K.
    pub k_shot: usize,
    /// Query examples of each class, Q.
    pub n_query: usize,
}

impl EpisodeShape {
    /// `N * K`.
    #[must_use]
    pub fn n_support(&self) -> usize {
        self.n_way * self.k_shot
    }

    /// `N * Q`.
    #[must_use]
    pub fn n_queries(&self) -> usize {
        self.n_way * self.n_query
    }
}

/// A class as an episode sees it: a character, turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClassRef {
    /// Index into [`crate::Dataset::classes`].
    pub class_idx: u32,
    /// Quarter turns counter-clockwise, 0 to 3.
    pub quarter_turns: u8,
}

/// One task as lists of image indices; the pixels are gathered when they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Its size.
    pub shape: EpisodeShape,
    /// The class behind each label: `classes[label]`.
    pub classes: Vec<ClassRef>,
    /// Support images, label by label: `support[label * k_shot + k]`.
    pub support: Vec<u32>,
    /// Query images, label by label: `query[label * n_query + q]`.
    pub query: Vec<u32>,
}
