//! Baseline: an embedding that was trained to tell all training classes apart, and a new linear head for each task.
//!
//! Chen, Liu, Kira, Wang & Huang 2019, "A closer look at few-shot classification", ICLR, arXiv 1904.04232, section 3.2.
//!
//! Training is [`crate::pretraining`]. At test the embedding is fixed, and `W f(x) + b` is trained on the supports by stochastic gradient
//! descent on the cross-entropy ([`crate::head_descent`]).
//!
//! Differs from the paper: the head starts at zero, where theirs is drawn, so that an answer is a function of the task; supports take
//! turns; batches of the training are tasks. "100 iterations" of the paper are steps here; their code makes 100 passes.

use metastable_models::{Loss, Params, Real, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::head_descent::{HeadDescent, Shown, dot, residual};
use crate::pretraining::Pretraining;
use crate::{
    Batch, Context, Differentiable, Learner, MetaGradient, Predict, Prediction, Result, Train,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "baseline",
    summary: "floor, Baseline: features that tell all training classes apart, and a new linear head for each task",
    citation: "Chen, Liu, Kira, Wang & Huang 2019, ICLR, arXiv 1904.04232",
    head: Head::Classes { spare: 0 },
    complete,
    build,
};

/// Settings as a user writes them, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineConfig {
    /// Steps of the new head on the supports of a task.
    pub head_steps: usize,
    /// Supports of a step.
    pub head_batch: usize,
    /// Its step size.
    pub head_lr: f64,
}

impl Default for BaselineConfig {
    fn default() -> Self {
        let HeadDescent {
            head_steps,
            head_batch,
            head_lr,
        } = HeadDescent::default();
        Self {
            head_steps,
            head_batch,
            head_lr,
        }
    }
}

/// Baseline with checked settings.
struct Baseline(HeadDescent);

const PRETRAINING: Pretraining = Pretraining {
    spare: 0,
    scale: None,
};

/// Gradient of the mean cross-entropy of a batch by `(W, b)`, rows end to end and shifts behind them.
fn gradient(weights: &[f64], shown: &Shown<'_>, n_way: usize) -> Vec<f64> {
    let width = shown.features.len() / shown.labels.len();
    let (rows, shifts) = weights.split_at(n_way * width);
    let mut gradient = vec![0.0; weights.len()];
    for (x, label) in shown.features.chunks_exact(width).zip(shown.labels) {
        let logits: Vec<f64> = rows
            .chunks_exact(width)
            .zip(shifts)
            .map(|(row, shift)| dot(row, x) + shift)
            .collect();
        let (at_rows, at_shifts) = gradient.split_at_mut(n_way * width);
        for (class, r) in residual(&logits, *label, shown.labels.len())
            .into_iter()
            .enumerate()
        {
            at_shifts[class] += r;
            for (sum, x) in at_rows[class * width..][..width].iter_mut().zip(x) {
                *sum += r * x;
            }
        }
    }
    gradient
}

impl<T: Real> Predict<T> for Baseline {
    fn predict(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapted(context, theta)?;
        let queries = self.query_loss(context, &phi, context.task.query_labels())?;
        Ok(Prediction::of(&*queries, context.task.shape().n_way))
    }

    fn predict_alone(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Prediction<T>> {
        let phi = self.adapted(context, theta)?;
        crate::adaptation::alone_at(&context.headed()?, &phi, 0)
    }
}

impl<T: Real> Train<T> for Baseline {
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        PRETRAINING.meta_gradient(context, theta)
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
            .headed()?
            .record(Loss::CrossEntropy, phi, Batch { images, labels }, 0)
    }
}

impl<T: Real> Differentiable<T> for Baseline {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        PRETRAINING.loss(context, &theta.plus(step, direction))
    }
}

impl<T: Real> Learner<T> for Baseline {
    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }

    fn adapted(&self, context: &Context<'_, T>, theta: &Params<T>) -> Result<Params<T>> {
        let task = context.task;
        task.needs_classes("a new head for each task")?;
        let parts = PRETRAINING.parts(theta)?;
        let features = context.support_features(theta)?;
        let n_way = task.shape().n_way;
        let supports = Shown {
            features: &features,
            labels: task.support_labels(),
        };
        let start = vec![0.0; n_way * (parts.width + 1)];
        let head = self.0.descend(&supports, start, |weights, shown| {
            gradient(weights, shown, n_way)
        });
        let mut values = theta.values()[..parts.n_body].to_vec();
        values.extend(head.iter().map(|value| T::of(*value)));
        Ok(Params::from_values(
            context.headed()?.network.layout(),
            values,
        ))
    }
}

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(parse::<BaselineConfig>(settings)?)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let BaselineConfig {
        head_steps,
        head_batch,
        head_lr,
    } = parse_for(ENTRY.name, settings)?;
    let descent = HeadDescent {
        head_steps,
        head_batch,
        head_lr,
    };
    Ok(Box::new(Baseline(descent.check()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head_descent::{assert_close, example};

    /// Printed by `tests/golden/heads.py` (PyTorch 2.15).
    const GOLDEN: [f64; 15] = [
        0.190_433_699_983_401_96,
        -0.192_929_657_021_330_5,
        0.127_762_665_396_847_3,
        -0.123_839_963_421_154_05,
        0.042_916_381_135_055_505,
        -0.059_704_530_003_104_8,
        0.087_861_716_369_639_12,
        -0.101_696_325_813_218_93,
        -0.233_350_081_118_457_43,
        0.252_634_187_024_435_35,
        -0.215_624_381_766_486_4,
        0.225_536_289_234_373_02,
        -0.016_030_578_098_755_088,
        0.003_156_801_870_835_746,
        0.012_873_776_227_919_34,
    ];

    #[test]
    fn the_new_head_is_the_one_that_pytorch_trains() {
        let (features, labels) = example();
        let shown = Shown {
            features: &features,
            labels: &labels,
        };
        let found = HeadDescent::default().descend(&shown, vec![0.0; 15], |weights, shown| {
            gradient(weights, shown, 3)
        });
        assert_close(&found, &GOLDEN);
    }
}
