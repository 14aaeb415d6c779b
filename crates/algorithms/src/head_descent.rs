//! A new head for fixed features by stochastic gradient descent: what Baseline and Baseline++ do at test.
//!
//! Chen, Liu, Kira, Wang & Huang 2019, "A closer look at few-shot classification", ICLR, arXiv 1904.04232, section 3.2 and appendix A1: 100
//! iterations of batches of 4 supports at a rate of 0.01, with momentum 0.9, dampening 0.9 and weight decay 0.001, as PyTorch's `SGD` takes them:
//! `g <- dL/dw + lambda w`; `v <- g` at the first step, `v <- mu v + (1 - d) g` then; `w <- w - rate v`.
//!
//! In double precision, in one order. Supports take turns ([`crate::minibatch`]); nothing is drawn.

use crate::Batch;
use crate::error::{Result, require};
use crate::minibatch::minibatch;

const MOMENTUM: f64 = 0.9;
const DAMPENING: f64 = 0.9;
const WEIGHT_DECAY: f64 = 0.001;

/// Added to a squared length under its root, as a head that reads directions does.
const EPSILON: f64 = 1e-8;

/// How the head is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HeadDescent {
    /// Steps on the supports of a task.
    pub(crate) head_steps: usize,
    /// Supports of a step; all of them where there are no more.
    pub(crate) head_batch: usize,
    /// Step size.
    pub(crate) head_lr: f64,
}

impl Default for HeadDescent {
    fn default() -> Self {
        Self {
            head_steps: 100,
            head_batch: 4,
            head_lr: 0.01,
        }
    }
}

/// Supports of a step: `(n, width)` features and their labels.
pub(crate) struct Shown<'b> {
    pub(crate) features: &'b [f64],
    pub(crate) labels: &'b [usize],
}

impl HeadDescent {
    pub(crate) fn check(self) -> Result<Self> {
        require(
            0 < self.head_batch,
            "head_batch",
            self.head_batch,
            "a step of the new head needs a support",
        )?;
        require(
            self.head_lr.is_finite() && 0.0 <= self.head_lr,
            "head_lr",
            self.head_lr,
            "the step size of the new head has to be finite and not negative, e.g. 0.01",
        )?;
        Ok(self)
    }

    /// The weights after all steps from `weights`; `gradient` is that of the mean cross-entropy of a batch.
    pub(crate) fn descend(
        self,
        supports: &Shown<'_>,
        mut weights: Vec<f64>,
        gradient: impl Fn(&[f64], &Shown<'_>) -> Vec<f64>,
    ) -> Vec<f64> {
        let all = Batch {
            images: supports.features,
            labels: supports.labels,
        };
        let mut velocity: Option<Vec<f64>> = None;
        for k in 0..self.head_steps {
            let mut g = if self.head_batch < supports.labels.len() {
                let (features, labels) = minibatch(all, self.head_batch, k);
                gradient(
                    &weights,
                    &Shown {
                        features: &features,
                        labels: &labels,
                    },
                )
            } else {
                gradient(&weights, supports)
            };
            for (g, w) in g.iter_mut().zip(&weights) {
                *g += WEIGHT_DECAY * w;
            }
            let v = match velocity.take() {
                None => g,
                Some(v) => v
                    .iter()
                    .zip(&g)
                    .map(|(v, g)| MOMENTUM * v + (1.0 - DAMPENING) * g)
                    .collect(),
            };
            for (w, v) in weights.iter_mut().zip(&v) {
                *w -= self.head_lr * v;
            }
            velocity = Some(v);
        }
        weights
    }
}

/// `softmax(logits) - one-hot`, over a batch of `n` rows divided by `n`.
pub(crate) fn residual(logits: &[f64], label: usize, n: usize) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|it| (it - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    let share = 1.0 / n as f64;
    let each = weights.iter().enumerate();
    each.map(|(class, weight)| share * (weight / total - f64::from(u8::from(class == label))))
        .collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `u = n w` and `n = 1 / sqrt(|w|^2 + 1e-8)`.
pub(crate) fn unit(w: &[f64]) -> (Vec<f64>, f64) {
    let n = 1.0 / (dot(w, w) + EPSILON).sqrt();
    (w.iter().map(|value| n * value).collect(), n)
}

/// Mean row of each class, `(n_way, width)`.
pub(crate) fn class_means(rows: &[f64], labels: &[usize], n_way: usize) -> Vec<f64> {
    let width = rows.len() / labels.len().max(1);
    let (mut means, mut counts) = (vec![0.0; n_way * width], vec![0.0; n_way]);
    for (row, label) in rows.chunks_exact(width).zip(labels) {
        counts[*label] += 1.0;
        for (sum, value) in means[label * width..][..width].iter_mut().zip(row) {
            *sum += value;
        }
    }
    for (mean, n) in means.chunks_exact_mut(width).zip(&counts) {
        mean.iter_mut().for_each(|value| *value /= n);
    }
    means
}

/// Features and labels of `tests/golden/heads.py`.
#[cfg(test)]
pub(crate) fn example() -> (Vec<f64>, Vec<usize>) {
    let features = (0..6).flat_map(|i| {
        (0..4).map(move |j| 1.0 + (1.0 + 7.0 * f64::from(i) + 3.0 * f64::from(j)).sin())
    });
    (features.collect(), vec![0, 0, 1, 1, 2, 2])
}

/// Whether all values are those that PyTorch found.
#[cfg(test)]
pub(crate) fn assert_close(found: &[f64], golden: &[f64]) {
    assert_eq!(found.len(), golden.len());
    for (found, golden) in found.iter().zip(golden) {
        assert!((found - golden).abs() < 1e-12, "{found} {golden}");
    }
}
