//! What a validation sees of the network from within: inner-loop curves, units that are never active, and how far
//! adaptation moves what batch normalisation normalises. Always on the same validation tasks.

use metastable_models::architecture::NORM_EPS;
use metastable_models::{Network, Real, Units};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Weights;
use crate::{AlgorithmError, Context, Curve, Learner, TaskSource, curves};

/// What the first few validation tasks show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Tasks that were inspected.
    pub n_tasks: usize,
    /// Mean inner-loop curve; absent without an inner loop, and where a loss is not finite.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub curve: Option<MeanCurve>,
    /// Each block of the network, first to last; empty for a network that does not tell.
    pub blocks: Vec<BlockState>,
}

/// Means over tasks after `k = 0 ..= 4 K` inner steps, `K` those of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanCurve {
    /// Share of the queries that are right, 0 to 1; empty for tasks of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_accuracy: Vec<f64>,
    /// In nats, or the mean squared error.
    pub support_loss: Vec<f64>,
    /// Likewise.
    pub query_loss: Vec<f64>,
    /// Share of tasks whose support loss rose at some step.
    pub support_rose: f64,
}

/// One block on the inspected tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockState {
    /// Share of units (filters) whose output is not above zero for any image of any task, after adaptation.
    pub dead: f64,
    /// What the inner loop does to the batch statistics of the supports; absent without an inner loop, without batch
    /// normalisation, and where it is not finite.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub drift: Option<NormDrift>,
}

/// Change of the batch statistics from theta to the adapted parameters, mean over units and tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormDrift {
    /// `|mean' - mean| / sd`.
    pub mean: f64,
    /// `|ln(sd' / sd)|`.
    pub scale: f64,
}

/// The units of each block in one task: of the queries after adaptation, and of the supports before and after it.
struct TaskUnits<T> {
    adapted: Vec<Units<T>>,
    supports: Option<[Vec<Units<T>>; 2]>,
}

impl Inspection {
    /// Looks at the tasks `0 .. n_tasks`.
    ///
    /// # Errors
    /// Those of the learner, the network and the source.
    pub fn make<T: Real>(
        network: &dyn Network<T>,
        learner: &dyn Learner<T>,
        weights: &Weights<T>,
        tasks: &TaskSource<'_, T>,
        n_tasks: usize,
    ) -> Result<Self, AlgorithmError> {
        let curves = curves(network, learner, weights, tasks, n_tasks)?;
        let units = (0..n_tasks as u64)
            .into_par_iter()
            .map(|index| TaskUnits::of(network, learner, weights, tasks, index))
            .collect::<Result<Vec<_>, AlgorithmError>>()?;
        let n_blocks = units.first().map_or(0, |task| task.adapted.len());
        Ok(Self {
            n_tasks,
            curve: curves.and_then(|curves| MeanCurve::of(&curves.tasks)),
            blocks: (0..n_blocks)
                .map(|block| BlockState::of(&units, block))
                .collect(),
        })
    }
}

impl<T: Real> TaskUnits<T> {
    fn of(
        network: &dyn Network<T>,
        learner: &dyn Learner<T>,
        weights: &Weights<T>,
        tasks: &TaskSource<'_, T>,
        index: u64,
    ) -> Result<Self, AlgorithmError> {
        let (task, theta) = (tasks(index)?, &weights.theta);
        let context = Context {
            network,
            statistics: weights.statistics(),
            task: &task,
        };
        let phi = learner.adapted(&context, theta)?;
        let adapted = learner.query_loss(&context, &phi, task.query_labels())?;
        let supports = match learner.inner_loop() {
            None => None,
            Some(inner) => {
                // As in training: running statistics would hide what happens to those of the batch.
                let context = Context::training(network, &task);
                let start = inner.start(&context, theta)?;
                let before = inner.support_loss(&context, &start, 0)?;
                let after = inner.support_loss(&context, &phi, inner.train_steps())?;
                Some([before.units()?, after.units()?])
            }
        };
        Ok(Self {
            adapted: adapted.units()?,
            supports,
        })
    }
}

impl MeanCurve {
    fn of(tasks: &[Curve]) -> Option<Self> {
        let first = tasks.first()?;
        let mean = |of: fn(&Curve) -> &Vec<f64>| -> Option<Vec<f64>> {
            let n_points = of(first).len();
            let at =
                |k: usize| tasks.iter().map(|task| of(task)[k]).sum::<f64>() / tasks.len() as f64;
            let curve: Vec<f64> = (0..n_points).map(at).collect();
            curve.iter().all(|value| value.is_finite()).then_some(curve)
        };
        let rose = |task: &&Curve| task.support_loss.windows(2).any(|step| step[1] > step[0]);
        Some(Self {
            query_accuracy: mean(|task| &task.query_accuracy)?,
            support_loss: mean(|task| &task.support_loss)?,
            query_loss: mean(|task| &task.query_loss)?,
            support_rose: tasks.iter().filter(rose).count() as f64 / tasks.len() as f64,
        })
    }
}

impl BlockState {
    fn of<T: Real>(tasks: &[TaskUnits<T>], block: usize) -> Self {
        let width = tasks[0].adapted[block].active.len();
        let is_dead = |unit: &usize| tasks.iter().all(|task| !task.adapted[block].active[*unit]);
        let drifts: Option<Vec<NormDrift>> = tasks
            .iter()
            .map(|task| {
                let [before, after] = task.supports.as_ref()?;
                NormDrift::of(&before[block], &after[block])
            })
            .collect();
        let mean = |drifts: &[NormDrift], of: fn(&NormDrift) -> f64| {
            drifts.iter().map(of).sum::<f64>() / drifts.len() as f64
        };
        Self {
            dead: (0..width).filter(is_dead).count() as f64 / width as f64,
            drift: drifts.map(|drifts| NormDrift {
                mean: mean(&drifts, |drift| drift.mean),
                scale: mean(&drifts, |drift| drift.scale),
            }),
        }
    }
}

impl NormDrift {
    /// Mean over the units; none without batch statistics, and where they are not finite.
    fn of<T: Real>(before: &Units<T>, after: &Units<T>) -> Option<Self> {
        let sd = |variance: &T| (variance.wide() + NORM_EPS).sqrt();
        let n_units = before.mean.len() as f64;
        let shifts = before.mean.iter().zip(&after.mean).zip(&before.variance);
        let shift: f64 = shifts
            .map(|((before, after), variance)| (after.wide() - before.wide()).abs() / sd(variance))
            .sum();
        let scales = before.variance.iter().zip(&after.variance);
        let scale: f64 = scales
            .map(|(before, after)| (sd(after) / sd(before)).ln().abs())
            .sum();
        let drift = Self {
            mean: shift / n_units,
            scale: scale / n_units,
        };
        (drift.mean.is_finite() && drift.scale.is_finite()).then_some(drift)
    }
}
