//! The validations of a training that has ended, made again on other tasks: a training does not depend on what it is
//! validated on, so its weights stay, and only the choice of the best among them may change.

use metastable_models::{Network, Real};

use super::{BestWeights, Inspection, TrainPlan, TrainState, Trainer, Validation, Weights};
use crate::{AlgorithmError, Learner, TaskSource};

/// What the validations of a training say.
#[derive(Clone, Debug, PartialEq)]
pub struct Revalidation<T> {
    /// The outer steps of each validation, what it says, and what its first tasks show from within.
    pub seen: Vec<(usize, Validation, Option<Inspection>)>,
    /// The best of them; the earliest of equals.
    pub best: Option<BestWeights<T>>,
}

/// Validates the weights that a training had at each of its validations: `(outer steps made, weights)`, in order.
///
/// The result is that of a [`Trainer`] with the same plan and sources, to the bit; `train` is asked for the shape of its
/// first task alone.
///
/// # Errors
/// [`AlgorithmError::State`] for weights that do not fit the network, and those of the learner, the sources and `trained`.
pub fn revalidate<T: Real, E: From<AlgorithmError>>(
    network: &dyn Network<T>,
    learner: &dyn Learner<T>,
    [train, validation]: [&TaskSource<'_, T>; 2],
    plan: &TrainPlan,
    trained: impl IntoIterator<Item = Result<(usize, Weights<T>), E>>,
) -> Result<Revalidation<T>, E> {
    let mut revalidation = Revalidation {
        seen: Vec::new(),
        best: None,
    };
    for weights in trained {
        let (step, weights) = weights?;
        let state = TrainState {
            step,
            moments: vec![weights.theta.clone(); plan.config().optimizer.n_moments()],
            weights,
            average: None,
            best: revalidation.best.take(),
        };
        let mut trainer = Trainer::new(network, learner, train, validation, plan.clone(), state)?;
        let (validation, inspection) = trainer.look()?;
        revalidation.seen.push((step, validation, inspection));
        revalidation.best = trainer.into_state().best;
    }
    Ok(revalidation)
}
