//! What a policy got on a list of tasks.

use metastable_analysis::Adaptation;

/// What a policy got on a list of tasks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Returned {
    pub(crate) n_tasks: usize,
    pub(crate) n_rollouts: usize,
    /// `(n_tasks, n_steps + 1, n_rollouts)`, sums of rewards without discount.
    pub(crate) returns: Vec<f64>,
    /// The largest return that any rule can expect, task by task; none where the family does not compute it.
    pub(crate) best: Option<Vec<f64>>,
    /// What each task is, one after the other.
    pub(crate) numbers: Vec<f64>,
}

impl Returned {
    /// Inner steps of the test, and one.
    pub(super) fn n_points(&self) -> usize {
        self.returns.len() / (self.n_tasks * self.n_rollouts)
    }

    /// Mean over rollouts, `(n_tasks, n_steps + 1)`.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.returns
            .chunks_exact(self.n_rollouts)
            .map(mean)
            .collect()
    }

    /// Mean return of each task after the last step.
    pub(crate) fn scores(&self) -> Vec<f64> {
        let means = self.means();
        let rows = means.chunks_exact(self.n_points());
        rows.map(|row| row[row.len() - 1]).collect()
    }

    /// Mean over tasks after `0 ..= n_steps` steps.
    pub(crate) fn curve(&self) -> Vec<f64> {
        let means = self.means();
        let after = |step: usize| {
            let of_tasks = means.iter().skip(step).step_by(self.n_points());
            mean(&of_tasks.copied().collect::<Vec<f64>>())
        };
        (0..self.n_points()).map(after).collect()
    }

    /// Inner-loop curves of the first tasks, as the analysis takes them: the loss is the return with its sign turned, and the rollouts
    /// that judge are those that adapt.
    pub(crate) fn adaptation(&self, n_tasks: usize) -> Option<Adaptation> {
        let n_tasks = n_tasks.min(self.n_tasks);
        let means = self.means();
        let returns = means[..n_tasks * self.n_points()].to_vec();
        let losses: Vec<f64> = returns.iter().map(|value| -value).collect();
        (n_tasks > 0).then(|| Adaptation {
            n_tasks,
            trained_steps: 1,
            query_accuracy: returns,
            support_loss: losses.clone(),
            query_loss: losses,
        })
    }
}

/// Of numbers, of which there is one at least.
#[allow(clippy::cast_precision_loss, reason = "tasks and rollouts are few")]
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
