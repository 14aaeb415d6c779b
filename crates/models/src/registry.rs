//! The networks that can be built by name.
//!
//! Adding one is a line in [`NETWORKS`], or, in another crate, an entry whose [`Form`] goes into the configuration: a network is a stack of equal blocks and a way of reading features off the last
//! of them. Everything else (layout, initialisation, both backends, checkpoints, the derivative battery) follows from
//! [`crate::Architecture`]. Only a new *kind* of block or read-out needs code, in both backends.

use serde::{Deserialize, Serialize};

use crate::fused::FusedNetwork;
#[cfg(feature = "candle")]
use crate::graph::GraphNetwork;
use crate::heads::WithHeads;
use crate::{Architecture, Backend, DeviceSpec, ModelError, Network, NetworkConfig, Real};

/// What one block of a network does to its input, before normalisation and ReLU.
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

/// What a network is, but for its size and its normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Every block.
    pub block: BlockKind,
    /// How features are read off the last block.
    pub readout: Readout,
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
        form: Form {
            block: BlockKind::ConvPool,
            readout: Readout::Flatten,
        },
    },
    NetworkEntry {
        name: "conv4-strided",
        summary: "blocks of 3x3 convolution with stride 2, norm, ReLU; spatial mean (Finn et al. 2017, Omniglot)",
        form: Form {
            block: BlockKind::ConvStrided,
            readout: Readout::SpatialMean,
        },
    },
    NetworkEntry {
        name: "mlp",
        summary: "hidden layers of linear map, norm, ReLU on the flattened image",
        form: Form {
            block: BlockKind::Linear,
            readout: Readout::Flatten,
        },
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

/// Builds a network.
///
/// # Errors
/// [`ModelError::Config`] if there is no such network, [`ModelError::Device`] if there is no such device, or the graph backend
/// is asked for without the feature `candle`.
pub fn build<T: Real>(
    config: &NetworkConfig,
    backend: Backend,
    device: DeviceSpec,
) -> Result<Box<dyn Network<T>>, ModelError> {
    let own = T::build(Architecture::new(config)?, backend, device)?;
    Ok(Box::new(WithHeads::new(own, backend, device)))
}

/// Where [`build`] becomes machine code, once for each precision.
///
/// A generic function is compiled in the crate that calls it, with that crate's optimisation level. The kernels must not
/// depend on who calls them, so they are instantiated here.
pub trait Instantiated: Sized {
    #[doc(hidden)]
    fn build(
        architecture: Architecture,
        backend: Backend,
        device: DeviceSpec,
    ) -> Result<Box<dyn Network<Self>>, ModelError>;
}

macro_rules! instantiate {
    ($float:ty) => {
        impl Instantiated for $float {
            fn build(
                architecture: Architecture,
                backend: Backend,
                device: DeviceSpec,
            ) -> Result<Box<dyn Network<Self>>, ModelError> {
                match backend {
                    Backend::Fused if device == DeviceSpec::Cpu => {
                        Ok(Box::new(FusedNetwork::<Self>::new(architecture)))
                    }
                    Backend::Fused => Err(ModelError::Device {
                        device: device.to_string(),
                        reason:
                            "the fused backend runs on the processor; use the graph backend there"
                                .to_owned(),
                    }),
                    #[cfg(feature = "candle")]
                    Backend::Graph => Ok(Box::new(GraphNetwork::new(architecture, device)?)),
                    #[cfg(not(feature = "candle"))]
                    Backend::Graph => Err(ModelError::Device {
                        device: device.to_string(),
                        reason:
                            "this program was compiled without the graph backend; rebuild with \
                                 --features candle, or use the fused backend"
                                .to_owned(),
                    }),
                }
            }
        }
    };
}

instantiate!(f32);
instantiate!(f64);
