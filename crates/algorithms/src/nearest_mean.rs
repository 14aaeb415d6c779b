//! Nearest mean without any training: on pixels, or on the features of the untrained network. What a learner has to beat.
//!
//! `p(y = k | x) = softmax_k(-|f(x) - c_k|^2 / temperature)` with `c_k` the mean of the supports of class `k`, as in
//! [`crate::protonet`]; `f` is the identity, or the network with its initial weights.
//!
//! Differs from the pixel baseline of Vinyals et al. 2016, table 1: class means by squared distance here, single supports by cosine there.
//!
//! The outer direction is zero, so that theta stays what it is. Spare outer steps: one is enough.

use metastable_models::{Loss, Metric, ModelError, Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::error::require;
use crate::metric::MetricLearner;
use crate::{Context, Learner, MetaGradient, Predict, Prediction, Result, Train};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "nearest-mean",
    summary: "floor: nearest class mean on pixels, or on features of the untrained network",
    citation: "Vinyals, Blundell, Lillicrap, Kavukcuoglu & Wierstra 2016, NeurIPS, arXiv 1606.04080, table 1",
    head: Head::None,
    complete,
    build,
};

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// The values of the images.
    #[default]
    Pixels,
    /// The outputs of the network as it was drawn.
    Random,
}

/// Settings as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NearestMeanConfig {
    /// What is compared: `pixels`, or `random` features.
    pub features: Compared,
    /// Divides the squared distances; it changes no predicted class.
    pub temperature: f64,
}

impl Default for NearestMeanConfig {
    fn default() -> Self {
        Self {
            features: Compared::Pixels,
            temperature: 1.0,
        }
    }
}

/// Nearest mean with checked settings. The network has no head.
struct NearestMean {
    features: Compared,
    temperature: f64,
    on_features: MetricLearner,
}

/// A pass that no parameter has a part in: all of its derivatives are zero.
struct Fixed<T> {
    loss: T,
    log_probabilities: Vec<T>,
    zero: Params<T>,
    statistics: Params<T>,
}

impl<T: Real> Tape<T> for Fixed<T> {
    fn loss(&self) -> T {
        self.loss
    }

    fn log_probabilities(&self) -> &[T] {
        &self.log_probabilities
    }

    fn outputs(&self) -> &[T] {
        &[]
    }

    fn statistics(&self) -> Params<T> {
        self.statistics.clone()
    }

    fn gradient(&mut self) -> std::result::Result<Params<T>, ModelError> {
        Ok(self.zero.clone())
    }

    fn hessian_product(&mut self, _v: &Params<T>) -> std::result::Result<Params<T>, ModelError> {
        Ok(self.zero.clone())
    }
}

impl NearestMean {
    fn on_pixels<T: Real>(&self, context: &Context<'_, T>, labels: &[usize]) -> Fixed<T> {
        let task = context.task;
        let n_way = task.shape().n_way;
        let n_pixels = task.support_images().len() / task.support_labels().len();
        let mut means = vec![0.0; n_way * n_pixels];
        let mut shots = vec![0.0; n_way];
        let supports = task.support_images().chunks_exact(n_pixels);
        for (image, label) in supports.zip(task.support_labels()) {
            shots[*label] += 1.0;
            let mean = &mut means[label * n_pixels..][..n_pixels];
            for (sum, value) in mean.iter_mut().zip(image) {
                *sum += value.wide();
            }
        }
        for (mean, n) in means.chunks_exact_mut(n_pixels).zip(&shots) {
            mean.iter_mut().for_each(|value| *value /= n);
        }
        let mut log_probabilities = Vec::with_capacity(labels.len() * n_way);
        let mut loss = 0.0;
        for (image, label) in task.query_images().chunks_exact(n_pixels).zip(labels) {
            let logits: Vec<f64> = means
                .chunks_exact(n_pixels)
                .map(|mean| {
                    let gaps = mean.iter().zip(image).map(|(c, x)| x.wide() - c);
                    -gaps.map(|gap| gap * gap).sum::<f64>() / self.temperature
                })
                .collect();
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logits.iter().map(|it| (it - most).exp()).sum();
            let norm = most + total.ln();
            loss += norm - logits[*label];
            log_probabilities.extend(logits.iter().map(|it| T::of(it - norm)));
        }
        Fixed {
            loss: T::of(loss / labels.len() as f64),
            log_probabilities,
            zero: Params::zeros(context.network.layout()),
            statistics: Params::zeros(context.network.buffers()),
        }
    }
}

impl<T: Real> Predict<T> for NearestMean {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let queries = self.query_loss(context, theta, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }
}

impl<T: Real> Train<T> for NearestMean {
    /// Zero: nothing is learnt.
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let queries = self.query_loss(context, theta, context.task.query_labels())?;
        let nowhere = Params::zeros(theta.layout());
        Ok(MetaGradient::of(&*queries, context.task, nowhere, None))
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        context.task.needs_classes("a nearest class mean")?;
        match self.features {
            Compared::Pixels => Ok(Box::new(self.on_pixels(context, labels))),
            Compared::Random => self.on_features.query_loss(context, phi, labels),
        }
    }
}

impl<T: Real> Learner<T> for NearestMean {}

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(parse::<NearestMeanConfig>(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: NearestMeanConfig = parse_for(ENTRY.name, settings)?;
    let temperature = config.temperature;
    require(
        temperature.is_finite() && 0.0 < temperature,
        "temperature",
        temperature,
        "it divides squared distances and has to be finite and positive, e.g. 1",
    )?;
    Ok(Box::new(NearestMean {
        features: config.features,
        temperature,
        on_features: MetricLearner {
            loss: Loss::Prototype {
                metric: Metric::Euclidean,
                temperature,
            },
        },
    }))
}
