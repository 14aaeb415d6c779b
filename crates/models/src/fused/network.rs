//! A network of fused layers, and its tape.

use std::sync::Arc;

use super::arena::{Arena, Buffer};
use super::geometry::pad_images;
use super::layer::{Layer, LayerTrace, layers};
use super::loss::{LossTrace, judge};
use super::point::Point;
use crate::{
    Architecture, Layout, ModelError, Network, NetworkConfig, Objective, Params, Pass, Real,
    Statistics, Tape, Units,
};

/// A network on the fused CPU path.
#[derive(Debug)]
pub struct FusedNetwork<T> {
    architecture: Architecture,
    layers: Vec<Layer>,
    arena: Arc<Arena<T>>,
    choices: Arc<Arena<u8>>,
}

impl<T: Real> FusedNetwork<T> {
    /// The network of an architecture.
    #[must_use]
    pub fn new(architecture: Architecture) -> Self {
        let layers = layers(&architecture);
        Self {
            architecture,
            layers,
            arena: Arc::default(),
            choices: Arc::default(),
        }
    }

    fn point<'a>(
        &'a self,
        params: &'a Params<T>,
        inner_step: usize,
        stored: Option<&'a Params<T>>,
    ) -> Point<'a, T> {
        Point {
            params: params.values(),
            stored: stored.map(Params::values),
            inner_step,
            arena: &self.arena,
            choices: &self.choices,
        }
    }

    /// The images as the first layer takes them.
    fn input(&self, images: &[T]) -> Buffer<T> {
        let geometry = match &self.layers[0] {
            Layer::Stem(stem) => Some(&stem.geometry),
            Layer::Block(block) => Some(&block.geometry),
            Layer::Spatial(_) | Layer::Direction(_) | Layer::Tanh => None,
        };
        match geometry {
            Some(g) => {
                let mut x = self
                    .arena
                    .take(images.len() / (g.height * g.width * g.inputs) * g.in_len());
                pad_images(images, &mut x, g);
                x
            }
            None => {
                let mut x = self.arena.take(images.len());
                x.copy_from_slice(images);
                x
            }
        }
    }
}

fn stored<'a, T>(pass: &Pass<'a, T>) -> Option<&'a Params<T>> {
    match pass.statistics {
        Statistics::Batch => None,
        Statistics::Stored(stored) => Some(stored),
    }
}

impl<T: Real> Network<T> for FusedNetwork<T> {
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
        self.architecture.check_pass(params, images, pass)?;
        let at = self.point(params, pass.inner_step, stored(&pass));
        let outputs = self
            .layers
            .iter()
            .fold(self.input(images), |x, layer| layer.outputs(&at, &x));
        Ok(outputs.to_vec())
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
        let at = self.point(params, pass.inner_step, stored(&pass));
        let mut traces = Vec::with_capacity(self.layers.len());
        let outputs = self.layers.iter().fold(self.input(images), |x, layer| {
            let (trace, out) = layer.forward(&at, x);
            traces.push(trace);
            out
        });
        let (loss, at_outputs) = judge(&objective, &outputs, self.n_outputs());
        Ok(Box::new(FusedTape {
            network: self,
            params: params.clone(),
            stored: stored(&pass).cloned(),
            inner_step: pass.inner_step,
            traces,
            outputs,
            loss,
            at_outputs,
            gradient: None,
        }))
    }
}

/// One recorded pass.
struct FusedTape<'a, T: Real> {
    network: &'a FusedNetwork<T>,
    params: Params<T>,
    stored: Option<Params<T>>,
    inner_step: usize,
    traces: Vec<LayerTrace<T>>,
    outputs: Buffer<T>,
    loss: LossTrace<T>,
    /// Gradient at the outputs.
    at_outputs: Vec<T>,
    gradient: Option<Params<T>>,
}

impl<T: Real> FusedTape<'_, T> {
    /// The backward pass, made once.
    fn pull(&mut self) -> &Params<T> {
        if self.gradient.is_none() {
            let mut gradient = Params::zeros(self.params.layout());
            let at = self
                .network
                .point(&self.params, self.inner_step, self.stored.as_ref());
            let mut g = self.network.arena.take(self.at_outputs.len());
            g.copy_from_slice(&self.at_outputs);
            let mut g = Some(g);
            let layers = self
                .network
                .layers
                .iter()
                .zip(&mut self.traces)
                .enumerate()
                .rev();
            for (index, (layer, trace)) in layers {
                let Some(at_output) = g else { break };
                g = layer.backward(&at, trace, at_output, gradient.values_mut(), index > 0);
            }
            self.gradient = Some(gradient);
        }
        self.gradient.as_ref().expect("it was just made")
    }
}

impl<T: Real> Tape<T> for FusedTape<'_, T> {
    fn loss(&self) -> T {
        self.loss.judged().loss
    }

    fn log_probabilities(&self) -> &[T] {
        &self.loss.judged().log_probabilities
    }

    fn outputs(&self) -> &[T] {
        &self.outputs
    }

    fn statistics(&self) -> Params<T> {
        let blocks = self.traces.iter().filter_map(|trace| match trace {
            LayerTrace::Stem(trace) => trace.statistics.as_ref(),
            LayerTrace::Block(trace) => trace.statistics.as_ref(),
            LayerTrace::Spatial | LayerTrace::Direction(_) | LayerTrace::Tanh(_) => None,
        });
        let layout = self.network.buffers();
        if layout.n_values() == 0 || self.stored.is_some() {
            return Params::zeros(layout);
        }
        // The layout holds mean, then variance, block by block.
        Params::from_values(layout, blocks.flatten().flatten().copied().collect())
    }

    fn units(&self) -> Result<Vec<Units<T>>, ModelError> {
        let layers = self.network.layers.iter().zip(&self.traces);
        Ok(layers
            .filter_map(|(layer, trace)| layer.units(trace))
            .collect())
    }

    fn gradient(&mut self) -> Result<Params<T>, ModelError> {
        Ok(self.pull().clone())
    }

    fn hessian_product(&mut self, v: &Params<T>) -> Result<Params<T>, ModelError> {
        self.pull();
        let at = self
            .network
            .point(&self.params, self.inner_step, self.stored.as_ref());
        let mut tangents = Vec::with_capacity(self.traces.len());
        let mut dx = None;
        for (layer, trace) in self.network.layers.iter().zip(&self.traces) {
            let (tangent, out) = layer.tangent(&at, v.values(), trace, dx);
            tangents.push(tangent);
            dx = out;
        }
        let d_outputs = dx.expect("a network has at least one layer with parameters");
        let d_at_outputs = self.loss.gradient_tangent(&d_outputs);

        let mut product = Params::zeros(self.params.layout());
        let mut dg = self.network.arena.take(d_at_outputs.len());
        dg.copy_from_slice(&d_at_outputs);
        let mut dg = Some(dg);
        let layers = self
            .network
            .layers
            .iter()
            .zip(self.traces.iter().zip(&tangents))
            .enumerate()
            .rev();
        for (index, (layer, (trace, tangent))) in layers {
            let Some(at_output) = dg else { break };
            let wants_input = index > 0;
            dg = layer.tangent_backward(
                &at,
                v.values(),
                trace,
                tangent,
                at_output,
                product.values_mut(),
                wants_input,
            );
        }
        Ok(product)
    }
}
