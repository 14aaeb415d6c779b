//! Where and by which code a network runs: the only place that knows about compiled-in accelerators.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "candle")]
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
    /// Plain candle operations, on any device; needs the feature `candle`.
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
    /// Whether the device can be opened.
    ///
    /// # Errors
    /// [`ModelError::Device`] if this program was compiled without it, or the machine does not have it.
    pub fn check(self) -> Result<(), ModelError> {
        self.compiled_in()?;
        #[cfg(feature = "candle")]
        self.open()?;
        Ok(())
    }

    fn compiled_in(self) -> Result<(), ModelError> {
        let missing = match self {
            Self::Cuda(_) if !cfg!(feature = "cuda") => "cuda",
            Self::Metal if !cfg!(feature = "metal") => "metal",
            Self::Cpu | Self::Cuda(_) | Self::Metal => return Ok(()),
        };
        Err(self.unavailable(format!(
            "this program was compiled without it; rebuild with --features {missing}, or use cpu"
        )))
    }

    fn unavailable(self, reason: String) -> ModelError {
        ModelError::Device {
            device: self.to_string(),
            reason,
        }
    }

    /// Opens the device for candle.
    ///
    /// # Errors
    /// [`ModelError::Device`] if this program was compiled without it, or the machine does not have it.
    #[cfg(feature = "candle")]
    pub fn open(self) -> Result<Device, ModelError> {
        self.compiled_in()?;
        let opened = match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(index) => Device::new_cuda(index),
            Self::Metal => Device::new_metal(0),
        };
        opened.map_err(|error| self.unavailable(error.to_string()))
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
        let message = DeviceSpec::Cuda(0).check().unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
