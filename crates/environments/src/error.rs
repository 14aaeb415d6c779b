//! What can go wrong. A policy that blows up is a result, and no error.

use metastable_models::ModelError;
use thiserror::Error;

/// A mistake of the caller, or an error of the network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A value that a setting cannot have.
    #[error("{setting} = {got}: {advice}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        got: String,
        /// What would be right.
        advice: &'static str,
    },
    /// Whoever makes rollouts elsewhere failed.
    #[error(transparent)]
    Elsewhere(Box<dyn std::error::Error + Send + Sync>),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What this crate returns.
pub type Result<V, E = EnvironmentError> = std::result::Result<V, E>;

/// Refuses a setting unless `holds`, which is stated positively so that NaN fails it.
pub(crate) fn require(
    holds: bool,
    setting: &'static str,
    got: impl ToString,
    advice: &'static str,
) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(EnvironmentError::Setting {
            setting,
            got: got.to_string(),
            advice,
        })
    }
}
