//! Episodes: N-way K-shot tasks with Q queries a class, each a pure function of (seeds, index).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rotation::{Intensity, append_turned};
use crate::{Dataset, digest};

/// ImageSize of an episode.
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
    /// Its size; `k_shot` is the most supports of a class.
    pub shape: EpisodeShape,
    /// Supports of each label; all of them `k_shot` in an even episode.
    pub shots: Vec<u32>,
    /// The class behind each label: `classes[label]`.
    pub classes: Vec<ClassRef>,
    /// Support images, label by label.
    pub support: Vec<u32>,
    /// Query images, label by label: `query[label * n_query + q]`.
    pub query: Vec<u32>,
}

impl Episode {
    /// An episode whose classes have `k_shot` supports each.
    #[must_use]
    pub fn even(
        shape: EpisodeShape,
        classes: Vec<ClassRef>,
        support: Vec<u32>,
        query: Vec<u32>,
    ) -> Self {
        Self {
            shape,
            shots: vec![shape.k_shot as u32; shape.n_way],
            classes,
            support,
            query,
        }
    }

    /// Whether every class has `k_shot` supports.
    #[must_use]
    pub fn is_even(&self) -> bool {
        let k_shot = self.shape.k_shot as u32;
        self.shots.iter().all(|shots| *shots == k_shot)
    }

    /// The supports of each label.
    pub fn supports_by_label(&self) -> impl Iterator<Item = &[u32]> {
        let mut rest = self.support.as_slice();
        self.shots.iter().map(move |shots| {
            let (own, others) = rest.split_at(*shots as usize);
            rest = others;
            own
        })
    }

    /// The queries of each label.
    pub fn queries_by_label(&self) -> impl Iterator<Item = &[u32]> {
        self.query.chunks_exact(self.shape.n_query)
    }

    /// Replaces the content of `buffer` with the images: supports, then queries, both label by label.
    ///
    /// Each image is turned as its class says. Memory is kept from call to call.
    /// # Shapes
    /// `buffer`: `(n_support + n_queries, height, width, channels)` row-major.
    /// # Units
    /// `byte / 255`, in `[0, 1]`; 1 is full ink or full light.
    pub fn gather<T: Intensity>(&self, dataset: &Dataset, buffer: &mut Vec<T>) {
        buffer.clear();
        let Dataset { size, channels, .. } = *dataset;
        buffer.reserve((self.support.len() + self.query.len()) * dataset.n_values());
        let supports = self.supports_by_label().zip(&self.classes);
        for (images, class) in supports.chain(self.queries_by_label().zip(&self.classes)) {
            for &image_idx in images {
                let image = dataset.image(image_idx as usize);
                append_turned(image, size, channels, class.quarter_turns, buffer);
            }
        }
    }

    /// The label of each support image: `0` as often as that class has supports, then `1`, ...
    pub fn support_labels(&self) -> impl Iterator<Item = u32> {
        let shots = (0..).zip(&self.shots);
        shots.flat_map(|(label, shots)| (0..*shots).map(move |_| label))
    }

    /// The label of each query image: `0` Q times, `1` Q times, ...
    pub fn query_labels(&self) -> impl ExactSizeIterator<Item = u32> + use<> {
        let n_query = self.shape.n_query;
        (0..self.query.len()).map(move |row| (row / n_query) as u32)
    }
}

/// What identifies a list of episodes, for the record of an evaluation: SHA-256 in lower-case hex.
///
/// Over each episode in turn, all numbers as little-endian `u32`: n_way, k_shot, n_query, then (class, turns) of
/// each label, the supports, the queries; before the supports their number for each label, unless it is `k_shot` for all.
#[must_use]
pub fn list_digest(episodes: impl IntoIterator<Item = Episode>) -> String {
    let mut hasher = Sha256::new();
    for episode in episodes {
        let shape = episode.shape;
        for n in [shape.n_way, shape.k_shot, shape.n_query] {
            hasher.update((n as u32).to_le_bytes());
        }
        for class in &episode.classes {
            hasher.update(class.class_idx.to_le_bytes());
            hasher.update(u32::from(class.quarter_turns).to_le_bytes());
        }
        if !episode.is_even() {
            for shots in &episode.shots {
                hasher.update(shots.to_le_bytes());
            }
        }
        for image_idx in episode.support.iter().chain(&episode.query) {
            hasher.update(image_idx.to_le_bytes());
        }
    }
    digest::hex(&hasher.finalize())
}
