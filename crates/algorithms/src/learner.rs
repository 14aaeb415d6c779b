//! What a meta-learner is: it turns a task into a meta-gradient, and a trained theta into predictions.
//!
//! A newcomer starts here, then reads [`crate::maml`].

use metastable_models::{Network, Params, Real, Statistics, Tape};

use crate::{AlgorithmError, Task};

/// A meta-learner with checked settings; it holds no state, so one value serves every task and thread.
pub trait Learner<T: Real>: Send + Sync {
    /// Loss of the queries after adaptation to the supports, and the direction that the outer optimizer descends: the
    /// loss's gradient with respect to `theta` if the learner claims so ([`Learner::differentiable`]).
    ///
    /// Batch statistics normalise, as always in training.
    ///
    /// # Errors
    /// [`AlgorithmError::Ways`] where a head does not fit the task; errors of the network. Non-finite values are no
    /// error: see [`MetaGradient::non_finite`].
    fn meta_gradient(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError>;

    /// The claim that [`MetaGradient::gradient`] is the gradient of a loss, for a learner that makes it. Without the claim
    /// it is a direction that the outer optimizer descends, and a certificate does not hold it against differences.
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        None
    }

    /// Class probabilities of the queries after adaptation to the supports, with the settings for test.
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn predict(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError>;

    /// Inner steps in training; none for a learner without an inner loop.
    fn inner_steps(&self) -> Option<usize> {
        None
    }

    /// Losses and accuracy after `0 ..= n_steps` inner steps; none for a learner without an inner loop.
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn curve(
        &self,
        _network: &dyn Network<T>,
        _theta: &Params<T>,
        _statistics: Statistics<'_, T>,
        _task: &Task<T>,
        _n_steps: usize,
    ) -> Result<Option<Curve>, AlgorithmError> {
        Ok(None)
    }

    /// Parameters after adaptation to the supports with the settings for test: `phi_K`, or theta itself for a learner
    /// without an inner loop.
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn adapt(
        &self,
        _network: &dyn Network<T>,
        theta: &Params<T>,
        _statistics: Statistics<'_, T>,
        _task: &Task<T>,
    ) -> Result<Params<T>, AlgorithmError> {
        Ok(theta.clone())
    }

    /// Loss of the supports at `phi`, `inner_step` steps into the inner loop, kept for derivatives; none for a learner
    /// without an inner loop.
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn support_loss<'a>(
        &self,
        _network: &'a dyn Network<T>,
        _phi: &Params<T>,
        _statistics: Statistics<'_, T>,
        _task: &Task<T>,
        _inner_step: usize,
    ) -> Result<Option<Box<dyn Tape<T> + 'a>>, AlgorithmError> {
        Ok(None)
    }

    /// Loss of the queries under `labels` at adapted parameters `phi` (see [`Learner::adapt`]), kept for derivatives.
    /// The task's own labels are [`Task::query_labels`]; labels drawn from the predictions give the Fisher information.
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`]; labels that do not fit the task.
    fn query_loss<'a>(
        &self,
        network: &'a dyn Network<T>,
        phi: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError>;

    /// The directions that MAML and its relatives differ in, on one task with the settings of training; none for a learner
    /// without an inner loop.
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn anatomy(
        &self,
        _network: &dyn Network<T>,
        _theta: &Params<T>,
        _task: &Task<T>,
    ) -> Result<Option<Anatomy<T>>, AlgorithmError> {
        Ok(None)
    }

    /// Class probabilities of the queries as in [`Learner::predict`], but each query in a pass of its own, with the
    /// supports and without the other queries: what batch statistics take from other queries is not there (inductive, as
    /// in the code of Nichol et al. 2018).
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn predict_alone(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError>;
}

/// The claim of a learner that its outer direction is the gradient of a loss.
pub trait Differentiable<T: Real>: Send + Sync {
    /// The query loss of which [`Learner::meta_gradient`] is the derivative, with what it is differentiated by moved by
    /// `step * direction`: theta, from which the inner loop starts, or the adapted parameters for a learner that
    /// differentiates there. Central differences of it check the meta-gradient ([`crate::check`]).
    ///
    /// # Errors
    /// As for [`Learner::meta_gradient`].
    fn displaced_loss(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T, AlgorithmError>;
}

/// What one task contributes to an outer step.
#[derive(Clone, Debug)]
pub struct MetaGradient<T> {
    /// Mean negative log-likelihood of the queries after adaptation, in nats.
    pub query_loss: T,
    /// Queries whose most probable class is their label.
    pub n_correct: usize,
    /// Queries.
    pub n_queries: usize,
    /// The direction that the outer optimizer descends: for a learner that claims [`Differentiable`], the gradient of the
    /// query loss with respect to theta.
    pub gradient: Params<T>,
    /// Batch statistics of the pass that judged the queries, in the layout of [`Network::buffers`].
    pub statistics: Params<T>,
    /// What was first not finite on the way to the query loss, that loss included.
    pub non_finite: Option<NonFinite>,
}

/// The ways from theta that one task knows, for a learner with an inner loop.
#[derive(Clone, Debug)]
pub struct Anatomy<T> {
    /// Gradient of the support loss at theta.
    pub support: Params<T>,
    /// Gradient of the query loss at theta, before any adaptation.
    pub query: Params<T>,
    /// `phi_K - theta`.
    pub displacement: Params<T>,
    /// `grad L_Q(phi_K)`: the meta-gradient of first-order MAML.
    pub first_order: Params<T>,
    /// `d L_Q(phi_K) / d theta`: that of MAML.
    pub exact: Params<T>,
}

/// A value of one task that was NaN or infinite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NonFinite {
    /// The support loss after that many inner steps; the fast weights at which it was taken are finite.
    SupportLoss {
        /// Inner steps made.
        inner_step: usize,
    },
    /// A tensor of the fast weights after that many inner steps.
    FastWeights {
        /// Name of the tensor.
        tensor: String,
        /// Inner steps made.
        inner_step: usize,
    },
    /// The query loss.
    QueryLoss,
}

/// Class probabilities of a task's queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction<T> {
    /// Natural log-probabilities, `(n_queries, n_way)`.
    pub log_probabilities: Vec<T>,
    /// Classes.
    pub n_way: usize,
    /// Mean negative log-likelihood of the true labels, in nats.
    pub query_loss: T,
}

impl<T: Real> Prediction<T> {
    /// Most probable class of each query; the first of equals, and 0 where nothing compares (NaN).
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        self.log_probabilities
            .chunks_exact(self.n_way)
            .map(most_probable)
    }

    /// Share of queries whose most probable class is their label, 0 to 1.
    #[must_use]
    pub fn accuracy(&self, labels: &[usize]) -> f64 {
        n_correct(&self.log_probabilities, self.n_way, labels) as f64 / labels.len() as f64
    }

    /// Log-odds against the true class of each query, `ln((1 - p) / p)`: positive where it is less probable than not.
    ///
    /// `ln(1 - p)` is the log-sum-exp over the other classes, which stays exact where `p` rounds to 1.
    pub fn log_odds(&self, labels: &[usize]) -> impl Iterator<Item = f64> {
        self.log_probabilities
            .chunks_exact(self.n_way)
            .zip(labels)
            .map(|(row, &label)| {
                let others = || {
                    let classes = row.iter().enumerate();
                    classes.filter(move |(class, _)| *class != label)
                };
                let of = |value: &T| value.wide();
                let most = others()
                    .map(|(_, value)| of(value))
                    .fold(f64::NEG_INFINITY, f64::max);
                let rest: f64 = others().map(|(_, value)| (of(value) - most).exp()).sum();
                most + rest.ln() - of(&row[label])
            })
    }
}

/// Inner-loop curve of one task: entry `k` is the state after `k` inner steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Share of the queries that are right, 0 to 1.
    pub query_accuracy: Vec<f64>,
    /// Mean negative log-likelihood of the supports, in nats.
    pub support_loss: Vec<f64>,
    /// Mean negative log-likelihood of the queries, in nats.
    pub query_loss: Vec<f64>,
}

/// A task with a single query, of whatever class.
pub(crate) struct Single<'t, T> {
    images: Vec<T>,
    support_labels: &'t [usize],
}

impl<T> Single<'_, T> {
    /// The supports, then the query.
    pub(crate) fn images(&self) -> &[T] {
        &self.images
    }

    pub(crate) fn support_labels(&self) -> &[usize] {
        self.support_labels
    }
}

/// Predictions of the queries of a task, each by itself; `row` gives the log-probabilities of one.
pub(crate) fn predict_each<T: Real>(
    task: &Task<T>,
    mut row: impl FnMut(&Single<'_, T>) -> Result<Vec<T>, AlgorithmError>,
) -> Result<Prediction<T>, AlgorithmError> {
    let labels = task.query_labels();
    let n_pixels = task.query_images().len() / labels.len();
    let mut log_probabilities = Vec::with_capacity(labels.len() * task.shape().n_way);
    let mut loss = 0.0;
    for (query, label) in task.query_images().chunks_exact(n_pixels).zip(labels) {
        let own = row(&Single {
            images: [task.support_images(), query].concat(),
            support_labels: task.support_labels(),
        })?;
        loss -= own[*label].wide();
        log_probabilities.extend(own);
    }
    Ok(Prediction {
        log_probabilities,
        n_way: task.shape().n_way,
        query_loss: T::of(loss / labels.len() as f64),
    })
}

/// Index of the first largest value.
fn most_probable<T: Real>(row: &[T]) -> usize {
    let mut best = 0;
    for (class, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = class;
        }
    }
    best
}

/// Rows of `log_probabilities` whose first largest value is at their label.
pub(crate) fn n_correct<T: Real>(log_probabilities: &[T], n_way: usize, labels: &[usize]) -> usize {
    log_probabilities
        .chunks_exact(n_way)
        .zip(labels)
        .filter(|(row, label)| most_probable(row) == **label)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_wins_and_nan_is_class_zero() {
        assert_eq!(most_probable(&[-2.0, -1.0, -1.0]), 1);
        assert_eq!(most_probable(&[f64::NAN, f64::NAN]), 0);
        assert_eq!(n_correct(&[-1.0, -2.0, -2.0, -1.0], 2, &[0, 0]), 1);
    }

    #[test]
    fn log_odds_are_those_of_the_probabilities_and_stay_exact_near_certainty() {
        let prediction = |log_probabilities: Vec<f64>| Prediction {
            log_probabilities,
            n_way: 3,
            query_loss: 0.0,
        };
        let rows = prediction([0.5, 0.2, 0.3, 0.1, 0.8, 0.1].map(f64::ln).to_vec());
        let odds: Vec<f64> = rows.log_odds(&[1, 1]).collect();
        for (odds, p) in odds.into_iter().zip([0.2, 0.8_f64]) {
            assert!((odds - ((1.0 - p) / p).ln()).abs() < 1e-14, "{odds}");
        }
        // p = 1 - 2e-40 is 1 in f64, its log-odds are ln(2e-40).
        let sure = prediction(vec![0.0, 1e-40_f64.ln(), 1e-40_f64.ln()]);
        let odds = sure.log_odds(&[0]).next().unwrap();
        assert!((odds - 2e-40_f64.ln()).abs() < 1e-12, "{odds}");
    }
}
