//! The seam: what a learner asks of a network.
//!
//! A learner *records* one pass of a batch through the network and a loss, and then asks the tape for the gradient and
//! for products with the Hessian at that point. Nothing above knows whether the fused CPU kernels ([`crate::fused`]) or
//! a candle graph (`crate::graph`) answer; each is the other's test.

use std::sync::Arc;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Form, Layout, ModelError, Objective, Params, Real};

/// How a network normalises its hidden activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Norm {
    /// Batch normalisation by the statistics of the present batch, in training and in test (transductive: the queries
    /// of an episode are normalised together). What the original MAML and Prototypical Networks codes do.
    Batch,
    /// Batch statistics in training; running averages of them in test (inductive).
    Running,
    /// Batch statistics, with a scale and shift of their own for every inner step (Antoniou et al. 2019, BNWB, as their
    /// public code computes it: the statistics themselves are the batch's at every step). Steps past the last use it.
    PerStep {
        /// Inner steps that have a scale and shift of their own; the pass after the last inner step is one of them.
        n_steps: usize,
    },
    /// No normalisation; convolutions and linear layers have a bias instead.
    None,
}

/// Which statistics normalise this pass.
#[derive(Clone, Copy, Debug)]
pub enum Statistics<'a, T> {
    /// Those of the batch.
    Batch,
    /// Stored running averages (layout: [`Network::buffers`]); constants for the derivatives.
    Stored(&'a Params<T>),
}

/// Circumstances of a pass that are neither parameters nor images.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a, T> {
    /// Inner steps taken so far; selects the scale and shift of [`Norm::PerStep`].
    pub inner_step: usize,
    /// Which statistics normalise.
    pub statistics: Statistics<'a, T>,
}

impl<T> Pass<'_, T> {
    /// Batch statistics, `inner_step` steps into the inner loop.
    #[must_use]
    pub fn batch(inner_step: usize) -> Self {
        Self {
            inner_step,
            statistics: Statistics::Batch,
        }
    }
}

/// A function of (parameters, images), with its first two derivatives.
pub trait Network<T: Real>: Send + Sync {
    /// What was built.
    fn config(&self) -> &NetworkConfig;

    /// Names and shapes of the parameters.
    fn layout(&self) -> &Arc<Layout>;

    /// Names and shapes of what is stored but not learnt (running statistics); empty but for [`Norm::Running`].
    fn buffers(&self) -> &Arc<Layout>;

    /// Length of an output row: classes with a head, features without.
    fn n_outputs(&self) -> usize;

    /// Output rows of a batch, `(n_images, n_outputs)`, without keeping anything for derivatives.
    ///
    /// `images`: `(n_images, height, width, channels)`, row-major.
    ///
    /// # Errors
    /// [`ModelError`] if the lengths of `images` or `params` do not fit the network.
    fn outputs(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError>;

    /// One pass through network and loss, kept for derivatives.
    ///
    /// # Errors
    /// [`ModelError`] if lengths, labels or the objective do not fit the network.
    fn record(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError>;

    /// The same network with a linear head of `n_outputs` in place of its own, or of none. Parameters before the head are the same,
    /// and lie at the same places of the layout.
    ///
    /// # Errors
    /// [`ModelError::Config`] for a network that knows no other head than its own.
    fn with_head(&self, n_outputs: usize) -> Result<&dyn Network<T>, ModelError> {
        Err(ModelError::Config {
            what: "network.n_way",
            got: n_outputs.to_string(),
            advice: "this network has one head; build it by its name (`build`) for heads that follow the task"
                .to_owned(),
        })
    }

    /// The same with a head that reads directions: it divides features less a centre by their length ([`crate::HeadForm::Unit`]).
    ///
    /// # Errors
    /// As for [`Self::with_head`].
    fn with_unit_head(&self, n_outputs: usize) -> Result<&dyn Network<T>, ModelError> {
        Err(ModelError::Config {
            what: "network.n_way",
            got: n_outputs.to_string(),
            advice:
                "this network has one head; build it by its name (`build`) for heads that follow the task"
                    .to_owned(),
        })
    }
}

/// One recorded pass: `L(theta)` at a point, its gradient, and its Hessian's products.
///
/// Non-finite values pass through as they are: divergence is for the learner to report.
pub trait Tape<T: Real>: Send {
    /// The loss: in nats, or in the unit that [`crate::Loss`] says.
    fn loss(&self) -> T;

    /// Natural log-probabilities of the judged rows, `(n_judged, n_way)`; empty where outputs are no logits.
    fn log_probabilities(&self) -> &[T];

    /// Output rows of the whole batch, `(n_rows, n_outputs)`.
    fn outputs(&self) -> &[T];

    /// Mean and (unbiased) variance of the batch at every normalisation, in the layout of [`Network::buffers`]; empty
    /// but for [`Norm::Running`], zeros where stored statistics normalised.
    fn statistics(&self) -> Params<T>;

    /// What the hidden units of each block did in this pass, first block to last; empty for a network without blocks, or
    /// one that does not tell.
    ///
    /// # Errors
    /// [`ModelError`] of the portable path.
    fn units(&self) -> Result<Vec<Units<T>>, ModelError> {
        Ok(Vec::new())
    }

    /// `dL/dtheta`.
    ///
    /// # Errors
    /// [`ModelError`] of the portable path; the fused path cannot fail here.
    fn gradient(&mut self) -> Result<Params<T>, ModelError>;

    /// `(d^2 L/dtheta^2) v`, exact.
    ///
    /// # Errors
    /// [`ModelError::SecondOrderUnavailable`] on the portable path when candle detaches gradients.
    fn hessian_product(&mut self, v: &Params<T>) -> Result<Params<T>, ModelError>;
}

/// The hidden units (filters) of one block in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Units<T> {
    /// Whether the block's output is above zero at any place of any image, `(width)`; a NaN counts as that.
    pub active: Vec<bool>,
    /// Mean over images and places of what was normalised by the statistics of this batch, `(width)`; empty if nothing was.
    pub mean: Vec<T>,
    /// Its unbiased variance, `(width)`; empty likewise.
    pub variance: Vec<T>,
}

/// Size of the images a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 for greyscale.
    pub channels: usize,
}

/// Everything that determines a network but its weights.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Name in [`crate::NETWORKS`]: `conv4`, `conv4-strided`, `mlp`; any name with a form of its own.
    pub name: String,
    /// Form of a network that another crate has named; absent for those of [`crate::NETWORKS`]. Written with the
    /// configuration, so that a checkpoint says what it is of, whoever reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
    /// Size of the images.
    pub image: ImageShape,
    /// Blocks (convolutional) or hidden layers.
    pub n_blocks: usize,
    /// Filters of each convolution, or units of each hidden layer.
    pub width: usize,
    /// Normalisation.
    pub norm: Norm,
    /// Outputs of a linear head; no head (outputs are the features) if absent.
    pub n_way: Option<usize>,
}

impl NetworkConfig {
    /// Number of classes that the network is bound to: none without a head, and none with a head of one row, which is copied for
    /// each class of a task.
    #[must_use]
    pub fn fixed_way(&self) -> Option<usize> {
        self.n_way.filter(|n_way| *n_way > 1)
    }
}

/// Draws the initial weights of a network; object-safe, so that a registry can hold it.
pub(crate) type DynRng<'a> = &'a mut dyn Rng;
