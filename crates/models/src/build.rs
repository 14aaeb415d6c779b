//! A network by its configuration, on either backend.

use std::any::{Any, TypeId};

use crate::fused::FusedNetwork;
#[cfg(feature = "candle")]
use crate::graph::GraphNetwork;
use crate::heads::WithHeads;
use crate::registry::Beside;
use crate::{Architecture, Backend, DeviceSpec, ModelError, Network, NetworkConfig, Real};

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
    let whole = Architecture::new(config)?;
    let plain = Architecture::new(&config.clone().with_beside(Beside::Nothing)?)?;
    let own = with_own_head(plain, backend, device)?;
    Ok(Box::new(WithHeads::new(own, &whole, backend, device)))
}

/// The network with the one head that its architecture has.
///
/// A generic function is compiled in the crate that calls it, with that crate's optimisation level. The kernels must not
/// depend on who calls them, so both precisions are made by functions that are not generic, and the one that is asked for is handed on.
pub(crate) fn with_own_head<T: Real>(
    architecture: Architecture,
    backend: Backend,
    device: DeviceSpec,
) -> Result<Box<dyn Network<T>>, ModelError> {
    let made: Box<dyn Any> = if TypeId::of::<T>() == TypeId::of::<f32>() {
        Box::new(single(architecture, backend, device)?)
    } else {
        Box::new(double(architecture, backend, device)?)
    };
    match made.downcast::<Box<dyn Network<T>>>() {
        Ok(network) => Ok(*network),
        Err(_) => Err(ModelError::Device {
            device: device.to_string(),
            reason: "the networks compute in f32 and f64 alone".to_owned(),
        }),
    }
}

macro_rules! instantiate {
    ($name:ident, $float:ty) => {
        fn $name(
            architecture: Architecture,
            backend: Backend,
            device: DeviceSpec,
        ) -> Result<Box<dyn Network<$float>>, ModelError> {
            match backend {
                Backend::Fused if device == DeviceSpec::Cpu => {
                    Ok(Box::new(FusedNetwork::<$float>::new(architecture)))
                }
                Backend::Fused => Err(ModelError::Device {
                    device: device.to_string(),
                    reason: "the fused backend runs on the processor; use the graph backend there"
                        .to_owned(),
                }),
                #[cfg(feature = "candle")]
                Backend::Graph => Ok(Box::new(GraphNetwork::new(architecture, device)?)),
                #[cfg(not(feature = "candle"))]
                Backend::Graph => Err(ModelError::Device {
                    device: device.to_string(),
                    reason: "this program was compiled without the graph backend; rebuild with \
                             --features candle, or use the fused backend"
                        .to_owned(),
                }),
            }
        }
    };
}

instantiate!(single, f32);
instantiate!(double, f64);
