//! Derivatives of a recorded pass by candle's backward: the only call sites of `backward`.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::{BlockForward, During, Forward};
use crate::{Layout, ModelError, Params, Real, Tape, Units};

thread_local! {
    /// What the canary found on this thread. candle reads its environment variable once per thread, so once is enough.
    static SECOND_ORDER: bool = canary().unwrap_or(false);
}

/// Whether candle's second derivatives are right on this thread.
///
/// candle detaches gradients from the graph unless `CANDLE_GRAD_DO_NOT_DETACH` is set before a thread's first backward,
/// and a second derivative is then *wrong* without an error. This asks candle for one and looks:
/// `d^2(x^3)/dx^2 = 6 x`, 12 at 2; detached, candle says 8.
#[must_use]
pub fn second_order_available() -> bool {
    SECOND_ORDER.with(|available| *available)
}

fn canary() -> candle_core::Result<bool> {
    let x = Var::from_slice(&[2.0_f64], 1, &Device::Cpu)?;
    let cube = ((x.as_tensor() * x.as_tensor())? * x.as_tensor())?;
    let second = match cube.sum_all()?.backward()?.get(&x) {
        Some(first) => first.sum_all()?.backward()?.get(&x).cloned(),
        None => None,
    };
    match second {
        Some(second) => Ok((second.to_vec1::<f64>()?[0] - 12.0).abs() < 1e-9),
        None => Ok(false),
    }
}

/// A pass as a candle graph from one flat variable to the loss.
pub(super) struct GraphTape<T> {
    layout: Arc<Layout>,
    theta: Var,
    loss: Tensor,
    /// The gradient with the graph that made it, and whether that graph is whole.
    gradient: Option<(Tensor, bool)>,
    loss_value: T,
    log_probabilities: Vec<T>,
    outputs: Vec<T>,
    blocks: Vec<BlockForward>,
    statistics: Params<T>,
}

impl<T: Real> GraphTape<T> {
    pub(super) fn new(
        layout: &Arc<Layout>,
        buffers: &Arc<Layout>,
        theta: Var,
        forward: Forward,
        log_probabilities: &Tensor,
        loss: Tensor,
    ) -> candle_core::Result<Self> {
        let mut values = Vec::with_capacity(buffers.n_values());
        if buffers.n_values() > 0 {
            for block in &forward.blocks {
                values.extend(block.moments::<T>()?.into_iter().flatten());
            }
        }
        let statistics = match values.is_empty() {
            true => Params::zeros(buffers),
            false => Params::from_values(buffers, values),
        };
        Ok(Self {
            layout: Arc::clone(layout),
            theta,
            gradient: None,
            loss_value: loss.to_scalar()?,
            log_probabilities: log_probabilities.flatten_all()?.to_vec1()?,
            outputs: forward.outputs.flatten_all()?.to_vec1()?,
            blocks: forward.blocks,
            statistics,
            loss,
        })
    }

    /// The gradient as a node of the graph, and whether it can be differentiated again.
    fn gradient_node(&mut self) -> Result<(Tensor, bool), ModelError> {
        if let Some(gradient) = &self.gradient {
            return Ok(gradient.clone());
        }
        // Asked on this thread, because this is the backward that keeps the graph or does not.
        let whole = second_order_available();
        let gradient = derivative(&self.loss, &self.theta).during("a gradient")?;
        self.gradient = Some((gradient.clone(), whole));
        Ok((gradient, whole))
    }

    fn download(&self, tensor: &Tensor, during: &'static str) -> Result<Params<T>, ModelError> {
        let values = tensor.to_vec1().during(during)?;
        Ok(Params::from_values(&self.layout, values))
    }
}

impl BlockForward {
    /// Mean and unbiased variance; both empty where the batch did not normalise itself.
    fn moments<T: Real>(&self) -> candle_core::Result<[Vec<T>; 2]> {
        let Some((mean, variance, n_values)) = &self.moments else {
            return Ok([Vec::new(), Vec::new()]);
        };
        // Unbiased, as PyTorch stores it; a single value has no spread to correct.
        let bessel = *n_values as f64 / (*n_values as f64 - 1.0).max(1.0);
        Ok([mean.to_vec1()?, (variance * bessel)?.to_vec1()?])
    }

    fn units<T: Real>(&self) -> candle_core::Result<Units<T>> {
        let by_unit = self.output.transpose(0, 1)?.flatten_from(1)?;
        // Off is at or below zero, which a NaN is not.
        let off = by_unit.le(0.0)?.to_dtype(DType::F32)?.min(1)?;
        let [mean, variance] = self.moments()?;
        Ok(Units {
            active: off.to_vec1::<f32>()?.iter().map(|off| *off < 0.5).collect(),
            mean,
            variance,
        })
    }
}

/// `dy/dtheta`, zero where `y` does not depend on `theta`.
fn derivative(y: &Tensor, theta: &Var) -> candle_core::Result<Tensor> {
    match y.backward()?.get(theta) {
        Some(gradient) => Ok(gradient.clone()),
        None => theta.zeros_like(),
    }
}

impl<T: Real> Tape<T> for GraphTape<T> {
    fn loss(&self) -> T {
        self.loss_value
    }

    fn log_probabilities(&self) -> &[T] {
        &self.log_probabilities
    }

    fn outputs(&self) -> &[T] {
        &self.outputs
    }

    fn statistics(&self) -> Params<T> {
        self.statistics.clone()
    }

    fn units(&self) -> Result<Vec<Units<T>>, ModelError> {
        let told = self.blocks.iter().filter(|block| block.rectifies);
        let units = told.map(BlockForward::units);
        units
            .collect::<candle_core::Result<_>>()
            .during("a look at the hidden units")
    }

    fn gradient(&mut self) -> Result<Params<T>, ModelError> {
        let (gradient, _) = self.gradient_node()?;
        self.download(&gradient, "a gradient")
    }

    fn hessian_product(&mut self, v: &Params<T>) -> Result<Params<T>, ModelError> {
        if v.values().len() != self.layout.n_values() {
            return Err(ModelError::Length {
                what: "v",
                expected: self.layout.n_values(),
                got: v.values().len(),
            });
        }
        let (gradient, whole) = self.gradient_node()?;
        if !whole {
            return Err(ModelError::SecondOrderUnavailable);
        }
        let run = || {
            let v = Tensor::from_slice(v.values(), v.values().len(), self.theta.device())?;
            let slope = (&gradient * v)?.sum_all()?;
            derivative(&slope, &self.theta)
        };
        let product = run().during("a Hessian product")?;
        self.download(&product, "a Hessian product")
    }
}
