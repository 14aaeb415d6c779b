//! What Prototypical and Matching Networks share: one pass over supports and queries, and a loss on the embeddings.

use metastable_models::{Loss, Metric, Network, Objective, Params, Pass, Real, Statistics, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::require;
use crate::learner::{n_correct, predict_each};
use crate::{AlgorithmError, Differentiable, Learner, MetaGradient, NonFinite, Prediction, Task};

/// Default temperature of cosine similarities. They lie in `[-1, 1]`, so at temperature 1 the softmax over classes can
/// hardly leave the uniform: at 5-way its largest probability is below 0.65 however good the embedding is.
const COSINE_TEMPERATURE: f64 = 0.1;

/// Settings of a metric learner as a user writes them, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricConfig {
    /// Similarity of two embeddings; the learner's own default if absent.
    pub metric: Option<Metric>,
    /// Divides the similarities; 1 for Euclidean and 0.1 for cosine if absent.
    pub temperature: Option<f64>,
}

impl MetricConfig {
    /// The settings with every default filled in; `default` is the learner's own metric.
    pub(crate) fn complete(mut self, default: Metric) -> Result<Value, serde_json::Error> {
        let (metric, temperature) = self.or_defaults(default);
        self.metric = Some(metric);
        self.temperature = Some(temperature);
        serde_json::to_value(self)
    }

    /// Metric and temperature, the defaults filled in.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] unless the temperature is finite and positive.
    pub fn validate(&self, default: Metric) -> Result<(Metric, f64), AlgorithmError> {
        let (metric, temperature) = self.or_defaults(default);
        require(
            temperature.is_finite() && 0.0 < temperature,
            "temperature",
            temperature,
            "it divides similarities and has to be finite and positive, e.g. 0.1",
        )?;
        Ok((metric, temperature))
    }

    fn or_defaults(&self, default: Metric) -> (Metric, f64) {
        let metric = self.metric.unwrap_or(default);
        let temperature = self.temperature.unwrap_or(match metric {
            Metric::Euclidean => 1.0,
            Metric::Cosine => COSINE_TEMPERATURE,
        });
        (metric, temperature)
    }
}

/// A learner that compares embeddings; the network has no head.
///
/// Supports and queries pass through the network in one batch, so that batch normalisation takes joint statistics, as
/// in the public code of Snell et al. (`model.encoder(torch.cat([xs, xq]))`).
#[derive(Clone, Debug)]
pub struct MetricLearner {
    pub(crate) loss: Loss,
}

impl MetricLearner {
    fn record<'a, T: Real>(
        &self,
        network: &'a dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        images: &[T],
        (task, labels): (&Task<T>, &[usize]),
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let objective = Objective {
            loss: self.loss,
            n_way: task.shape().n_way,
            supports: task.support_labels(),
            labels,
        };
        let pass = Pass {
            inner_step: 0,
            statistics,
        };
        Ok(network.record(theta, images, pass, objective)?)
    }
}

impl<T: Real> Differentiable<T> for MetricLearner {
    fn displaced_loss(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T, AlgorithmError> {
        let (theta, labels) = (theta.plus(step, direction), task.query_labels());
        let loss =
            Learner::<T>::query_loss(self, network, &theta, Statistics::Batch, task, labels)?;
        Ok(loss.loss())
    }
}

impl<T: Real> Learner<T> for MetricLearner {
    fn meta_gradient(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError> {
        let mut tape = Learner::<T>::query_loss(
            self,
            network,
            theta,
            Statistics::Batch,
            task,
            task.query_labels(),
        )?;
        let gradient = tape.gradient()?;
        let query_loss = tape.loss();
        Ok(MetaGradient {
            query_loss,
            n_correct: n_correct(
                tape.log_probabilities(),
                task.shape().n_way,
                task.query_labels(),
            ),
            n_queries: task.query_labels().len(),
            gradient,
            statistics: tape.statistics(),
            non_finite: (!query_loss.is_finite()).then_some(NonFinite::QueryLoss),
        })
    }

    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }

    fn predict(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        let tape =
            Learner::<T>::query_loss(self, network, theta, statistics, task, task.query_labels())?;
        Ok(Prediction {
            log_probabilities: tape.log_probabilities().to_vec(),
            n_way: task.shape().n_way,
            query_loss: tape.loss(),
        })
    }

    fn query_loss<'a>(
        &self,
        network: &'a dyn Network<T>,
        phi: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        self.record(network, phi, statistics, task.images(), (task, labels))
    }

    fn predict_alone(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        predict_each(task, |single| {
            let tape = self.record(network, theta, statistics, single.images(), (task, &[0]))?;
            Ok(tape.log_probabilities().to_vec())
        })
    }
}
