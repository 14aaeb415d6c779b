//! Rows of the table of key factors from the runs of a study, and what its factors are to a tree.

use super::tree::Domain;
use crate::failure::by_itself;
use crate::options::Options;
use crate::record::Run;
pub use crate::record::factors::{Factor, FactorRun, FactorTable, Scale};
use crate::summary::mean;

impl Scale {
    pub(super) fn domain(&self) -> Domain {
        match self {
            Self::Linear { .. } | Self::Logarithmic { .. } => Domain::Unit,
            Self::Categories(names) => Domain::Categories(names.len()),
        }
    }
}

impl FactorRun {
    /// A run of a study as a row: its response is the mean accuracy over tasks; it failed by the rules of
    /// [`failures`](crate::failure::failures) but that on outliers, since runs of other levels are other learners.
    #[must_use]
    pub fn of(run: &Run, levels: Vec<f64>, streams: Vec<String>, options: &Options) -> Self {
        let scores = run.task_accuracies().unwrap_or_default();
        let response = (!scores.is_empty()).then(|| mean(&scores));
        Self {
            id: run.id.clone(),
            levels,
            streams,
            failed: !by_itself(run, run.chance(), options).is_empty(),
            response,
            scores,
            fingerprint: run.fingerprint.clone(),
        }
    }
}

impl FactorTable {
    pub(super) fn domains(&self) -> Vec<Domain> {
        self.factors
            .iter()
            .map(|factor| factor.scale.domain())
            .collect()
    }
}
