//! Where and by which code a network runs: the only place that knows about compiled-in accelerators.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// The code that runs a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Hand-derived layers with run-time SIMD ([`crate::fused`]); the processor only.
    #[default]
    Fused,
    /// Plain candle operations, on any device.
    Graph,
}

impl Backend {
    /// The faster backend of those that run on `device`.
    #[must_use]
    pub fn for_device(device: DeviceSpec) -> Self {
        match device {
            DeviceSpec::Cpu => Self::Fused,
            DeviceSpec::Cuda(_) | DeviceSpec::Metal => Self::Graph,
        }
    }
}

/// A device as the user writes it: `cpu`, `cuda:N` (`cuda` is `cuda:0`), `metal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceSpec {
    /// The processor; always there.
    #[default]
    Cpu,
    /// The NVIDIA card of that number; needs the feature `cuda`.
    Cuda(usize),
    /// Apple's graphics; needs the feature `metal`. Has no double precision.
    Metal,
}

impl DeviceSpec {
    /// Opens the device.
    ///
    /// # Errors
    /// [`ModelError::Device`] if this program was compiled without it, or the machine does not have it.
    pub fn open(self) -> Result<Device, ModelError> {
        let unavailable = |reason: String| ModelError::Device {
            device: self.to_string(),
            reason,
        };
        let missing = |feature: &str| {
            unavailable(format!(
                "this program was compiled without it; rebuild with --features {feature}, or use cpu"
            ))
        };
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(missing("cuda")),
            Self::Metal if !cfg!(feature = "metal") => Err(missing("metal")),
            Self::Cuda(index) => {
                Device::new_cuda(index).map_err(|error| unavailable(error.to_string()))
            }
            Self::Metal => Device::new_metal(0).map_err(|error| unavailable(error.to_string())),
        }
    }
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceSpec {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let cuda = |index: &str| index.parse().ok().map(Self::Cuda);
        match text {
            "cpu" => Some(Self::Cpu),
            "metal" => Some(Self::Metal),
            "cuda" => Some(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(cuda),
        }
        .ok_or_else(|| ModelError::Device {
            device: text.to_owned(),
            reason: "no such device; write cpu, cuda:0 (or another number) or metal".to_owned(),
        })
    }
}

impl TryFrom<String> for DeviceSpec {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<DeviceSpec> for String {
    fn from(device: DeviceSpec) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["cpu", "cuda:0", "cuda:3", "metal"] {
            assert_eq!(text.parse::<DeviceSpec>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceSpec>().unwrap(), DeviceSpec::Cuda(0));
        for text in ["gpu", "cuda:", "cuda:x", "CPU", ""] {
            let message = text.parse::<DeviceSpec>().unwrap_err().to_string();
            assert!(message.contains("write cpu"), "{message}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn what_is_not_compiled_in_is_refused_with_advice() {
        let message = DeviceSpec::Cuda(0).open().unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
