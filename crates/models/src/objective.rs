//! What a network's outputs are judged by: the losses of the learners and of policies, as plain values.
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

/// A loss. Of the first three it is the mean negative log-likelihood (natural logarithm) of the labels over the judged rows.
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
    /// Outputs are numbers, `L = mean (y - t)^2` over rows and outputs, without a half, as the public code of Finn et al. 2017
    /// (section 5.1) has it. Each row brings its targets. In the squared unit of the targets.
    #[serde(rename = "squared-error")]
    SquaredError,
    /// Outputs are the mean and the natural logarithm of the standard deviation of a Gaussian policy with independent actions, first
    /// all means. Each row brings the mean and the standard deviation of another such Gaussian, and a weight:
    /// `L = sum_i w_i H(q_i, pi_i)` with the cross-entropy `H(q, pi) = -E_q ln pi`. Where the standard deviations of `q` are 0 it is an action,
    /// and `H` its negative log-likelihood; with those of an earlier policy the derivatives are those of the divergence
    /// `KL(q, pi)`, and the Hessian at that policy is the Fisher information. In nats, times the weights.
    Gaussian,
    /// Outputs are logits of a policy over finitely many actions. Each row brings the probabilities of another such policy and a weight,
    /// for the same sum; an action is the policy that is sure of it.
    Categorical,
}

impl Loss {
    /// Numbers that a judged row brings, for rows of so many outputs; 0 for the losses of labels.
    #[must_use]
    pub fn values_per_row(self, n_outputs: usize) -> usize {
        match self {
            Self::CrossEntropy | Self::Prototype { .. } | Self::Matching { .. } => 0,
            Self::SquaredError => n_outputs,
            Self::Gaussian | Self::Categorical => n_outputs + 1,
        }
    }

    /// Whether rows are judged by the numbers that they bring, and not by labels.
    #[must_use]
    pub fn is_of_values(self) -> bool {
        self.values_per_row(1) > 0
    }
}

/// A loss together with the labels of the rows of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Objective<'a> {
    /// Which loss.
    pub loss: Loss,
    /// Number of classes, N; outputs of a row for the losses of values.
    pub n_way: usize,
    /// Label of each support, at the front of the batch: class by class, each class at least once, as often as it has
    /// supports. Used by metric losses alone.
    pub supports: &'a [usize],
    /// Label of each judged row, each less than `n_way`; none for the losses of values.
    pub labels: &'a [usize],
    /// What each judged row brings, row by row ([`Loss::values_per_row`]); none for the losses of labels.
    pub values: &'a [f64],
}

impl Objective<'_> {
    /// Number of rows that only adapt (supports of a metric loss).
    #[must_use]
    pub fn n_support(&self) -> usize {
        match self.loss {
            Loss::CrossEntropy | Loss::SquaredError | Loss::Gaussian | Loss::Categorical => 0,
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
        self.n_support() + self.n_judged()
    }

    /// Judged rows.
    #[must_use]
    pub fn n_judged(&self) -> usize {
        match self.loss.values_per_row(self.n_way) {
            0 => self.labels.len(),
            per_row => self.values.len() / per_row,
        }
    }
}
