//! SimpleShot: an embedding that was trained to tell all training classes apart, then the nearest class mean of centred unit features.
//!
//! Wang, Chao, Weinberger & van der Maaten 2019, "SimpleShot: revisiting nearest-neighbor classification for few-shot learning", arXiv
//! 1911.04623, section 2, equation 1 and the transformations "centring" and "L2-normalization" (CL2N).
//!
//! `u(x) = (f(x) - m) / |f(x) - m|` with `m` the mean feature of the training images; `c_k` is the mean of `u` over the supports of class `k`, and
//! `p(y = k | x) = softmax_k(-|u(x) - c_k|^2 / temperature)`, which is a linear head on directions: `w_k = 2 c_k / temperature`,
//! `b_k = -|c_k|^2 / temperature`. A common shift of features moves `m` with them, a common scale is divided out.
//!
//! Training is [`crate::pretraining`]. `m` is a spare row of the map of classes, which the outer optimizer moves towards the mean
//! feature of each task: its direction is `m - mean f`, the gradient of `|m - mean f|^2 / 2` by `m` alone. It follows with a lag, so that
//! very short trainings leave it behind; `centre = "supports"` takes the mean of the task's own supports in its place.
//!
//! Differs from the paper: the running centre, probabilities by a temperature, and batches by tasks.

use metastable_models::{Loss, Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::error::require;
use crate::head_descent::{class_means, dot, unit};
use crate::pretraining::Pretraining;
use crate::{
    Batch, Context, Differentiable, Learner, MetaGradient, Predict, Prediction, Result, Train,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "simple-shot",
    summary: "floor, SimpleShot: features that tell all training classes apart, centred, of unit length, and the nearest class mean",
    citation: "Wang, Chao, Weinberger & van der Maaten 2019, arXiv 1911.04623",
    head: Head::Classes { spare: 1 },
    complete,
    build,
};

/// What is subtracted from features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Centre {
    /// The mean feature of the training images.
    #[default]
    Training,
    /// That of the task's supports.
    Supports,
    /// Nothing (L2N in the paper).
    Nothing,
}

/// Settings as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimpleShotConfig {
    /// What is subtracted from features: the mean of `training`, of the `supports`, or `nothing`.
    pub centre: Centre,
    /// Divides the squared distances, which lie between 0 and 4; it changes no predicted class.
    pub temperature: f64,
}

impl Default for SimpleShotConfig {
    fn default() -> Self {
        Self {
            centre: Centre::Training,
            temperature: 0.1,
        }
    }
}

/// SimpleShot with checked settings.
struct SimpleShot(SimpleShotConfig);

const PRETRAINING: Pretraining = Pretraining {
    spare: 1,
    scale: None,
};

impl SimpleShot {
    /// What is subtracted from features of this task.
    fn centre<T: Real>(&self, theta: &Params<T>, supports: &[f64]) -> Result<Vec<f64>> {
        let parts = PRETRAINING.parts(theta)?;
        Ok(match self.0.centre {
            Centre::Training => {
                let row = &theta.values()[parts.row(parts.n_classes)];
                row.iter().map(|value| value.wide()).collect()
            }
            Centre::Supports => mean(supports, parts.width),
            Centre::Nothing => vec![0.0; parts.width],
        })
    }
}

/// Mean row.
fn mean(rows: &[f64], width: usize) -> Vec<f64> {
    let n = rows.len() / width.max(1);
    class_means(rows, &vec![0; n], 1)
}

/// Mean feature of all images of a task; where the centre is drawn to.
fn mean_feature<T: Real>(context: &Context<'_, T>, theta: &Params<T>) -> Result<Vec<f64>> {
    let features = context.features(theta, context.task.images())?;
    Ok(mean(&features, context.network.n_outputs()))
}

impl<T: Real> Predict<T> for SimpleShot {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapted(context, theta)?;
        let queries = self.query_loss(context, &phi, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }

    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapted(context, theta)?;
        crate::adaptation::alone_at(&context.unit_headed()?, &phi, 0)
    }
}

impl<T: Real> Train<T> for SimpleShot {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let mut made = PRETRAINING.meta_gradient(context, theta)?;
        let parts = PRETRAINING.parts(theta)?;
        let row = parts.row(parts.n_classes);
        let own = theta.values()[row.clone()].iter();
        let towards = mean_feature(context, theta)?;
        let gaps: Vec<T> = own
            .zip(&towards)
            .map(|(m, mean)| T::of(m.wide() - mean))
            .collect();
        made.gradient.values_mut()[row].copy_from_slice(&gaps);
        Ok(made)
    }

    /// At parameters with the head of the class means.
    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let images = context.task.query_images();
        context
            .unit_headed()?
            .record(Loss::CrossEntropy, phi, Batch { images, labels }, 0)
    }
}

impl<T: Real> Learner<T> for SimpleShot {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }

    fn adapted(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let task = context.task;
        task.needs_classes("a nearest class mean")?;
        let parts = PRETRAINING.parts(theta)?;
        let features = context.support_features(theta)?;
        let centre = self.centre(theta, &features)?;
        let directions: Vec<f64> = features
            .chunks_exact(parts.width)
            .flat_map(|row| {
                let moved: Vec<f64> = row.iter().zip(&centre).map(|(f, m)| f - m).collect();
                unit(&moved).0
            })
            .collect();
        let means = class_means(&directions, task.support_labels(), task.shape().n_way);
        let per_unit = 1.0 / self.0.temperature;
        let mut values = theta.values()[..parts.n_body].to_vec();
        values.extend(means.iter().map(|c| T::of(2.0 * per_unit * c)));
        let means = means.chunks_exact(parts.width);
        values.extend(means.map(|c| T::of(-per_unit * dot(c, c))));
        values.extend(centre.iter().map(|m| T::of(*m)));
        let layout = context.unit_headed()?.network.layout();
        Ok(Params::from_values(layout, values))
    }
}

impl<T: Real> Differentiable<T> for SimpleShot {
    /// The mean feature that the centre is drawn to is that of theta, whatever moves.
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let moved = theta.plus(step, direction);
        let parts = PRETRAINING.parts(&moved)?;
        let centre = &moved.values()[parts.row(parts.n_classes)];
        let towards = mean_feature(context, theta)?;
        let gaps = centre.iter().zip(&towards).map(|(m, it)| m.wide() - it);
        let lag = 0.5 * gaps.map(|gap| gap * gap).sum::<f64>();
        Ok(PRETRAINING.loss(context, &moved)? + T::of(lag))
    }
}

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(parse::<SimpleShotConfig>(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: SimpleShotConfig = parse_for(ENTRY.name, settings)?;
    require(
        config.temperature.is_finite() && 0.0 < config.temperature,
        "temperature",
        config.temperature,
        "it divides squared distances and has to be finite and positive, e.g. 0.1",
    )?;
    Ok(Box::new(SimpleShot(config)))
}
