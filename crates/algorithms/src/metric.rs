//! What Prototypical and Matching Networks share: one pass over supports and queries, and a loss on the embeddings.

use metastable_models::{Loss, Metric, Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::require;
use crate::{
    Batch, Context, Differentiable, Learner, MetaGradient, Predict, Prediction, Result, Train,
};

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
    /// [`crate::AlgorithmError::Setting`] unless the temperature is finite and positive.
    pub fn validate(&self, default: Metric) -> Result<(Metric, f64)> {
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

impl<T: Real> Predict<T> for MetricLearner {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let queries = self.query_loss(context, theta, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }
}

impl<T: Real> Train<T> for MetricLearner {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let mut queries = self.query_loss(context, theta, context.task.query_labels())?;
        let gradient = queries.gradient()?;
        Ok(MetaGradient::of(&*queries, context.task, gradient, None))
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let images = context.task.images();
        context.record(self.loss, phi, Batch { images, labels }, 0)
    }
}

impl<T: Real> Learner<T> for MetricLearner {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }
}

impl<T: Real> Differentiable<T> for MetricLearner {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let theta = theta.plus(step, direction);
        let queries = self.query_loss(context, &theta, context.task.query_labels())?;
        Ok(queries.loss())
    }
}
