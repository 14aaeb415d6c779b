//! What one run answered to the question of [`crate::probe::kinship`].

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, check_finite};

/// One run against others of its setting. Each pair stands with one of its runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The pairs.
    pub pairs: Vec<Pair>,
}

/// Two runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Identifier of the other run.
    pub other: String,
    /// Debiased linear CKA of each layer's features of the same images, from the first layer to the last: name, value;
    /// absent where a representation is constant.
    pub layers: Vec<(String, Option<f64>)>,
    /// Loss after adaptation in nats at evenly spaced points from this run's parameters to the other's, mean over tasks;
    /// empty for runs of different learners; a point that is not finite is absent.
    pub line: Vec<Option<f64>>,
}

impl Answers {
    pub(crate) fn check(&self, what: &str) -> Result<(), AnalysisError> {
        for pair in &self.pairs {
            let known: Vec<f64> = pair.layers.iter().filter_map(|(_, cka)| *cka).collect();
            check_finite(what, &known)?;
        }
        Ok(())
    }
}
