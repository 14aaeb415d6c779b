//! What can go wrong between a caller and a network.

use thiserror::Error;

/// A mistake of the caller, or an error of the portable path's library. Numerical blow-up is neither.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A length that does not fit the network.
    #[error("{what} has {got} values where {expected} are expected")]
    Length {
        /// Which argument.
        what: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Number of values received.
        got: usize,
    },
    /// A label that is not a class of the objective.
    #[error("label {label} of row {row} is not less than n_way = {n_way}")]
    Label {
        /// The judged row.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        n_way: usize,
    },
    /// A configuration that no network can have.
    #[error("{what} = {got}: {advice}")]
    Config {
        /// The setting.
        what: &'static str,
        /// Its value.
        got: String,
        /// What would be right.
        advice: String,
    },
    /// candle would return a wrong second derivative on this thread.
    #[error(
        "candle detaches gradients on this thread, so its second derivatives are wrong; \
         set CANDLE_GRAD_DO_NOT_DETACH=1 before the process starts, or use the fused backend"
    )]
    SecondOrderUnavailable,
    /// A device that is not there, or for which this program was not compiled.
    #[error("device {device} is not available: {reason}")]
    Device {
        /// As the user wrote it.
        device: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A checkpoint that is damaged, or does not fit the network.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// Where it came from.
        path: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An error of the file system.
    #[error("cannot read or write {path}")]
    Io {
        /// The file.
        path: String,
        /// The system's own words.
        #[source]
        source: std::io::Error,
    },
    /// A network that is outside of this program failed, or cannot do what it was asked.
    #[error(transparent)]
    Outside(Box<dyn std::error::Error + Send + Sync>),
    /// An error of candle.
    #[cfg(feature = "candle")]
    #[error("candle failed in {during}")]
    Candle {
        /// The operation.
        during: &'static str,
        /// candle's own words.
        #[source]
        source: candle_core::Error,
    },
}
