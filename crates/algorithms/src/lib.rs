//! Meta-learners, and the outer loop that trains them.

pub mod error;
pub mod evaluate;
pub mod fomaml;
pub mod inner;
pub mod learner;
pub mod maml;
pub mod matching;
pub mod metric;
pub mod outer;
pub mod protonet;
pub mod registry;
pub mod task;

pub use error::AlgorithmError;
pub use evaluate::{Curves, Evaluation, curves, evaluate};
pub use inner::Trajectory;
pub use learner::{Curve, Learner, MetaGradient, NonFinite, Prediction};
pub use outer::{
    Checkpoint, Divergence, OptimizerConfig, Outcome, ScheduleConfig, StepReport, TrainConfig,
    TrainState, Trainer, Validation, Weights,
};
pub use registry::{AnyLearner, CheckedLearner, Head, LEARNERS, LearnerConfig, LearnerEntry};
pub use task::{Task, TaskSource};
