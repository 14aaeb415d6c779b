//! `--backend`.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Our CPU kernels
    Fused,
    /// Plain candle, any device
    Graph,
}

impl From<Backend> for metastable_models::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Fused => Self::Fused,
            Backend::Graph => Self::Graph,
        }
    }
}
