//! What a training is at a moment: everything that has to be kept to go on with the same bits.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use metastable_models::{Layout, Network, Params, Real, Statistics};

use super::OptimizerConfig;
use crate::AlgorithmError;

/// Parameters, and the running statistics that belong to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights<T> {
    /// Meta-parameters.
    pub theta: Params<T>,
    /// Running statistics in the layout of [`Network::buffers`]; empty but for networks that have them.
    pub buffers: Params<T>,
}

impl<T: Real> Weights<T> {
    /// Parameters with fresh running statistics: mean 0, variance 1.
    #[must_use]
    pub fn new(network: &dyn Network<T>, theta: Params<T>) -> Self {
        let layout = network.buffers();
        let mut buffers = Params::zeros(layout);
        for entry in layout.entries() {
            if entry.name.ends_with("var") {
                buffers.values_mut()[entry.offset..][..entry.len()].fill(T::ONE);
            }
        }
        Self { theta, buffers }
    }

    /// One step of an exponential moving average: after `n` steps, `self` is `sum_t d^(n-t) w_t / sum_t d^(n-t)` over the weights
    /// `w_1 .. w_n` that it followed, whatever it was before (Polyak & Juditsky 1992, section 2, with weights that forget; without a
    /// bias towards where it began). Running statistics are averaged alike.
    pub fn follow(&mut self, weights: &Self, decay: f64, n: usize) {
        // c_n = (1 - d) / (1 - d^n), which is 1 at the first step.
        #[allow(
            clippy::cast_possible_wrap,
            clippy::cast_possible_truncation,
            reason = "a number of outer steps"
        )]
        let share = (1.0 - decay) / (1.0 - decay.powi(n as i32));
        for (own, new) in [
            (&mut self.theta, &weights.theta),
            (&mut self.buffers, &weights.buffers),
        ] {
            if n == 1 {
                *own = new.clone();
                continue;
            }
            // By the gap: two rounded shares would not add up to one.
            let gap = new.plus(-T::ONE, own);
            own.add(T::of(share), &gap);
        }
    }

    /// The mean of weights, value by value; none of none.
    #[must_use]
    pub fn mean(members: &[&Self]) -> Option<Self> {
        let (first, others) = members.split_first()?;
        let mut mean = (*first).clone();
        for other in others {
            mean.theta.add(T::ONE, &other.theta);
            mean.buffers.add(T::ONE, &other.buffers);
        }
        let share = T::of(1.0 / members.len() as f64);
        mean.theta.scale(share);
        mean.buffers.scale(share);
        Some(mean)
    }

    /// What normalises at validation and test: the running statistics where there are any, else the batch's.
    #[must_use]
    pub fn statistics(&self) -> Statistics<'_, T> {
        if self.buffers.values().is_empty() {
            Statistics::Batch
        } else {
            Statistics::Stored(&self.buffers)
        }
    }
}

/// The weights of the best validation so far.
#[derive(Clone, Debug, PartialEq)]
pub struct BestWeights<T> {
    /// Outer steps made.
    pub step: usize,
    /// What the validation said ([`crate::Evaluation::score`]): the accuracy, 0 to 1, or the loss with its sign turned.
    pub score: f64,
    /// The weights.
    pub weights: Weights<T>,
}

/// A training between two outer steps.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState<T> {
    /// Outer steps made.
    pub step: usize,
    /// The weights after them.
    pub weights: Weights<T>,
    /// The optimizer's moments.
    pub moments: Vec<Params<T>>,
    /// The moving average of the weights, where the training has one ([`super::TrainConfig::ema`]) and made a step.
    pub average: Option<Weights<T>>,
    /// The best validation so far; the earliest of equals.
    pub best: Option<BestWeights<T>>,
}

impl<T: Real> TrainState<T> {
    /// The state before the first step.
    #[must_use]
    pub fn new(network: &dyn Network<T>, optimizer: &OptimizerConfig, theta: Params<T>) -> Self {
        let moments = vec![Params::zeros(theta.layout()); optimizer.n_moments()];
        Self {
            step: 0,
            weights: Weights::new(network, theta),
            moments,
            average: None,
            best: None,
        }
    }

    /// The weights that are validated and tested: the moving average, or the weights themselves.
    #[must_use]
    pub fn measured(&self) -> &Weights<T> {
        self.average.as_ref().unwrap_or(&self.weights)
    }

    /// The state as one list of named tensors (`theta/...`, `buffers/...`, `moments.0/...`, `average.theta/...`, `best.theta/...`,
    /// `best.buffers/...`) and plain metadata, for a caller that writes files.
    #[must_use]
    pub fn export(&self) -> (Params<T>, BTreeMap<String, String>) {
        let mut groups = vec![
            ("theta".to_owned(), &self.weights.theta),
            ("buffers".to_owned(), &self.weights.buffers),
        ];
        for (i, moment) in self.moments.iter().enumerate() {
            groups.push((format!("moments.{i}"), moment));
        }
        let mut metadata = BTreeMap::new();
        if let Some(average) = &self.average {
            groups.push(("average.theta".to_owned(), &average.theta));
            groups.push(("average.buffers".to_owned(), &average.buffers));
            metadata.insert(AVERAGE.to_owned(), self.step.to_string());
        }
        metadata.insert("step".to_owned(), self.step.to_string());
        if let Some(best) = &self.best {
            groups.push(("best.theta".to_owned(), &best.weights.theta));
            groups.push(("best.buffers".to_owned(), &best.weights.buffers));
            metadata.insert("best.step".to_owned(), best.step.to_string());
            // Rust prints the shortest decimal that reads back as the same bits.
            metadata.insert("best.score".to_owned(), best.score.to_string());
        }
        let mut layout = Layout::default();
        let mut values = Vec::new();
        for (prefix, params) in groups {
            for entry in params.layout().entries() {
                layout.push(format!("{prefix}/{}", entry.name), &entry.shape);
            }
            values.extend_from_slice(params.values());
        }
        (Params::from_values(&Arc::new(layout), values), metadata)
    }

    /// The state that [`Self::export`] gave, whatever the order of the tensors and whatever else the metadata holds.
    ///
    /// # Errors
    /// [`AlgorithmError::State`] with the tensor or key that is missing or does not fit.
    pub fn import(
        network: &dyn Network<T>,
        optimizer: &OptimizerConfig,
        tensors: &Params<T>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, AlgorithmError> {
        let weights = |prefix: &str| {
            Ok::<_, AlgorithmError>(Weights {
                theta: group(tensors, &format!("{prefix}theta"), network.layout())?,
                buffers: group(tensors, &format!("{prefix}buffers"), network.buffers())?,
            })
        };
        let moments = (0..optimizer.n_moments())
            .map(|i| group(tensors, &format!("moments.{i}"), network.layout()))
            .collect::<Result<_, _>>()?;
        let best = if metadata.contains_key("best.step") {
            Some(BestWeights {
                step: read(metadata, "best.step")?,
                score: read(metadata, "best.score")?,
                weights: weights("best.")?,
            })
        } else {
            None
        };
        Ok(Self {
            step: read(metadata, "step")?,
            weights: weights("")?,
            moments,
            average: match metadata.contains_key(AVERAGE) {
                true => Some(weights("average.")?),
                false => None,
            },
            best,
        })
    }
}

/// Metadata key of the steps that a moving average followed.
const AVERAGE: &str = "average.step";

/// The tensors of one layout out of the exported list.
fn group<T: Real>(
    tensors: &Params<T>,
    prefix: &str,
    layout: &Arc<Layout>,
) -> Result<Params<T>, AlgorithmError> {
    let mut params = Params::zeros(layout);
    for entry in layout.entries() {
        let name = format!("{prefix}/{}", entry.name);
        let state_error = |problem| AlgorithmError::State {
            what: format!("tensor {name}"),
            problem,
        };
        let stored = tensors
            .layout()
            .find(&name)
            .ok_or_else(|| state_error("is missing".to_owned()))?;
        if stored.shape != entry.shape {
            let problem = format!(
                "has shape {:?} where {:?} is expected",
                stored.shape, entry.shape
            );
            return Err(state_error(problem));
        }
        let values = &tensors.values()[stored.offset..][..stored.len()];
        params.values_mut()[entry.offset..][..entry.len()].copy_from_slice(values);
    }
    Ok(params)
}

fn read<V: FromStr>(metadata: &BTreeMap<String, String>, key: &str) -> Result<V, AlgorithmError> {
    let problem = match metadata.get(key).map(|text| (text, text.parse())) {
        Some((_, Ok(value))) => return Ok(value),
        Some((text, Err(_))) => format!("is `{text}`, which is no number"),
        None => "is missing".to_owned(),
    };
    Err(AlgorithmError::State {
        what: format!("metadata key {key}"),
        problem,
    })
}
