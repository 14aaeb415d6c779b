//! What can go wrong between a caller and a learner. Numerical blow-up is not an error: see [`crate::Outcome`].

use metastable_data::EpisodeShape;
use metastable_models::ModelError;
use thiserror::Error;

/// What a learner returns.
pub type Result<V, E = AlgorithmError> = std::result::Result<V, E>;

/// A mistake of the caller, or an error of the network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// A learner that is not in [`crate::LEARNERS`].
    #[error("there is no learner `{name}`; known are {known}")]
    UnknownLearner {
        /// As the user wrote it.
        name: String,
        /// The registry, comma-separated.
        known: String,
    },
    /// Settings with a name or a type that the learner does not have.
    #[error("settings of learner `{learner}`: {source}")]
    Settings {
        /// The learner.
        learner: &'static str,
        /// Which name or type, and what would be right.
        #[source]
        source: serde_json::Error,
    },
    /// A value that a setting cannot have.
    #[error("{setting} = {got}: {advice}")]
    Setting {
        /// The setting, as written in a study.
        setting: &'static str,
        /// Its value.
        got: String,
        /// What would be right.
        advice: &'static str,
    },
    /// An episode without classes, supports or queries.
    #[error("an episode needs at least one class, support and query, but has {shape:?}")]
    EmptyEpisode {
        /// What was asked for.
        shape: EpisodeShape,
    },
    /// Images that do not fit the episode.
    #[error(
        "{n_values} pixel values cannot be {n_images} images of one size (episode of {shape:?})"
    )]
    Images {
        /// Values received.
        n_values: usize,
        /// Images the episode has.
        n_images: usize,
        /// Its shape.
        shape: EpisodeShape,
    },
    /// A head whose number of outputs is not the number of classes.
    #[error(
        "the network has {n_outputs} outputs but the episode is {n_way}-way; \
         a learner with a linear head is bound to the way it was trained for: test it at that way, \
         or train it with head = \"prototypes\" or \"tied\", which know any way"
    )]
    Ways {
        /// Outputs of the network.
        n_outputs: usize,
        /// Classes of the episode.
        n_way: usize,
    },
    /// Something about classes, asked of a task of numbers.
    #[error(
        "{what} needs classes, and the tasks are regressions, whose targets are numbers; \
         take a learner that adapts a head to them (maml, fomaml, anil, boil, reptile, imaml, maml-pp, support-maml)"
    )]
    NoClasses {
        /// What needs them.
        what: &'static str,
    },
    /// More classes than a byte can name.
    #[error("{n_way}-way predictions do not fit into bytes; at most 256 classes are possible")]
    TooManyWays {
        /// Classes of the episode.
        n_way: usize,
    },
    /// Tensors or metadata that are no training state of this network and optimizer.
    #[error("training state: {what} {problem}")]
    State {
        /// Tensor or metadata key.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The source of tasks failed.
    #[error("task {index} could not be made")]
    Task {
        /// Index of the episode.
        index: u64,
        /// The source's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A learner whose answers come from outside of this program failed.
    #[error(transparent)]
    Outside(Box<dyn std::error::Error + Send + Sync>),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Refuses a setting unless `holds`, which is stated positively so that NaN fails it.
pub(crate) fn require(
    holds: bool,
    setting: &'static str,
    got: impl ToString,
    advice: &'static str,
) -> Result<(), AlgorithmError> {
    if holds {
        Ok(())
    } else {
        Err(AlgorithmError::Setting {
            setting,
            got: got.to_string(),
            advice,
        })
    }
}
