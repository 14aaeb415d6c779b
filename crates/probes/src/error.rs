//! What can go wrong while a learner is asked.

use metastable_algorithms::AlgorithmError;
use metastable_analysis::AnalysisError;
use metastable_data::{DataError, EpisodeShape};
use metastable_models::ModelError;
use thiserror::Error;

/// An error of a question. A loss that is not finite is an answer, not an error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The classes cannot give the episodes that a question needs.
    #[error(
        "while asking for {}-way {}-shot episodes with {} queries a class",
        shape.n_way, shape.k_shot, shape.n_query
    )]
    Episodes {
        /// Shape of the episodes.
        shape: EpisodeShape,
        /// What the classes lack.
        source: DataError,
    },
    /// Another data set cannot give the test episodes.
    #[error("while drawing episodes of {set}")]
    Other {
        /// Name of the data set.
        set: String,
        /// What it lacks.
        source: DataError,
    },
    /// A size of a stream that the classes do not hold.
    #[error("{setting} = {got}: {advice}")]
    Stream {
        /// The size, as a study calls it.
        setting: &'static str,
        /// What was asked for.
        got: usize,
        /// What is there, and what to ask for.
        advice: String,
    },
    /// A learner with an inner loop lacks a numeric setting that the loop has to have.
    #[error("the learner has no numeric setting {name}; give it one in its LearnerConfig")]
    Setting {
        /// Name of the setting.
        name: String,
    },
    /// Images, classes or episodes.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The learner or its training.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// The statistics of the answers.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

/// The result of a question.
pub type Result<T, E = ProbeError> = std::result::Result<T, E>;
