//! The networks that can be built by name.
//!
//! Adding one is a line in [`NETWORKS`], or, in another crate, an entry whose [`Form`] goes into the configuration: a network is a stack of equal blocks and a way of reading features off the last
//! of them. Everything else (layout, initialisation, both backends, checkpoints, the derivative battery) follows from
//! [`crate::Architecture`]. Only a new *kind* of block or read-out needs code, in both backends.

use serde::{Deserialize, Serialize};

use crate::{ModelError, NetworkConfig};

/// What one block of a network does to its input, before normalisation and ReLU (of [`Self::LinearTanh`] the hyperbolic tangent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// 3x3 convolution, padding 1, stride 1; after the ReLU, 2x2 max-pooling with stride 2. Of an odd size the last row
    /// or column is dropped; of equal maxima the first in row-major order takes the whole gradient.
    ConvPool,
    /// 3x3 convolution, padding 1, stride 2; no pooling.
    ConvStrided,
    /// Fully connected layer on the flattened input.
    Linear,
    /// The same with the hyperbolic tangent in place of the ReLU. Its units are never off, and [`crate::Tape::units`] does not tell them.
    LinearTanh,
}

impl BlockKind {
    /// Whether it is a fully connected layer.
    #[must_use]
    pub fn is_linear(self) -> bool {
        matches!(self, Self::Linear | Self::LinearTanh)
    }
}

/// How features are read off the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readout {
    /// All values, in PyTorch's order: channel, row, column (the column runs fastest).
    Flatten,
    /// The mean over rows and columns of each channel.
    SpatialMean,
}

/// What a head does to features before its linear map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadForm {
    /// Nothing.
    #[default]
    Plain,
    /// It subtracts a centre `c`, which is a parameter behind the map (`head.centre`, zeros at first), and divides each row by its
    /// length: `u = (f - c) / sqrt(|f - c|^2 + 1e-8)`. With unit rows of the map the outputs are cosines.
    Unit,
}

impl HeadForm {
    /// Whether it does nothing.
    #[must_use]
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// Parameters that lie behind all others and that no pass reads: who trains the network gives them a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beside {
    /// None.
    #[default]
    Nothing,
    /// One for each parameter of the network, under its name behind `beside.`; they begin at 0.
    Copy,
    /// So many for each tensor of the network, `beside.of_tensors` with a row of one number a tensor; they begin at 0.
    PerTensor(usize),
    /// So many, `beside.numbers`; they begin at 0.
    Numbers(usize),
    /// A linear map of the features with so many outputs, `beside.weight` and `beside.bias`, drawn as a head is.
    Linear(usize),
}

impl Beside {
    /// Whether there are none.
    #[must_use]
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// What a network is, but for its size and its normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Every block.
    pub block: BlockKind,
    /// How features are read off the last block.
    pub readout: Readout,
    /// Parameters that no pass reads.
    #[serde(default, skip_serializing_if = "Beside::is_nothing")]
    pub beside: Beside,
    /// What a head does before its linear map; without a head it has no meaning.
    #[serde(default, skip_serializing_if = "HeadForm::is_plain")]
    pub head: HeadForm,
}

impl Form {
    /// Such blocks, read off so: with nothing beside, and a plain head.
    #[must_use]
    pub const fn of(block: BlockKind, readout: Readout) -> Self {
        Self {
            block,
            readout,
            beside: Beside::Nothing,
            head: HeadForm::Plain,
        }
    }
}

impl NetworkConfig {
    /// The same network with a head of so many outputs and of that form.
    pub(crate) fn headed(self, n_outputs: usize, head: HeadForm) -> Result<Self, ModelError> {
        let own = form_of(&self)?;
        let form = match own.head == head {
            true => self.form,
            false => Some(Form { head, ..own }),
        };
        Ok(Self {
            form,
            n_way: Some(n_outputs),
            ..self
        })
    }

    /// The same network with parameters beside its own.
    ///
    /// # Errors
    /// [`ModelError::Config`] if there is no network of that name.
    pub fn with_beside(self, beside: Beside) -> Result<Self, ModelError> {
        if beside == self.form.map_or(Beside::Nothing, |form| form.beside) {
            return Ok(self);
        }
        let form = Form {
            beside,
            ..form_of(&self)?
        };
        // A network of the list needs no form of its own.
        let usual = find_network(&self.name).map(|entry| entry.form);
        let form = Some(form).filter(|form| usual.ok() != Some(*form));
        Ok(Self { form, ..self })
    }
}

/// A network that can be built by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkEntry {
    /// The name in configurations.
    pub name: &'static str,
    /// One line for lists and help texts.
    pub summary: &'static str,
    /// What it is.
    pub form: Form,
}

/// All networks.
pub const NETWORKS: &[NetworkEntry] = &[
    NetworkEntry {
        name: "conv4",
        summary: "blocks of 3x3 convolution, norm, ReLU, 2x2 max-pooling (Vinyals et al. 2016)",
        form: Form::of(BlockKind::ConvPool, Readout::Flatten),
    },
    NetworkEntry {
        name: "conv4-strided",
        summary: "blocks of 3x3 convolution with stride 2, norm, ReLU; spatial mean (Finn et al. 2017, Omniglot)",
        form: Form::of(BlockKind::ConvStrided, Readout::SpatialMean),
    },
    NetworkEntry {
        name: "mlp",
        summary: "hidden layers of linear map, norm, ReLU on the flattened image",
        form: Form::of(BlockKind::Linear, Readout::Flatten),
    },
    NetworkEntry {
        name: "mlp-tanh",
        summary: "hidden layers of linear map, norm, hyperbolic tangent on the flattened image",
        form: Form::of(BlockKind::LinearTanh, Readout::Flatten),
    },
];

/// The entry of that name.
///
/// # Errors
/// [`ModelError::Config`] with the names that exist.
pub fn find_network(name: &str) -> Result<&'static NetworkEntry, ModelError> {
    NETWORKS
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = NETWORKS.iter().map(|entry| entry.name).collect();
            ModelError::Config {
                what: "network.name",
                got: name.to_owned(),
                advice: format!("choose one of {}", names.join(", ")),
            }
        })
}

/// The form of a configuration: its own, or that of its name.
pub(crate) fn form_of(config: &NetworkConfig) -> Result<Form, ModelError> {
    config
        .form
        .map_or_else(|| Ok(find_network(&config.name)?.form), Ok)
}
