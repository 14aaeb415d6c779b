//! What MAML++ changes over the first outer steps: from all inner steps' losses to the last one's, and from the first-order gradient
//! to the exact one.
//!
//! Antoniou, Edwards & Storkey 2019, ICLR, arXiv 1810.09502, section 4.

use crate::maml::GradientOrder;

/// Share of `1 / K` below which the weight of a step that is not the last does not fall, as in the authors' code.
const LEAST_SHARE: f64 = 0.03;

/// Outer steps of both changes; 0 for none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Annealing {
    /// Outer steps over which the loss moves from all inner steps to the last.
    pub(crate) multi_step: usize,
    /// Outer steps that drop the Hessians.
    pub(crate) second_order_from: usize,
}

impl Annealing {
    /// Order of the gradient after `made` outer steps.
    pub(crate) fn order(self, made: usize) -> GradientOrder {
        match made < self.second_order_from {
            true => GradientOrder::First,
            false => GradientOrder::Second,
        }
    }

    /// Weights of the `n_steps` losses after `made` outer steps; none where the last one is alone.
    pub(crate) fn weights(self, n_steps: usize, made: usize) -> Option<Vec<f64>> {
        let is_weighted = made < self.multi_step && 2 <= n_steps;
        is_weighted.then(|| multi_step_weights(n_steps, made, self.multi_step))
    }
}

/// Weight of the query loss after each of `n_steps` inner steps, after `made` of `until` annealing outer steps.
#[must_use]
pub fn multi_step_weights(n_steps: usize, made: usize, until: usize) -> Vec<f64> {
    let mut weights = vec![0.0; n_steps];
    let Some((last, others)) = weights.split_last_mut() else {
        return weights;
    };
    if made < until {
        let equal = 1.0 / (others.len() + 1) as f64;
        let share = 1.0 - made as f64 / until as f64;
        others.fill(equal * share.max(LEAST_SHARE));
    }
    *last = 1.0 - others.iter().sum::<f64>();
    weights
}
