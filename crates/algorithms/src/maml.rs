//! Model-agnostic meta-learning with the exact meta-gradient.
//!
//! Finn, Abbeel & Levine 2017, "Model-agnostic meta-learning for fast adaptation of deep networks", ICML,
//! arXiv 1703.03400, algorithm 2.
//!
//! Differs from the paper: it writes one inner step; here are any number, each on the whole support set.

use metastable_models::{Loss, Network, Objective, Params, Pass, Real, Statistics, Tape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::require;
use crate::inner::InnerLoop;
use crate::learner::{n_correct, predict_each};
use crate::registry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::{
    AlgorithmError, Anatomy, Curve, Differentiable, Learner, MetaGradient, NonFinite, Prediction,
    Task, Trajectory,
};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "maml",
    summary: "MAML, exact second-order meta-gradient",
    citation: "Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400",
    head: Head::Linear,
    complete,
    build,
};

/// Whether the meta-gradient contains the Hessians of the support loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GradientOrder {
    /// They are dropped: `d phi_K / d theta` is taken for the identity (FOMAML).
    First,
    /// Exact.
    Second,
}

/// Settings of MAML as a user writes them, unchecked. The defaults are those of the authors' code for 5-way Omniglot,
/// but for the steps at test (3 there).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MamlConfig {
    /// Step size of the inner loop, alpha.
    pub inner_lr: f64,
    /// Inner steps in training, K.
    pub inner_steps: usize,
    /// Inner steps at test and validation; as in training if absent.
    pub test_inner_steps: Option<usize>,
    /// What the inner loop keeps for the meta-gradient; memory against time, the same bits.
    pub trajectory: Trajectory,
}

impl Default for MamlConfig {
    fn default() -> Self {
        Self {
            inner_lr: 0.4,
            inner_steps: 1,
            test_inner_steps: None,
            trajectory: Trajectory::Auto,
        }
    }
}

impl MamlConfig {
    /// The learner with these settings.
    ///
    /// # Errors
    /// [`AlgorithmError::Setting`] unless `inner_lr` is finite and not negative.
    pub fn validate(&self, order: GradientOrder) -> Result<Maml, AlgorithmError> {
        require(
            self.inner_lr.is_finite() && 0.0 <= self.inner_lr,
            "inner_lr",
            self.inner_lr,
            "the inner step size has to be finite and not negative, e.g. 0.4",
        )?;
        Ok(Maml {
            inner_lr: self.inner_lr,
            inner_steps: self.inner_steps,
            test_inner_steps: self.test_inner_steps.unwrap_or(self.inner_steps),
            trajectory: self.trajectory,
            order,
        })
    }
}

/// MAML with checked settings. The network has a head with `n_way` outputs.
#[derive(Clone, Debug)]
pub struct Maml {
    inner_lr: f64,
    inner_steps: usize,
    test_inner_steps: usize,
    trajectory: Trajectory,
    order: GradientOrder,
}

impl<T: Real> Differentiable<T> for Maml {
    fn displaced_loss(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T, AlgorithmError> {
        let inner = self.inner_loop(network, Statistics::Batch, task, self.inner_steps)?;
        let phi = match self.order {
            GradientOrder::First => inner.adapt(theta)?.phi.plus(step, direction),
            GradientOrder::Second => inner.adapt(&theta.plus(step, direction))?.phi,
        };
        Ok(inner.query(&phi, self.inner_steps)?.loss())
    }
}

impl<T: Real> Learner<T> for Maml {
    /// `d L_Q(phi_K) / d theta` with `phi_0 = theta`, `phi_{k+1} = phi_k - alpha grad L_S(phi_k)`.
    fn meta_gradient(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
    ) -> Result<MetaGradient<T>, AlgorithmError> {
        let inner = self.inner_loop(network, Statistics::Batch, task, self.inner_steps)?;
        // phi_{k+1} = phi_k - alpha grad L_S(phi_k)
        let mut descent = match self.order {
            GradientOrder::First => inner.adapt(theta)?,
            GradientOrder::Second => inner.adapt_for_adjoint(theta, self.trajectory)?,
        };
        // v = grad L_Q(phi_K)
        let mut query = inner.query(&descent.phi, self.inner_steps)?;
        let v = query.gradient()?;
        let query_loss = query.loss();
        let n_correct = n_correct(
            query.log_probabilities(),
            task.shape().n_way,
            task.query_labels(),
        );
        let statistics = query.statistics();
        drop(query);
        let mut non_finite = descent.non_finite.take();
        if non_finite.is_none() && !query_loss.is_finite() {
            non_finite = Some(NonFinite::QueryLoss);
        }
        // v <- v - alpha H_S(phi_k) v,  k = K-1 .. 0
        let gradient = inner.pull_back(descent, v)?;
        Ok(MetaGradient {
            query_loss,
            n_correct,
            n_queries: task.query_labels().len(),
            gradient,
            statistics,
            non_finite,
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
        let inner = self.inner_loop(network, statistics, task, self.test_inner_steps)?;
        let phi = inner.adapt(theta)?.phi;
        let query = inner.query(&phi, self.test_inner_steps)?;
        Ok(Prediction {
            log_probabilities: query.log_probabilities().to_vec(),
            n_way: task.shape().n_way,
            query_loss: query.loss(),
        })
    }

    fn inner_steps(&self) -> Option<usize> {
        Some(self.inner_steps)
    }

    fn curve(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
        n_steps: usize,
    ) -> Result<Option<Curve>, AlgorithmError> {
        let inner = self.inner_loop(network, statistics, task, n_steps)?;
        Ok(Some(inner.curve(theta)?))
    }

    fn adapt(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Params<T>, AlgorithmError> {
        let inner = self.inner_loop(network, statistics, task, self.test_inner_steps)?;
        Ok(inner.adapt(theta)?.phi)
    }

    fn support_loss<'a>(
        &self,
        network: &'a dyn Network<T>,
        phi: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
        inner_step: usize,
    ) -> Result<Option<Box<dyn Tape<T> + 'a>>, AlgorithmError> {
        let judged = Judged {
            images: task.support_images(),
            labels: task.support_labels(),
            inner_step,
        };
        Ok(Some(judged.record(network, phi, statistics, task)?))
    }

    fn query_loss<'a>(
        &self,
        network: &'a dyn Network<T>,
        phi: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let judged = Judged {
            images: task.query_images(),
            labels,
            inner_step: self.test_inner_steps,
        };
        judged.record(network, phi, statistics, task)
    }

    fn anatomy(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        task: &Task<T>,
    ) -> Result<Option<Anatomy<T>>, AlgorithmError> {
        let inner = self.inner_loop(network, Statistics::Batch, task, self.inner_steps)?;
        let descent = inner.adapt_for_adjoint(theta, self.trajectory)?;
        let displacement = descent.phi.plus(T::of(-1.0), theta);
        let first_order = inner.query(&descent.phi, self.inner_steps)?.gradient()?;
        Ok(Some(Anatomy {
            support: inner.support(theta, 0)?.gradient()?,
            query: inner.query(theta, 0)?.gradient()?,
            displacement,
            exact: inner.pull_back(descent, first_order.clone())?,
            first_order,
        }))
    }

    fn predict_alone(
        &self,
        network: &dyn Network<T>,
        theta: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Prediction<T>, AlgorithmError> {
        let phi = Learner::<T>::adapt(self, network, theta, statistics, task)?;
        let n_way = task.shape().n_way;
        predict_each(task, |single| {
            // Supports and the one query, all judged; the query's row is the last.
            let labels = [single.support_labels(), &[0]].concat();
            let judged = Judged {
                images: single.images(),
                labels: &labels,
                inner_step: self.test_inner_steps,
            };
            let tape = judged.record(network, &phi, statistics, task)?;
            let rows = tape.log_probabilities();
            Ok(rows[rows.len() - n_way..].to_vec())
        })
    }
}

/// Images under the cross-entropy of the head, at one point of the inner loop.
struct Judged<'t, T> {
    images: &'t [T],
    labels: &'t [usize],
    inner_step: usize,
}

impl<T: Real> Judged<'_, T> {
    fn record<'a>(
        &self,
        network: &'a dyn Network<T>,
        phi: &Params<T>,
        statistics: Statistics<'_, T>,
        task: &Task<T>,
    ) -> Result<Box<dyn Tape<T> + 'a>, AlgorithmError> {
        let objective = Objective {
            loss: Loss::CrossEntropy,
            n_way: task.shape().n_way,
            supports: task.support_labels(),
            labels: self.labels,
        };
        let pass = Pass {
            inner_step: self.inner_step,
            statistics,
        };
        Ok(network.record(phi, self.images, pass, objective)?)
    }
}

impl Maml {
    fn inner_loop<'a, T: Real>(
        &self,
        network: &'a dyn Network<T>,
        statistics: Statistics<'a, T>,
        task: &'a Task<T>,
        n_steps: usize,
    ) -> Result<InnerLoop<'a, T>, AlgorithmError> {
        let inner = InnerLoop {
            network,
            task,
            statistics,
            inner_lr: T::of(self.inner_lr),
            n_steps,
        };
        inner.check()?;
        Ok(inner)
    }
}

/// The settings with every default filled in.
pub(crate) fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    let mut config: MamlConfig = parse(settings)?;
    config.test_inner_steps.get_or_insert(config.inner_steps);
    serde_json::to_value(config)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let config: MamlConfig = parse_for(ENTRY.name, settings)?;
    Ok(Box::new(config.validate(GradientOrder::Second)?))
}
