//! A checked configuration, unrolled: the geometry of every block and where its tensors lie.
//!
//! Both backends are built from this and from nothing else, so names, shapes, order, initialisation and the checks of
//! arguments cannot differ between them. A newcomer starts at [`Architecture::new`].

use std::ops::Range;
use std::sync::Arc;

use crate::network::DynRng;
use crate::registry::{Beside, BlockKind, Form, HeadForm, Readout, form_of};
use crate::{ImageShape, Layout, ModelError, NetworkConfig, Norm, Params, Real};

/// Added to the variance before the square root, in every normalisation (PyTorch's default).
pub const NORM_EPS: f64 = 1e-5;

/// Where the tensors of a normalisation lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormSlots {
    /// Scales in the parameters: `(width)`, or `(n_steps, width)` with [`Norm::PerStep`].
    pub weight: Range<usize>,
    /// Shifts in the parameters, shaped as the scales.
    pub bias: Range<usize>,
    /// Running means and variances `(width)` in the buffers, with [`Norm::Running`].
    pub running: Option<(Range<usize>, Range<usize>)>,
}

/// One block: `pool(relu(norm(op(input))))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Convolution or linear map, and whether a pooling follows.
    pub kind: BlockKind,
    /// What comes in. A linear block takes `1 x 1 x n_inputs`.
    pub input: ImageShape,
    /// After the convolution or linear map: what is normalised.
    pub hidden: ImageShape,
    /// What goes out: `hidden`, but for the size where a pooling follows.
    pub output: ImageShape,
    /// In the parameters: `(out, in, 3, 3)` or `(out, in)`.
    pub weight: Range<usize>,
    /// In the parameters: `(out)`, with [`Norm::None`] only.
    pub bias: Option<Range<usize>>,
    /// The normalisation, unless [`Norm::None`].
    pub norm: Option<NormSlots>,
}

/// The linear head: `outputs = features weight^T + bias`, of features that [`HeadForm`] may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// In the parameters: `(n_way, n_features)`.
    pub weight: Range<usize>,
    /// In the parameters: `(n_way)`.
    pub bias: Range<usize>,
    /// In the parameters: `(n_features)`, what is subtracted from features of which the head reads directions.
    pub centre: Option<Range<usize>>,
}

/// A network's structure: everything but its weights and the code that runs it.
///
/// # Shapes
/// Images come as `(n_images, height, width, channels)`. Where a map is flattened (features of `conv4`, input of `mlp`)
/// the order is PyTorch's, *channel, row, column*, so that weights carry over; it matters only where a map has more than
/// one pixel and more than one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    config: NetworkConfig,
    form: Form,
    blocks: Vec<Block>,
    n_features: usize,
    head: Option<Head>,
    beside: Option<Range<usize>>,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
}

impl NetworkConfig {
    /// Whether such a network exists.
    ///
    /// # Errors
    /// [`ModelError::Config`] with the setting, its value and what would be right.
    pub fn validate(&self) -> Result<(), ModelError> {
        let form = form_of(self)?;
        let positive = |what, got: usize| {
            if got > 0 {
                return Ok(());
            }
            Err(ModelError::Config {
                what,
                got: got.to_string(),
                advice: "must be at least 1".to_owned(),
            })
        };
        positive("network.image.height", self.image.height)?;
        positive("network.image.width", self.image.width)?;
        positive("network.image.channels", self.image.channels)?;
        positive("network.n_blocks", self.n_blocks)?;
        positive("network.width", self.width)?;
        if let Some(n_way) = self.n_way {
            positive("network.n_way", n_way)?;
        }
        if let Norm::PerStep { n_steps } = self.norm {
            positive("network.norm.n_steps", n_steps)?;
        }
        let side = self.image.height.min(self.image.width);
        let n_poolings = side.ilog2() as usize;
        if form.block == BlockKind::ConvPool && self.n_blocks > n_poolings {
            return Err(ModelError::Config {
                what: "network.n_blocks",
                got: self.n_blocks.to_string(),
                advice: format!(
                    "each block halves the image and {}x{} can be halved {n_poolings} times; \
                     take fewer blocks or images of at least {} pixels a side",
                    self.image.height,
                    self.image.width,
                    1_u128 << self.n_blocks.min(64),
                ),
            });
        }
        self.n_stored().map(|_| ())
    }
}

impl Architecture {
    /// Unrolls a configuration.
    ///
    /// The layout goes block by block: weight, bias or norm weight and norm bias; then head weight, head bias; then what lies beside
    /// ([`Beside`]).
    ///
    /// # Errors
    /// [`ModelError::Config`] if [`NetworkConfig::validate`] refuses.
    pub fn new(config: &NetworkConfig) -> Result<Self, ModelError> {
        config.validate()?;
        let form = form_of(config)?;
        let (mut layout, mut buffers) = (Layout::default(), Layout::default());
        let mut blocks = Vec::with_capacity(config.n_blocks);
        let mut input = match form.block {
            BlockKind::ConvPool | BlockKind::ConvStrided => config.image,
            BlockKind::Linear | BlockKind::LinearTanh => flat(n_values(config.image)),
        };
        for index in 0..config.n_blocks {
            let block = push_block(index, form.block, input, config, &mut layout, &mut buffers);
            input = block.output;
            blocks.push(block);
        }
        let n_features = match form.readout {
            Readout::Flatten => n_values(input),
            Readout::SpatialMean => input.channels,
        };
        let head = config.n_way.map(|n_way| Head {
            weight: layout.push("head.weight", &[n_way, n_features]),
            bias: layout.push("head.bias", &[n_way]),
            centre: match form.head {
                HeadForm::Plain => None,
                HeadForm::Unit => Some(layout.push("head.centre", &[n_features])),
            },
        });
        let beside = push_beside(form.beside, n_features, &mut layout);
        Ok(Self {
            config: config.clone(),
            form,
            blocks,
            n_features,
            head,
            beside,
            layout: Arc::new(layout),
            buffers: Arc::new(buffers),
        })
    }

    /// What was asked for.
    #[must_use]
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The blocks, first to last; at least one.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How features are read off the last block.
    #[must_use]
    pub fn readout(&self) -> Readout {
        self.form.readout
    }

    /// Length of a feature vector.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The linear head, if there is one.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Weight `(n, n_features)` of a linear map beside the network, if there is one.
    pub(crate) fn beside(&self) -> Option<&Range<usize>> {
        self.beside.as_ref()
    }

    /// Length of an output row: classes with a head, features without.
    #[must_use]
    pub fn n_outputs(&self) -> usize {
        self.config.n_way.unwrap_or(self.n_features)
    }

    /// Names and shapes of the parameters.
    #[must_use]
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Names and shapes of the running statistics; empty but for [`Norm::Running`].
    #[must_use]
    pub fn buffers(&self) -> &Arc<Layout> {
        &self.buffers
    }

    /// Fresh running statistics: mean 0, variance 1.
    #[must_use]
    pub fn initial_buffers<T: Real>(&self) -> Params<T> {
        let mut buffers = Params::zeros(&self.buffers);
        for norm in self.blocks.iter().filter_map(|block| block.norm.as_ref()) {
            if let Some((_, variance)) = &norm.running {
                buffers.values_mut()[variance.clone()].fill(T::ONE);
            }
        }
        buffers
    }

    /// Ranges (scale, shift) in the parameters that a norm uses `inner_step` steps into the inner loop: all of it, or
    /// the row of that step with [`Norm::PerStep`] (the last row for steps past the end).
    #[must_use]
    pub fn norm_rows(&self, norm: &NormSlots, inner_step: usize) -> (Range<usize>, Range<usize>) {
        let n_steps = match self.config.norm {
            Norm::PerStep { n_steps } => n_steps,
            Norm::Batch | Norm::Running | Norm::None => 1,
        };
        let row = inner_step.min(n_steps - 1);
        let pick = |range: &Range<usize>| {
            let width = range.len() / n_steps;
            let start = range.start + row * width;
            start..start + width
        };
        (pick(&norm.weight), pick(&norm.bias))
    }
}

/// Adds the tensors of one block and computes its geometry.
fn push_block(
    index: usize,
    kind: BlockKind,
    input: ImageShape,
    config: &NetworkConfig,
    layout: &mut Layout,
    buffers: &mut Layout,
) -> Block {
    let width = config.width;
    let sized = |height, columns| ImageShape {
        height,
        width: columns,
        channels: width,
    };
    let (op, hidden) = match kind {
        BlockKind::ConvPool => ("conv", sized(input.height, input.width)),
        // floor((side + 2 * padding - kernel) / stride) + 1 with padding 1, kernel 3, stride 2.
        BlockKind::ConvStrided => (
            "conv",
            sized(input.height.div_ceil(2), input.width.div_ceil(2)),
        ),
        BlockKind::Linear | BlockKind::LinearTanh => ("linear", flat(width)),
    };
    let output = match kind {
        BlockKind::ConvPool => sized(hidden.height / 2, hidden.width / 2),
        BlockKind::ConvStrided | BlockKind::Linear | BlockKind::LinearTanh => hidden,
    };
    let weight = layout.push(
        format!("blocks.{index}.{op}.weight"),
        match kind {
            BlockKind::ConvPool | BlockKind::ConvStrided => vec![width, input.channels, 3, 3],
            BlockKind::Linear | BlockKind::LinearTanh => vec![width, input.channels],
        }
        .as_slice(),
    );
    // A bias before a normalisation by batch statistics has no effect at all.
    let bias = (config.norm == Norm::None)
        .then(|| layout.push(format!("blocks.{index}.{op}.bias"), &[width]));
    let shape = match config.norm {
        Norm::None => None,
        Norm::Batch | Norm::Running => Some(vec![width]),
        Norm::PerStep { n_steps } => Some(vec![n_steps, width]),
    };
    let norm = shape.map(|shape| NormSlots {
        weight: layout.push(format!("blocks.{index}.norm.weight"), &shape),
        bias: layout.push(format!("blocks.{index}.norm.bias"), &shape),
        running: (config.norm == Norm::Running).then(|| {
            (
                buffers.push(format!("blocks.{index}.norm.running_mean"), &[width]),
                buffers.push(format!("blocks.{index}.norm.running_var"), &[width]),
            )
        }),
    });
    Block {
        kind,
        input,
        hidden,
        output,
        weight,
        bias,
        norm,
    }
}

/// Adds what lies beside the network; returns the weight of a linear map.
fn push_beside(beside: Beside, n_features: usize, layout: &mut Layout) -> Option<Range<usize>> {
    match beside {
        Beside::Nothing => None,
        Beside::Copy => {
            let own: Vec<_> = layout.entries().to_vec();
            for entry in own {
                layout.push(format!("beside.{}", entry.name), &entry.shape);
            }
            None
        }
        Beside::PerTensor(n) => {
            let n_tensors = layout.entries().len();
            layout.push("beside.of_tensors", &[n, n_tensors]);
            None
        }
        Beside::Numbers(n) => {
            layout.push("beside.numbers", &[n]);
            None
        }
        Beside::Linear(n) => {
            let weight = layout.push("beside.weight", &[n, n_features]);
            layout.push("beside.bias", &[n]);
            Some(weight)
        }
    }
}

/// A vector, as the shape of a map.
fn flat(channels: usize) -> ImageShape {
    ImageShape {
        height: 1,
        width: 1,
        channels,
    }
}

/// Number of values of a map.
pub(crate) fn n_values(shape: ImageShape) -> usize {
    shape.height * shape.width * shape.channels
}

/// Uniform in `[-1, 1)` from the upper 53 bits of one draw.
pub(crate) fn signed_unit(rng: DynRng<'_>) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 52) as f64;
    (rng.next_u64() >> 11) as f64 * SCALE - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, side: usize, n_blocks: usize, norm: Norm) -> NetworkConfig {
        NetworkConfig {
            name: name.to_owned(),
            form: None,
            image: ImageShape {
                height: side,
                width: side,
                channels: 1,
            },
            n_blocks,
            width: 64,
            norm,
            n_way: Some(5),
        }
    }

    #[test]
    fn conv4_has_the_published_size() {
        // 3*3*64 + 3 * 3*3*64*64 weights, 8 * 64 norm parameters, 64 * 5 + 5 of the head.
        let architecture = Architecture::new(&config("conv4", 28, 4, Norm::Batch)).unwrap();
        assert_eq!(
            architecture.layout().n_values(),
            576 + 3 * 36_864 + 512 + 325
        );
        assert_eq!(architecture.n_features(), 64);
        let sides: Vec<_> = architecture
            .blocks()
            .iter()
            .map(|b| b.output.height)
            .collect();
        assert_eq!(sides, [14, 7, 3, 1]);
        let strided = Architecture::new(&config("conv4-strided", 28, 4, Norm::Batch)).unwrap();
        let sides: Vec<_> = strided.blocks().iter().map(|b| b.output.height).collect();
        assert_eq!(sides, [14, 7, 4, 2]);
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let refused = |config: &NetworkConfig| config.validate().unwrap_err().to_string();
        assert!(refused(&config("conv4", 28, 5, Norm::Batch)).starts_with("network.n_blocks = 5"));
        assert!(refused(&config("conv4", 0, 4, Norm::Batch)).contains("image.height = 0"));
        assert!(refused(&config("resnet", 28, 4, Norm::Batch)).contains("conv4-strided"));
        let steps = Norm::PerStep { n_steps: 0 };
        assert!(refused(&config("mlp", 28, 2, steps)).contains("n_steps = 0"));
    }

    #[test]
    fn steps_past_the_last_use_the_last_row() {
        let norm = Norm::PerStep { n_steps: 3 };
        let architecture = Architecture::new(&config("mlp", 4, 1, norm)).unwrap();
        let slots = architecture.blocks()[0].norm.as_ref().unwrap();
        let start = slots.weight.start;
        assert_eq!(architecture.norm_rows(slots, 1).0, start + 64..start + 128);
        assert_eq!(architecture.norm_rows(slots, 9).0, start + 128..start + 192);
    }
}
