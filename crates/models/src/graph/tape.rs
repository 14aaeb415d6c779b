//! Derivatives of a recorded pass by candle's backward: the only call sites of `backward`.

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::{During, Forward};
use crate::{Layout, ModelError, Params, Real, Tape};

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
#[derive(Debug)]
pub(super) struct GraphTape<T> {
    layout: Arc<Layout>,
    theta: Var,
    loss: Tensor,
    /// The gradient with the graph that made it, and whether that graph is whole.
    gradient: Option<(Tensor, bool)>,
    loss_value: T,
    log_probabilities: Vec<T>,
    outputs: Vec<T>,
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
        for (mean, variance, n_values) in &forward.moments {
            values.extend(mean.to_vec1::<T>()?);
            // Unbiased, as PyTorch stores it; a single value has no spread to correct.
            let bessel = *n_values as f64 / (*n_values as f64 - 1.0).max(1.0);
            values.extend((variance * bessel)?.to_vec1::<T>()?);
        }
        let statistics = match forward.moments.is_empty() {
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
