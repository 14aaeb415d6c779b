//! What a learner is asked about: one task, seen through one network.

use metastable_models::{Loss, Network, Objective, Params, Pass, Real, Statistics, Tape};

use crate::{AlgorithmError, Result, Task};

/// One task, seen through one network. Parameters are no part of it: they change along the inner loop.
#[derive(Clone, Copy)]
pub struct Context<'a, T> {
    /// The network.
    pub network: &'a dyn Network<T>,
    /// Where its normalisation takes statistics from.
    pub statistics: Statistics<'a, T>,
    /// The task.
    pub task: &'a Task<T>,
}

/// Images of a pass, and which of them a loss judges.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'b, T> {
    /// `(n_images, pixels of an image)`, row-major.
    pub images: &'b [T],
    /// Labels of the judged images: all of them under a cross-entropy, all but the supports under a metric loss.
    pub labels: &'b [usize],
}

impl<'a, T: Real> Context<'a, T> {
    /// With batch statistics, as always in training.
    pub fn training(network: &'a dyn Network<T>, task: &'a Task<T>) -> Self {
        Self {
            network,
            statistics: Statistics::Batch,
            task,
        }
    }

    /// The same network on another task.
    #[must_use]
    pub fn of<'b>(&self, task: &'b Task<T>) -> Context<'b, T>
    where
        'a: 'b,
    {
        Context { task, ..*self }
    }

    /// The same task before the network with a head for its number of classes.
    ///
    /// # Errors
    /// Those of [`Network::with_head`].
    pub(crate) fn headed(&self) -> Result<Self> {
        let network = self.network.with_head(self.task.shape().n_way)?;
        Ok(Self { network, ..*self })
    }

    /// The same with a head that reads directions.
    ///
    /// # Errors
    /// Those of [`Network::with_unit_head`].
    pub(crate) fn unit_headed(&self) -> Result<Self> {
        let network = self.network.with_unit_head(self.task.shape().n_way)?;
        Ok(Self { network, ..*self })
    }

    /// Features of the supports at theta, `(n, width)`, of a network without a head.
    pub(crate) fn support_features(&self, theta: &Params<T>) -> Result<Vec<f64>> {
        self.features(theta, self.task.support_images())
    }

    /// Features of these images in one pass.
    pub(crate) fn features(&self, theta: &Params<T>, images: &[T]) -> Result<Vec<f64>> {
        let pass = Pass {
            inner_step: 0,
            statistics: self.statistics,
        };
        let features = self.network.outputs(theta, images, pass)?;
        Ok(features.iter().map(|value| value.wide()).collect())
    }

    /// One pass through network and loss at `phi`, `inner_step` steps into the inner loop, kept for derivatives.
    ///
    /// # Errors
    /// Those of the network; [`AlgorithmError::NoClasses`] for a loss of labels on a task of numbers, [`AlgorithmError::Setting`] for the
    /// opposite.
    pub fn record(
        &self,
        loss: Loss,
        phi: &Params<T>,
        batch: Batch<'_, T>,
        inner_step: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let n_way = self.task.shape().n_way;
        self.record_as(loss, phi, batch, inner_step, n_way)
    }

    /// The same among another number of classes than the task has.
    pub(crate) fn record_as(
        &self,
        loss: Loss,
        phi: &Params<T>,
        batch: Batch<'_, T>,
        inner_step: usize,
        n_way: usize,
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        let values = match (self.task.values(batch.labels), loss.is_of_values()) {
            (Some(values), true) => Some(values),
            (None, false) => None,
            (Some(_), false) => {
                let what = "a loss of labels";
                return Err(AlgorithmError::NoClasses { what });
            }
            (None, true) => {
                return Err(AlgorithmError::Setting {
                    setting: "loss",
                    got: format!("{loss:?}"),
                    advice: "the task has classes; take its own loss (`Task::head_loss`)",
                });
            }
        };
        let (supports, labels) = match values {
            Some(_) => (&[][..], &[][..]),
            None => (self.task.support_labels(), batch.labels),
        };
        let objective = Objective {
            loss,
            n_way,
            supports,
            labels,
            values: values.as_deref().unwrap_or_default(),
        };
        let pass = Pass {
            inner_step,
            statistics: self.statistics,
        };
        Ok(self.network.record(phi, batch.images, pass, objective)?)
    }
}
