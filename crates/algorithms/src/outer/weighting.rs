//! How much each task of a meta-batch counts in the outer step: all alike, or the worst alone.

use serde::{Deserialize, Serialize};

use crate::AlgorithmError;
use crate::error::require;

/// Weights of the tasks of a meta-batch, by their query losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", deny_unknown_fields)]
pub enum TaskWeighting {
    /// All alike: the expected loss.
    #[default]
    Mean,
    /// The task with the largest loss alone: the greedy form of task-robust MAML on one meta-batch (Collins, Mokhtari & Shakkottai
    /// 2020, "Task-robust model-agnostic meta-learning", NeurIPS, arXiv 2002.04766, equation 3).
    Max,
    /// The `ceil(share * B)` tasks with the largest losses, all alike: the conditional value at risk of the loss over tasks (Wang et
    /// al. 2023, "A simple yet effective strategy to robustify the meta learning paradigm", NeurIPS, arXiv 2310.00708).
    Cvar {
        /// Share of the tasks that count, above 0 and at most 1.
        share: f64,
    },
}

impl TaskWeighting {
    /// Whether all tasks count alike.
    #[must_use]
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub fn is_mean(&self) -> bool {
        match self {
            Self::Mean => true,
            Self::Max | Self::Cvar { .. } => false,
        }
    }

    pub(crate) fn check(&self) -> Result<(), AlgorithmError> {
        match *self {
            Self::Mean | Self::Max => Ok(()),
            Self::Cvar { share } => require(
                0.0 < share && share <= 1.0,
                "cvar_share",
                share,
                "the share of the tasks that count lies above 0 and is at most 1, e.g. 0.5",
            ),
        }
    }

    /// Indices of the tasks that count, ascending; of equal losses the earlier task counts first. NaN counts as largest.
    #[must_use]
    pub fn counted(&self, losses: &[f64]) -> Vec<usize> {
        let n_counted = match *self {
            Self::Mean => losses.len(),
            Self::Max => 1,
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a positive number of tasks"
            )]
            // Less what a product can be too large by: 0.28 of 25 tasks are 7.
            Self::Cvar { share } => {
                let exact = share * losses.len() as f64;
                (exact * (1.0 - 2.0 * f64::EPSILON)).ceil() as usize
            }
        };
        let mut order: Vec<usize> = (0..losses.len()).collect();
        order.sort_by(|a, b| losses[*b].total_cmp(&losses[*a]));
        order.truncate(n_counted.clamp(1, losses.len().max(1)));
        order.sort_unstable();
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_tasks_count_and_ties_go_to_the_earlier() {
        let losses = [0.5, 2.0, 1.0, 2.0, 0.1];
        assert_eq!(TaskWeighting::Mean.counted(&losses), [0, 1, 2, 3, 4]);
        assert_eq!(TaskWeighting::Max.counted(&losses), [1]);
        let cvar = |share| TaskWeighting::Cvar { share }.counted(&losses);
        // A product that is 7.000000000000001 in binary.
        let of_25 = TaskWeighting::Cvar { share: 0.28 }.counted(&[0.0; 25]);
        assert_eq!(of_25.len(), 7);
        assert_eq!(cvar(0.01), [1]);
        assert_eq!(cvar(0.4), [1, 3]);
        assert_eq!(cvar(0.41), [1, 2, 3]);
        assert_eq!(cvar(1.0), [0, 1, 2, 3, 4]);
        for share in [0.0, -1.0, 1.1, f64::NAN] {
            assert!(TaskWeighting::Cvar { share }.check().is_err(), "{share}");
        }
    }
}
