//! Baseline++: as [`crate::baseline`], with cosines in place of a linear head, in training and at test.
//!
//! Chen, Liu, Kira, Wang & Huang 2019, "A closer look at few-shot classification", ICLR, arXiv 1904.04232, section 3.2.
//!
//! The logit of class `k` is `s cos(w_k, f(x))`: it lies between `-s` and `s`, and the length of a feature does not matter. In training `s` is
//! `scale`; at test, of the new head, `head_scale`. Lengths are `sqrt(|.|^2 + 1e-8)`.
//!
//! Differs from the paper: rows of the new head start at the class means of the unit features of the supports, where theirs are drawn, so that
//! an answer is a function of the task; supports take turns; batches of the training are tasks. Their code learns a length for each row
//! besides, which unbounds the logits; the paper and this do not.

use metastable_models::{Loss, Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::error::require;
use crate::head_descent::{HeadDescent, Shown, class_means, dot, residual, unit};
use crate::pretraining::Pretraining;
use crate::{
    Batch, Context, Differentiable, Learner, MetaGradient, Predict, Prediction, Result, Train,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "baseline-pp",
    summary: "floor, Baseline++: as baseline, with cosines in place of a linear head",
    citation: "Chen, Liu, Kira, Wang & Huang 2019, ICLR, arXiv 1904.04232",
    head: Head::Classes { spare: 0 },
    complete,
    build,
};

/// Settings as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselinePpConfig {
    /// What multiplies the cosines in training; hundreds of classes ask for 10 or more.
    pub scale: f64,
    /// What multiplies those of the new head; 2 in the code of the paper for few classes.
    pub head_scale: f64,
    /// Steps of the new head on the supports of a task.
    pub head_steps: usize,
    /// Supports of a step.
    pub head_batch: usize,
    /// Its step size.
    pub head_lr: f64,
}

impl Default for BaselinePpConfig {
    fn default() -> Self {
        let HeadDescent {
            head_steps,
            head_batch,
            head_lr,
        } = HeadDescent::default();
        Self {
            scale: 10.0,
            head_scale: 2.0,
            head_steps,
            head_batch,
            head_lr,
        }
    }
}

/// Baseline++ with checked settings.
struct BaselinePp {
    scale: f64,
    descent: HeadDescent,
    pretraining: Pretraining,
}

/// Gradient of the mean cross-entropy of a batch of unit features by the rows of the head, end to end:
/// `s n_k (x - u_k (u_k . x))` times what softmax has too much.
fn gradient(weights: &[f64], shown: &Shown<'_>, scale: f64) -> Vec<f64> {
    let width = shown.features.len() / shown.labels.len();
    let rows: Vec<(Vec<f64>, f64)> = weights.chunks_exact(width).map(unit).collect();
    let mut gradient = vec![0.0; weights.len()];
    for (x, label) in shown.features.chunks_exact(width).zip(shown.labels) {
        let cosines: Vec<f64> = rows.iter().map(|(u, _)| dot(u, x)).collect();
        let logits: Vec<f64> = cosines.iter().map(|it| scale * it).collect();
        let residuals = residual(&logits, *label, shown.labels.len());
        for (class, r) in residuals.into_iter().enumerate() {
            let (u, n) = &rows[class];
            let sums = gradient[class * width..][..width].iter_mut();
            for (sum, (u, x)) in sums.zip(u.iter().zip(x)) {
                *sum += r * scale * n * (x - u * cosines[class]);
            }
        }
    }
    gradient
}

impl<T: Real> Predict<T> for BaselinePp {
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

impl<T: Real> Train<T> for BaselinePp {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        self.pretraining.meta_gradient(context, theta)
    }

    /// At parameters with the head that was trained on the supports.
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

impl<T: Real> Differentiable<T> for BaselinePp {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        self.pretraining.loss(context, &theta.plus(step, direction))
    }
}

impl<T: Real> Learner<T> for BaselinePp {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }

    fn adapted(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let task = context.task;
        task.needs_classes("a new head for each task")?;
        let parts = self.pretraining.parts(theta)?;
        let features = context.support_features(theta)?;
        let directions: Vec<f64> = features
            .chunks_exact(parts.width)
            .flat_map(|row| unit(row).0)
            .collect();
        let (labels, n_way) = (task.support_labels(), task.shape().n_way);
        let supports = Shown {
            features: &directions,
            labels,
        };
        let start = class_means(&directions, labels, n_way);
        let rows = self.descent.descend(&supports, start, |weights, shown| {
            gradient(weights, shown, self.scale)
        });
        let mut values = theta.values()[..parts.n_body].to_vec();
        for row in rows.chunks_exact(parts.width) {
            values.extend(unit(row).0.iter().map(|u| T::of(self.scale * u)));
        }
        // Neither shifts nor a centre.
        values.resize(values.len() + n_way + parts.width, T::ZERO);
        let layout = context.unit_headed()?.network.layout();
        Ok(Params::from_values(layout, values))
    }
}

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(parse::<BaselinePpConfig>(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: BaselinePpConfig = parse_for(ENTRY.name, settings)?;
    for (name, value) in [("scale", config.scale), ("head_scale", config.head_scale)] {
        require(
            value.is_finite() && 0.0 < value,
            name,
            value,
            "it multiplies cosines and has to be finite and positive, e.g. 10",
        )?;
    }
    let descent = HeadDescent {
        head_steps: config.head_steps,
        head_batch: config.head_batch,
        head_lr: config.head_lr,
    };
    Ok(Box::new(BaselinePp {
        scale: config.head_scale,
        descent: descent.check()?,
        pretraining: Pretraining {
            spare: 0,
            scale: Some(config.scale),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head_descent::{assert_close, example};

    /// Printed by `tests/golden/heads.py` (PyTorch 2.15).
    const GOLDEN: [f64; 12] = [
        0.740_663_436_023_413_7,
        -0.062_854_677_055_632_48,
        0.661_502_354_872_793_6,
        0.030_804_415_014_017_174,
        0.578_574_137_525_189_2,
        0.252_061_324_807_441_03,
        0.729_546_374_710_481_2,
        0.110_645_954_142_431_21,
        -0.010_061_421_338_029_092,
        0.737_701_255_957_917,
        0.056_784_487_231_214_84,
        0.657_226_793_632_981_3,
    ];

    #[test]
    fn the_new_head_is_the_one_that_pytorch_trains() {
        let (features, labels) = example();
        let directions: Vec<f64> = features
            .chunks_exact(4)
            .flat_map(|row| unit(row).0)
            .collect();
        let shown = Shown {
            features: &directions,
            labels: &labels,
        };
        let start = class_means(&directions, &labels, 3);
        let found = HeadDescent::default().descend(&shown, start, |weights, shown| {
            gradient(weights, shown, 2.0)
        });
        assert_close(&found, &GOLDEN);
    }
}
