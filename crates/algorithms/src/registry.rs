//! The learners: a new one is one file and one line in [`LEARNERS`].

use crate::{
    AlgorithmError, CheckedLearner, LearnerConfig, LearnerEntry, anil, baseline, baseline_pp, boil,
    fomaml, imaml, maml, maml_pp, matching, meta_sgd, nearest_mean, protonet, r2d2, reptile,
    simple_shot, support_maml,
};

/// Every learner, in the order in which lists and reports show them.
pub const LEARNERS: &[&LearnerEntry] = &[
    &maml::ENTRY,
    &fomaml::ENTRY,
    &maml_pp::ENTRY,
    &imaml::ENTRY,
    &meta_sgd::ENTRY,
    &support_maml::ENTRY,
    &anil::ENTRY,
    &boil::ENTRY,
    &reptile::ENTRY,
    &protonet::ENTRY,
    &matching::ENTRY,
    &r2d2::ENTRY,
    &nearest_mean::ENTRY,
    &simple_shot::ENTRY,
    &baseline::ENTRY,
    &baseline_pp::ENTRY,
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
