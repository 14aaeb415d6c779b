//! The learners: a new one is one file and one line in [`LEARNERS`].

use crate::{
    AlgorithmError, CheckedLearner, LearnerConfig, LearnerEntry, anil, fomaml, maml, matching,
    protonet, reptile,
};

/// Every learner, in the order in which lists and reports show them.
pub const LEARNERS: &[&LearnerEntry] = &[
    &maml::ENTRY,
    &fomaml::ENTRY,
    &anil::ENTRY,
    &reptile::ENTRY,
    &protonet::ENTRY,
    &matching::ENTRY,
];

impl LearnerConfig {
    /// Checks name, settings and bounds, and builds the learner, which is one of [`LEARNERS`].
    ///
    /// # Errors
    /// [`AlgorithmError::UnknownLearner`], [`AlgorithmError::Settings`] (unknown name, wrong type),
    /// [`AlgorithmError::Setting`] (out of bounds).
    pub fn validate(&self) -> Result<CheckedLearner, AlgorithmError> {
        self.validate_among(LEARNERS)
    }
}
