//! What a network's outputs are judged by: the losses of the four learners, as plain values.
//!
//! The arithmetic is in `fused/` and `graph/`; here is what both of them compute.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How alike two embeddings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// `-|a - b|^2`.
    Euclidean,
    /// `a.b / sqrt((|a|^2 + 1e-8) (|b|^2 + 1e-8))`.
    Cosine,
}

/// A loss: mean negative log-likelihood (natural logarithm) of the labels over the judged rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Loss {
    /// Outputs are logits of a linear head; every row is judged.
    #[serde(rename = "cross-entropy")]
    CrossEntropy,
    /// Softmax over `similarity(query, prototype) / temperature`, a prototype being the mean of a class's supports
    /// (Snell et al. 2017, eq. 1-2). The first rows are supports; the rest is judged.
    Prototype {
        /// Similarity of a query and a prototype.
        metric: Metric,
        /// Divides the similarity.
        temperature: f64,
    },
    /// Softmax over `similarity(query, support) / temperature`, summed by class
    /// (Vinyals et al. 2016, eq. 1 and section 2.1.1, without full-context embeddings). Rows as for prototypes.
    Matching {
        /// Similarity of a query and a support.
        metric: Metric,
        /// Divides the similarity.
        temperature: f64,
    },
}

/// A loss together with the labels of the rows of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Objective<'a> {
    /// Which loss.
    pub loss: Loss,
    /// Number of classes, N.
    pub n_way: usize,
    /// Label of each support, at the front of the batch: class by class, each class at least once, as often as it has
    /// supports. Not used by [`Loss::CrossEntropy`].
    pub supports: &'a [usize],
    /// Label of each judged row, each less than `n_way`.
    pub labels: &'a [usize],
}

impl Objective<'_> {
    /// Number of rows that only adapt (supports of a metric loss).
    #[must_use]
    pub fn n_support(&self) -> usize {
        match self.loss {
            Loss::CrossEntropy => 0,
            Loss::Prototype { .. } | Loss::Matching { .. } => self.supports.len(),
        }
    }

    /// Rows of the supports of each class.
    pub(crate) fn classes(&self) -> impl Iterator<Item = Range<usize>> {
        let start = |class| self.supports.partition_point(move |label| *label < class);
        (0..self.n_way).map(move |class| start(class)..start(class + 1))
    }

    /// Rows of the batch that this objective takes: supports and judged rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_support() + self.labels.len()
    }
}
