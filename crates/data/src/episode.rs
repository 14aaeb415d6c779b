//! Episodes: N-way K-shot tasks with Q queries a class, each a pure function of (seeds, index).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rotation::{Intensity, append_turned};
use crate::{Dataset, digest};

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

impl Episode {
    /// Replaces the content of `buffer` with the images: supports, then queries, both label by label.
    ///
    /// Each image is turned as its class says. Memory is kept from call to call.
    /// # Shapes
    /// `buffer`: `(n_support + n_queries, side, side, channels)` row-major.
    /// # Units
    /// `byte / 255`, in `[0, 1]`; 1 is full ink or full light.
    pub fn gather<T: Intensity>(&self, dataset: &Dataset, buffer: &mut Vec<T>) {
        buffer.clear();
        let Dataset { side, channels, .. } = *dataset;
        buffer.reserve((self.support.len() + self.query.len()) * dataset.n_values());
        for (images, n_per_class) in [
            (&self.support, self.shape.k_shot),
            (&self.query, self.shape.n_query),
        ] {
            for (images, class) in images.chunks_exact(n_per_class).zip(&self.classes) {
                for &image_idx in images {
                    let image = dataset.image(image_idx as usize);
                    append_turned(image, side, channels, class.quarter_turns, buffer);
                }
            }
        }
    }

    /// The label of each support image: `0` K times, `1` K times, ...
    pub fn support_labels(&self) -> impl ExactSizeIterator<Item = u32> + use<> {
        let k_shot = self.shape.k_shot;
        (0..self.support.len()).map(move |row| (row / k_shot) as u32)
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
/// each label, the supports, the queries.
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
        for image_idx in episode.support.iter().chain(&episode.query) {
            hasher.update(image_idx.to_le_bytes());
        }
    }
    digest::hex(&hasher.finalize())
}
