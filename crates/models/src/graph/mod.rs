//! The portable backend: plain candle operations on any device, derivatives by candle's backward pass.
//!
//! Only operations whose second derivative is right in candle 0.11.1 are used (the list is in `docs/kernels.md`); the
//! derivative battery of [`crate::check`] watches over that. One pass is one graph: its first backward keeps the graph of
//! the gradient, and each Hessian product is a second backward through it.
//!
//! It is slow on the CPU, where the fused backend is the default, and is there for accelerators and as the test of the
//! fused derivatives. Start at [`GraphNetwork`]; `layers.rs`, `losses.rs` and `value_losses.rs` are the arithmetic, `tape.rs` the
//! derivatives.

mod layers;
mod losses;
mod tape;
mod value_losses;

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use crate::architecture::{Architecture, Block, n_values};
use crate::registry::{BlockKind, Readout};
use crate::{
    DeviceSpec, Layout, ModelError, Network, NetworkConfig, Objective, Params, Pass, Real,
    Statistics, Tape,
};

pub use tape::second_order_available;

/// Gives an error of candle the operation it happened in.
trait During<R> {
    fn during(self, during: &'static str) -> Result<R, ModelError>;
}

impl<R> During<R> for candle_core::Result<R> {
    fn during(self, during: &'static str) -> Result<R, ModelError> {
        self.map_err(|source| ModelError::Candle { during, source })
    }
}

/// A network as a candle graph on one device.
#[derive(Clone, Debug)]
pub struct GraphNetwork {
    architecture: Architecture,
    device: Device,
}

/// What a forward pass leaves behind besides the outputs.
struct Forward {
    /// `(n_images, n_outputs)`.
    outputs: Tensor,
    /// Every block.
    blocks: Vec<BlockForward>,
}

/// What a block leaves behind, constants for the derivatives.
struct BlockForward {
    /// After ReLU and pooling.
    output: Tensor,
    /// Mean and biased variance where the batch normalised itself, and over how many values.
    moments: Option<(Tensor, Tensor, usize)>,
    /// Whether its units can be off.
    rectifies: bool,
}

impl GraphNetwork {
    /// Puts a network on a device.
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device is not there.
    pub fn new(architecture: Architecture, device: DeviceSpec) -> Result<Self, ModelError> {
        Ok(Self {
            architecture,
            device: device.open()?,
        })
    }

    /// The structure this was built from.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Images as candle wants them: `(n_images, channels, height, width)`.
    fn upload_images<T: Real>(&self, images: &[T], n_images: usize) -> candle_core::Result<Tensor> {
        let shape = self.architecture.config().image;
        let dims = (n_images, shape.height, shape.width, shape.channels);
        Tensor::from_slice(images, dims, &self.device)?
            .permute((0, 3, 1, 2))?
            .contiguous()
    }

    /// A flat vector on the device.
    fn upload<T: Real>(&self, values: &[T]) -> candle_core::Result<Tensor> {
        Tensor::from_slice(values, values.len(), &self.device)
    }

    /// The whole network on a flat vector of parameters.
    fn forward<T: Real>(
        &self,
        theta: &Tensor,
        images: &Tensor,
        pass: Pass<'_, T>,
    ) -> candle_core::Result<Forward> {
        let architecture = &self.architecture;
        let mut blocks = Vec::new();
        let mut x = images.clone();
        for block in architecture.blocks() {
            let hidden = op(block, theta, &x)?;
            let mut moments = None;
            let normalised = match &block.norm {
                None => hidden,
                Some(slots) => {
                    let (weight, bias) = architecture.norm_rows(slots, pass.inner_step);
                    let (mean, variance) = match (pass.statistics, &slots.running) {
                        (Statistics::Stored(stored), Some((mean, variance))) => (
                            self.upload(&stored.values()[mean.clone()])?,
                            self.upload(&stored.values()[variance.clone()])?,
                        ),
                        _ => {
                            let (mean, variance) = layers::moments(&hidden)?;
                            let n_values = hidden.elem_count() / mean.elem_count();
                            moments = Some((mean.detach(), variance.detach(), n_values));
                            (mean, variance)
                        }
                    };
                    layers::norm(
                        &hidden,
                        &mean,
                        &variance,
                        &layers::slice(theta, &weight)?,
                        &layers::slice(theta, &bias)?,
                    )?
                }
            };
            x = match block.kind {
                BlockKind::LinearTanh => normalised.tanh()?,
                BlockKind::ConvPool | BlockKind::ConvStrided | BlockKind::Linear => {
                    layers::relu(&normalised)?
                }
            };
            if block.kind == BlockKind::ConvPool {
                x = layers::max_pool(&x)?;
            }
            blocks.push(BlockForward {
                output: x.detach(),
                moments,
                rectifies: block.kind != BlockKind::LinearTanh,
            });
        }
        let features = match architecture.readout() {
            Readout::Flatten => x.flatten_from(1)?,
            Readout::SpatialMean => x.mean((2, 3))?,
        };
        let outputs = match architecture.head() {
            None => features,
            Some(head) => {
                let shape = (head.bias.len(), architecture.n_features());
                let weight = layers::slice(theta, &head.weight)?.reshape(shape)?;
                let features = match &head.centre {
                    None => features,
                    Some(centre) => layers::directions(&features, &layers::slice(theta, centre)?)?,
                };
                layers::linear(&features, &weight, Some(&layers::slice(theta, &head.bias)?))?
            }
        };
        Ok(Forward { outputs, blocks })
    }
}

/// The convolution or linear map of a block.
fn op(block: &Block, theta: &Tensor, x: &Tensor) -> candle_core::Result<Tensor> {
    let weight = layers::slice(theta, &block.weight)?;
    let bias = block
        .bias
        .as_ref()
        .map(|range| layers::slice(theta, range))
        .transpose()?;
    let (n_in, n_out) = (block.input.channels, block.hidden.channels);
    match block.kind {
        BlockKind::Linear | BlockKind::LinearTanh => {
            let flat = x.flatten_from(1)?;
            debug_assert_eq!(flat.dim(1)?, n_values(block.input));
            layers::linear(&flat, &weight.reshape((n_out, n_in))?, bias.as_ref())
        }
        BlockKind::ConvPool | BlockKind::ConvStrided => {
            let stride = if block.kind == BlockKind::ConvPool {
                1
            } else {
                2
            };
            let weight = weight.reshape((n_out, n_in, 3, 3))?;
            layers::conv(x, &weight, bias.as_ref(), stride)
        }
    }
}

impl<T: Real> Network<T> for GraphNetwork {
    fn config(&self) -> &NetworkConfig {
        self.architecture.config()
    }

    fn layout(&self) -> &Arc<Layout> {
        self.architecture.layout()
    }

    fn buffers(&self) -> &Arc<Layout> {
        self.architecture.buffers()
    }

    fn n_outputs(&self) -> usize {
        self.architecture.n_outputs()
    }

    fn outputs(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError> {
        let n_images = self.architecture.check_pass(params, images, pass)?;
        let run = || {
            let theta = self.upload(params.values())?;
            let images = self.upload_images(images, n_images)?;
            self.forward(&theta, &images, pass)?
                .outputs
                .flatten_all()?
                .to_vec1()
        };
        run().during("a forward pass")
    }

    fn record(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError> {
        let n_images = self.architecture.check_pass(params, images, pass)?;
        self.architecture.check_objective(&objective, n_images)?;
        let run = || {
            // A fresh variable for each pass: candle gives gradients to variables only.
            let theta = Var::from_tensor(&self.upload(params.values())?)?;
            let images = self.upload_images(images, n_images)?;
            let forward = self.forward(theta.as_tensor(), &images, pass)?;
            let (loss, log_probabilities) = value_losses::judge(&forward.outputs, &objective)?;
            tape::GraphTape::new(
                params.layout(),
                self.architecture.buffers(),
                theta,
                forward,
                &log_probabilities,
                loss,
            )
        };
        let tape = run().during("a recorded pass")?;
        Ok(Box::new(tape))
    }
}
