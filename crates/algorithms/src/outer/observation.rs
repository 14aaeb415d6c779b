//! A closer look at some tasks of an outer step: do their gradients, and their ways through the inner loop, agree?
//!
//! It costs about as much as the outer step itself, so it is made at intervals
//! ([`crate::TrainConfig::observe_every`]). What it finds are plain lists of cosines; statistics are for the reader.

use std::ops::Range;

use metastable_models::{Network, Params, Real};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{AlgorithmError, Anatomy, Context, Learner, MetaGradient, TaskSource};

/// Tasks of a meta-batch that are looked at, the first ones; 28 pairs.
pub const OBSERVED_TASKS: usize = 8;

/// How the first [`OBSERVED_TASKS`] tasks of an outer step stand to each other, at theta before the update.
///
/// Lists over pairs go `(0, 1), (0, 2), ..., (1, 2), ...`; a cosine with a vector that is 0 or not finite is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Cosine of the meta-gradients of each pair of tasks. Negative: they are in conflict (Yu et al. 2020).
    pub cosines: Vec<f64>,
    /// What needs an inner loop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub inner: Option<InnerObservation>,
}

/// What the inner loop does to the same tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InnerObservation {
    /// Cosine of a task's support and query gradient at theta, for each task: what MAML, its first-order form and Reptile
    /// all raise (Nichol et al. 2018, section 5).
    pub within_task: Vec<f64>,
    /// Cosine of `phi_K - theta` of each pair of tasks: coherence of the adaptation trajectories (Guiroy et al. 2019).
    pub coherence: Vec<f64>,
    /// MAML's meta-gradient over these tasks against its first-order form.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bias: Option<FirstOrderBias>,
    /// The same in each layer ([`metastable_models::Layout::layers`]); absent where the exact gradient is 0.
    pub layers: Vec<Option<FirstOrderBias>>,
}

/// What dropping the Hessians does to a meta-gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstOrderBias {
    /// `cos(g_MAML, g_FOMAML)`.
    pub cosine: f64,
    /// `|g_MAML - g_FOMAML| / |g_MAML|`.
    pub difference: f64,
}

impl Observation {
    /// Looks at the tasks from index `first` on, whose meta-gradients at `theta` are known; none if there is nothing to
    /// see: neither two tasks nor an inner loop.
    ///
    /// # Errors
    /// Those of the learner and of the source.
    pub(super) fn make<T: Real>(
        network: &dyn Network<T>,
        learner: &dyn Learner<T>,
        theta: &Params<T>,
        tasks: &TaskSource<'_, T>,
        first: u64,
        gradients: &[MetaGradient<T>],
    ) -> Result<Option<Self>, AlgorithmError> {
        let n_tasks = gradients.len().min(OBSERVED_TASKS);
        let indices = first..first + n_tasks as u64;
        let anatomies = anatomies(network, learner, theta, tasks, indices)?;
        let gradients: Vec<&Params<T>> = gradients[..n_tasks]
            .iter()
            .map(|task| &task.gradient)
            .collect();
        let observation = Self {
            cosines: pairwise(&gradients),
            inner: anatomies.map(|anatomies| InnerObservation::of(theta, &anatomies)),
        };
        let is_empty = observation.cosines.is_empty() && observation.inner.is_none();
        Ok((!is_empty).then_some(observation))
    }
}

impl InnerObservation {
    fn of<T: Real>(theta: &Params<T>, tasks: &[Anatomy<T>]) -> Self {
        let sum = |of: fn(&Anatomy<T>) -> &Params<T>| {
            let mut sum = Params::zeros(theta.layout());
            for task in tasks {
                sum.add(T::ONE, of(task));
            }
            sum
        };
        let exact = sum(|task| &task.exact);
        let first_order = sum(|task| &task.first_order);
        let bias = |range: Range<usize>| {
            FirstOrderBias::of(&exact.values()[range.clone()], &first_order.values()[range])
        };
        let displacements: Vec<&Params<T>> = tasks.iter().map(|task| &task.displacement).collect();
        Self {
            within_task: tasks
                .iter()
                .filter_map(|task| cosine(task.support.values(), task.query.values()))
                .collect(),
            coherence: pairwise(&displacements),
            bias: bias(0..theta.values().len()),
            layers: theta
                .layout()
                .layers()
                .into_iter()
                .map(|(_, range)| bias(range))
                .collect(),
        }
    }
}

impl FirstOrderBias {
    /// At theta, over the first [`OBSERVED_TASKS`] tasks of a source; none for a learner without an inner loop, or where one of the
    /// two meta-gradients is 0 or not finite.
    ///
    /// # Errors
    /// Those of the learner and of the source.
    pub fn at<T: Real>(
        network: &dyn Network<T>,
        learner: &dyn Learner<T>,
        theta: &Params<T>,
        tasks: &TaskSource<'_, T>,
    ) -> Result<Option<Self>, AlgorithmError> {
        let found = anatomies(network, learner, theta, tasks, 0..OBSERVED_TASKS as u64)?;
        Ok(found.and_then(|tasks| InnerObservation::of(theta, &tasks).bias))
    }

    /// None where one of the two is 0 or not finite.
    fn of<T: Real>(exact: &[T], first_order: &[T]) -> Option<Self> {
        Some(Self {
            cosine: cosine(exact, first_order)?,
            difference: (T::squared_distance(exact, first_order) / T::dot(exact, exact)).sqrt(),
        })
    }
}

/// Of these tasks, in order; none for a learner without an inner loop, or without its adjoint.
fn anatomies<T: Real>(
    network: &dyn Network<T>,
    learner: &dyn Learner<T>,
    theta: &Params<T>,
    tasks: &TaskSource<'_, T>,
    indices: Range<u64>,
) -> Result<Option<Vec<Anatomy<T>>>, AlgorithmError> {
    let Some(inner) = learner.inner_loop() else {
        return Ok(None);
    };
    let found = indices
        .into_par_iter()
        .map(|index| inner.anatomy(&Context::training(network, &tasks(index)?), theta))
        .collect::<Result<Vec<Option<Anatomy<T>>>, AlgorithmError>>()?;
    Ok(found.into_iter().collect())
}

/// Cosines of all pairs that have one.
fn pairwise<T: Real>(vectors: &[&Params<T>]) -> Vec<f64> {
    let pairs: Vec<(usize, usize)> = (0..vectors.len())
        .flat_map(|s| (s + 1..vectors.len()).map(move |t| (s, t)))
        .collect();
    pairs
        .into_par_iter()
        .filter_map(|(s, t)| cosine(vectors[s].values(), vectors[t].values()))
        .collect()
}

/// `a . b / (|a| |b|)`; none where a vector is 0 or not finite.
fn cosine<T: Real>(a: &[T], b: &[T]) -> Option<f64> {
    let scale = (T::dot(a, a) * T::dot(b, b)).sqrt();
    let cosine = T::dot(a, b) / scale;
    // Rounding may leave a little more than 1.
    cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
}
