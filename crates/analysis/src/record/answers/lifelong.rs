//! What a trained learner knew along streams of classes: the input of L1 to L3.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite, check_len};

/// What learns from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Softmax regression on the learner's features, a step of gradient descent an image.
    Linear,
    /// The mean feature of each class so far; the nearest one is told.
    Prototypes,
    /// The learner's own inner loop, a step an image.
    InnerLoop,
}

impl Head {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear head",
            Self::Prototypes => "running prototypes",
            Self::InnerLoop => "inner loop",
        }
    }
}

/// Streams of one run: the same classes and images in several orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Numbers of classes of the streams, ascending.
    pub classes: Vec<usize>,
    /// Orders of the classes.
    pub n_orders: usize,
    /// Images of a class in a stream.
    pub n_images: usize,
    /// New images of a class that are asked about.
    pub n_queries: usize,
    /// What each head knew.
    pub heads: Vec<Streamed>,
}

/// What one head knew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Streamed {
    /// Which.
    pub head: Head,
    /// It has streams of so many of the numbers of classes, the small ones.
    pub n_counts: usize,
    /// Step size of each of them (of the inner loop its share of the learner's own), as chosen on other classes; empty for a head without
    /// steps.
    pub steps: Vec<f64>,
    /// Share of new images of all classes of the stream that were told right at its end, `(n_counts, n_orders)`.
    pub seen: Vec<f64>,
    /// The same of the images of the stream, `(n_counts, n_orders)`.
    pub retained: Vec<f64>,
    /// Blocks of equally many classes of its longest stream.
    pub n_blocks: usize,
    /// `a[i, j]`: share of new images of block `j` told right after block `i`, `(n_orders, n_blocks, n_blocks)`.
    pub matrix: Vec<f64>,
}

impl Answers {
    /// Checks shapes and that all numbers are finite.
    ///
    /// # Errors
    /// [`AnalysisError`] naming `what` and what is wrong.
    pub fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for streamed in &self.heads {
            let what = format!("{what}, {}", streamed.head.name());
            let n_counts = streamed.n_counts;
            check_len(
                &what,
                n_counts.clamp(1, self.classes.len().max(1)),
                n_counts,
            )?;
            check_len(&what, streamed.n_blocks.max(2), streamed.n_blocks)?;
            if !streamed.steps.is_empty() {
                check_len(&what, n_counts, streamed.steps.len())?;
            }
            let n_cells = streamed.n_blocks * streamed.n_blocks * self.n_orders;
            let tables = [
                (&streamed.seen, n_counts * self.n_orders),
                (&streamed.retained, n_counts * self.n_orders),
                (&streamed.matrix, n_cells),
            ];
            for (values, expected) in tables {
                check_len(&what, expected.max(1), values.len())?;
                check_finite(&what, values)?;
            }
        }
        Ok(())
    }
}

/// Average accuracy after the last block, backward transfer and forgetting of a square table `a[i, j]`, the accuracy on block `j` after
/// block `i`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfer {
    /// `1/T sum_j a[T, j]`.
    pub average: f64,
    /// `1/(T-1) sum_{j<T} (a[T, j] - a[j, j])`: below zero where later blocks cost what was known.
    pub backward: f64,
    /// `1/(T-1) sum_{j<T} (max_{l<T} a[l, j] - a[T, j])`.
    pub forgetting: f64,
}

impl Transfer {
    /// Of a table with `n_blocks` rows; none for fewer than two blocks.
    ///
    /// # Source
    /// Average and backward transfer: Lopez-Paz & Ranzato 2017, "Gradient episodic memory for continual learning", NeurIPS, arXiv
    /// 1706.08840, section 2. Forgetting: Chaudhry, Dokania, Ajanthan & Torr 2018, "Riemannian walk for incremental learning", ECCV, arXiv
    /// 1801.10112, section 3.
    #[must_use]
    pub fn of(matrix: &[f64], n_blocks: usize) -> Option<Self> {
        if n_blocks < 2 || matrix.len() != n_blocks * n_blocks {
            return None;
        }
        let at = |i: usize, j: usize| matrix[i * n_blocks + j];
        let last = n_blocks - 1;
        let earlier = last as f64;
        let lost = |j: usize| {
            let before = (0..last)
                .map(|l| at(l, j))
                .fold(f64::NEG_INFINITY, f64::max);
            before - at(last, j)
        };
        Some(Self {
            average: (0..n_blocks).map(|j| at(last, j)).sum::<f64>() / n_blocks as f64,
            backward: (0..last).map(|j| at(last, j) - at(j, j)).sum::<f64>() / earlier,
            forgetting: (0..last).map(lost).sum::<f64>() / earlier,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three blocks by hand: the second is best known before it comes to the last row, the first at once.
    #[test]
    fn transfer_of_a_small_table_by_hand() {
        #[rustfmt::skip]
        let matrix = [
            0.9, 0.1, 0.0,
            0.6, 0.8, 0.1,
            0.5, 0.6, 0.7,
        ];
        let found = Transfer::of(&matrix, 3).unwrap();
        // (0.5 + 0.6 + 0.7) / 3; ((0.5 - 0.9) + (0.6 - 0.8)) / 2; ((0.9 - 0.5) + (0.8 - 0.6)) / 2.
        assert!((found.average - 0.6).abs() < 1e-12);
        assert!((found.backward + 0.3).abs() < 1e-12);
        assert!((found.forgetting - 0.3).abs() < 1e-12);
        // Where a later block helped an earlier one before it was lost, forgetting counts from there.
        let helped = [0.5, 0.0, 0.0, 0.8, 0.9, 0.0, 0.6, 0.9, 0.9];
        let found = Transfer::of(&helped, 3).unwrap();
        assert!((found.backward - 0.05).abs() < 1e-12);
        assert!((found.forgetting - 0.1).abs() < 1e-12);
        assert!(Transfer::of(&[1.0], 1).is_none() && Transfer::of(&matrix, 2).is_none());
    }
}
