//! Layers of a network, built from its architecture.

use super::affine::Affine;
use super::arena::Buffer;
use super::block::{Block, TangentTrace, Trace};
use super::direction::{self, Direction};
use super::geometry::{Geometry, padded_channels};
use super::point::Point;
use super::spatial::{Map, Spatial};
use super::stem::{self, Stem};
use super::tanh;
use super::window::{Windows, active};
use crate::architecture::{self, Architecture};
use crate::registry::{BlockKind, Readout};
use crate::{Norm, Real, Units};

/// One layer.
#[derive(Clone, Debug)]
pub(super) enum Layer {
    Stem(Box<Stem>),
    Block(Box<Block>),
    Spatial(Spatial),
    Direction(Direction),
    /// The hyperbolic tangent of every value.
    Tanh,
}

/// What a layer's `forward` leaves.
pub(super) enum LayerTrace<T: Real> {
    Stem(Box<stem::Trace<T>>),
    Block(Box<Trace<T>>),
    Spatial,
    Direction(Box<direction::Trace<T>>),
    Tanh(tanh::Trace<T>),
}

/// What a layer's `tangent` leaves.
pub(super) enum LayerTangent<T: Real> {
    Stem(Box<stem::TangentTrace<T>>),
    Block(Box<TangentTrace<T>>),
    Spatial,
    Direction(Vec<T>),
    /// Tangent of the output.
    Tanh(Vec<T>),
}

impl Layer {
    pub(super) fn forward<T: Real>(
        &self,
        at: &Point<'_, T>,
        x: Buffer<T>,
    ) -> (LayerTrace<T>, Buffer<T>) {
        match self {
            Self::Stem(stem) => {
                let (trace, out) = stem.forward(at, x);
                (LayerTrace::Stem(Box::new(trace)), out)
            }
            Self::Block(block) => {
                let (trace, out) = block.forward(at, x);
                (LayerTrace::Block(Box::new(trace)), out)
            }
            Self::Spatial(spatial) => (LayerTrace::Spatial, spatial.forward(at, &x)),
            Self::Direction(direction) => {
                let (trace, out) = direction.forward(at, &x);
                (LayerTrace::Direction(Box::new(trace)), out)
            }
            Self::Tanh => {
                let out = tanh::outputs(at, &x);
                (LayerTrace::Tanh(tanh::Trace::of(&out)), out)
            }
        }
    }

    /// The output of `forward` alone.
    pub(super) fn outputs<T: Real>(&self, at: &Point<'_, T>, x: &[T]) -> Buffer<T> {
        match self {
            Self::Stem(stem) => stem.outputs(at, x),
            Self::Block(block) => block.outputs(at, x),
            Self::Spatial(spatial) => spatial.forward(at, x),
            Self::Direction(direction) => direction.forward(at, x).1,
            Self::Tanh => tanh::outputs(at, x),
        }
    }

    /// The hidden units of a layer that has some.
    pub(super) fn units<T: Real>(&self, trace: &LayerTrace<T>) -> Option<Units<T>> {
        let (choice, g, statistics) = match (self, trace) {
            (Self::Stem(stem), LayerTrace::Stem(trace)) => {
                (&trace.choice, &stem.geometry, &trace.statistics)
            }
            (Self::Block(block), LayerTrace::Block(trace)) if block.rectify => {
                (&trace.choice, &block.geometry, &trace.statistics)
            }
            _ => return None,
        };
        let [mean, variance] = statistics.clone().unwrap_or_default();
        let mut active = active(choice, g.c_out);
        active.truncate(g.outputs);
        Some(Units {
            active,
            mean,
            variance,
        })
    }

    /// See [`Block::backward`].
    pub(super) fn backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        trace: &mut LayerTrace<T>,
        g: Buffer<T>,
        gradient: &mut [T],
        wants_input: bool,
    ) -> Option<Buffer<T>> {
        match (self, trace) {
            (Self::Stem(stem), LayerTrace::Stem(trace)) => {
                stem.backward(at, trace, g, gradient);
                None
            }
            (Self::Block(block), LayerTrace::Block(trace)) => {
                block.backward(at, trace, g, gradient, wants_input)
            }
            (Self::Direction(direction), LayerTrace::Direction(trace)) => {
                Some(direction.backward(at, trace, &g, gradient))
            }
            (Self::Spatial(spatial), _) => Some(spatial.backward(at, &g)),
            (Self::Tanh, LayerTrace::Tanh(trace)) => Some(trace.backward(g)),
            (Self::Stem(_) | Self::Block(_) | Self::Direction(_) | Self::Tanh, _) => {
                unreachable!("a trace belongs to its layer")
            }
        }
    }

    /// See [`Block::tangent`]; `None` is a tangent of zeros.
    pub(super) fn tangent<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &LayerTrace<T>,
        dx: Option<Buffer<T>>,
    ) -> (LayerTangent<T>, Option<Buffer<T>>) {
        match (self, trace) {
            (Self::Stem(stem), LayerTrace::Stem(trace)) => {
                let (tangent, out) = stem.tangent(at, v, trace);
                (LayerTangent::Stem(Box::new(tangent)), Some(out))
            }
            (Self::Block(block), LayerTrace::Block(trace)) => {
                let (tangent, out) = block.tangent(at, v, trace, dx);
                (LayerTangent::Block(Box::new(tangent)), Some(out))
            }
            (Self::Spatial(spatial), _) => {
                (LayerTangent::Spatial, dx.map(|dx| spatial.forward(at, &dx)))
            }
            (Self::Direction(direction), LayerTrace::Direction(trace)) => {
                let (tangent, out) = direction.tangent(at, v, trace, dx.as_deref());
                (LayerTangent::Direction(tangent), Some(out))
            }
            (Self::Tanh, LayerTrace::Tanh(trace)) => {
                let out = dx.map(|dx| trace.tangent(dx));
                let kept = out.as_ref().map_or_else(Vec::new, |out| out.to_vec());
                (LayerTangent::Tanh(kept), out)
            }
            (Self::Stem(_) | Self::Block(_) | Self::Direction(_) | Self::Tanh, _) => {
                unreachable!("a trace belongs to its layer")
            }
        }
    }

    /// See [`Block::tangent_backward`].
    #[allow(
        clippy::too_many_arguments,
        reason = "two traces, two directions and a sum are what this derivative takes"
    )]
    pub(super) fn tangent_backward<T: Real>(
        &self,
        at: &Point<'_, T>,
        v: &[T],
        trace: &LayerTrace<T>,
        tangent: &LayerTangent<T>,
        dg: Buffer<T>,
        product: &mut [T],
        wants_input: bool,
    ) -> Option<Buffer<T>> {
        match (self, trace, tangent) {
            (Self::Stem(stem), LayerTrace::Stem(trace), LayerTangent::Stem(tangent)) => {
                stem.tangent_backward(at, v, trace, tangent, dg, product);
                None
            }
            (Self::Block(block), LayerTrace::Block(trace), LayerTangent::Block(tangent)) => {
                block.tangent_backward(at, v, trace, tangent, dg, product, wants_input)
            }
            (
                Self::Direction(direction),
                LayerTrace::Direction(trace),
                LayerTangent::Direction(tangent),
            ) => Some(direction.tangent_backward(at, trace, tangent, &dg, product)),
            (Self::Spatial(spatial), _, _) => Some(spatial.backward(at, &dg)),
            (Self::Tanh, LayerTrace::Tanh(trace), LayerTangent::Tanh(tangent)) => {
                Some(trace.tangent_backward(tangent, dg))
            }
            (Self::Stem(_) | Self::Block(_) | Self::Direction(_) | Self::Tanh, _, _) => {
                unreachable!("a trace belongs to its layer")
            }
        }
    }
}

/// The layers of an architecture, first to last.
pub(super) fn layers(architecture: &Architecture) -> Vec<Layer> {
    let image = architecture.config().image;
    let mut layers = Vec::new();
    let blocks = architecture.blocks();
    if blocks[0].kind.is_linear() && image.channels > 1 && image.height * image.width > 1 {
        layers.push(Layer::Spatial(Spatial::Flatten(Map {
            pixels: image.height * image.width,
            channels: image.channels,
            stored: image.channels,
        })));
    }
    for (index, block) in blocks.iter().enumerate() {
        let pad = blocks
            .get(index + 1)
            .map_or(0, |next| kernel(next.kind) / 2);
        let mut hidden = hidden_block(architecture, block, pad);
        if index == 0 && Stem::fits(&hidden.geometry) {
            layers.push(Layer::Stem(Box::new(Stem {
                geometry: hidden.geometry,
                windows: hidden.windows,
                pool: hidden.pool,
                weight: hidden.weight,
                affine: hidden.affine,
            })));
            continue;
        }
        if index > 0 || !block.kind.is_linear() {
            hidden.geometry.c_in = padded_channels(hidden.geometry.inputs);
        }
        layers.push(Layer::Block(Box::new(hidden)));
        if block.kind == BlockKind::LinearTanh {
            layers.push(Layer::Tanh);
        }
    }
    let last = blocks[blocks.len() - 1].output;
    let map = Map {
        pixels: last.height * last.width,
        channels: last.channels,
        stored: padded_channels(last.channels),
    };
    // A linear map skips what has no meaning by itself; a length does not.
    let skips = |head: &architecture::Head| head.centre.is_none();
    let is_read =
        map.pixels == 1 && (map.stored == map.channels || architecture.head().is_some_and(skips));
    let n_stored = if is_read {
        map.stored
    } else {
        layers.push(Layer::Spatial(match architecture.readout() {
            Readout::Flatten => Spatial::Flatten(map),
            Readout::SpatialMean => Spatial::Mean(map),
        }));
        architecture.n_features()
    };
    if let Some(head) = architecture.head() {
        if let Some(centre) = &head.centre {
            layers.push(Layer::Direction(Direction {
                centre: centre.clone(),
            }));
        }
        let geometry = Geometry {
            c_in: n_stored,
            ..point_wise(architecture.n_features(), architecture.n_outputs())
        };
        layers.push(Layer::Block(Box::new(Block {
            geometry,
            windows: Windows::new(&geometry, 1, 0),
            pool: 1,
            rectify: false,
            weight: head.weight.clone(),
            affine: Affine::Bias(head.bias.start),
        })));
        if geometry.c_out > geometry.outputs {
            layers.push(Layer::Spatial(Spatial::Flatten(Map {
                pixels: 1,
                channels: geometry.outputs,
                stored: geometry.c_out,
            })));
        }
    }
    layers
}

fn hidden_block(architecture: &Architecture, block: &architecture::Block, pad: usize) -> Block {
    let (input, width) = (block.input, block.hidden.channels);
    let geometry = match block.kind {
        BlockKind::Linear | BlockKind::LinearTanh => point_wise(input.channels, width),
        BlockKind::ConvPool | BlockKind::ConvStrided => Geometry {
            height: input.height,
            width: input.width,
            c_in: input.channels,
            c_out: padded_channels(width),
            inputs: input.channels,
            outputs: width,
            kernel: kernel(block.kind),
            stride: if block.kind == BlockKind::ConvStrided {
                2
            } else {
                1
            },
        },
    };
    let pool = if block.kind == BlockKind::ConvPool {
        2
    } else {
        1
    };
    let affine = match (&block.norm, &block.bias) {
        (Some(norm), _) => Affine::Norm {
            gamma: norm.weight.start,
            beta: norm.bias.start,
            n_steps: match architecture.config().norm {
                Norm::PerStep { n_steps } => n_steps,
                Norm::Batch | Norm::Running | Norm::None => 1,
            },
            running: norm
                .running
                .clone()
                .map(|(mean, variance)| [mean, variance]),
        },
        (None, Some(bias)) => Affine::Bias(bias.start),
        (None, None) => unreachable!("a block has a normalisation or a bias"),
    };
    Block {
        geometry,
        windows: Windows::new(&geometry, pool, pad),
        pool,
        rectify: block.kind != BlockKind::LinearTanh,
        weight: block.weight.clone(),
        affine,
    }
}

fn kernel(kind: BlockKind) -> usize {
    match kind {
        BlockKind::ConvPool | BlockKind::ConvStrided => 3,
        BlockKind::Linear | BlockKind::LinearTanh => 1,
    }
}

/// A linear layer, as a convolution of one pixel.
fn point_wise(inputs: usize, outputs: usize) -> Geometry {
    Geometry {
        height: 1,
        width: 1,
        c_in: inputs,
        c_out: padded_channels(outputs),
        inputs,
        outputs,
        kernel: 1,
        stride: 1,
    }
}
