//! The outer loop: optimizer, schedule, training state, trainer; and what is seen of a training on the way.

mod budget;
pub mod config;
pub mod inspection;
pub mod observation;
pub mod optimizer;
pub mod outcome;
pub mod revalidate;
pub mod schedule;
pub mod signal;
pub mod state;
pub mod trainer;
pub mod weighting;

pub use config::{TrainConfig, TrainPlan};
pub use inspection::{BlockState, Inspection, MeanCurve, NormDrift};
pub use observation::{FirstOrderBias, InnerObservation, OBSERVED_TASKS, Observation};
pub use optimizer::OptimizerConfig;
pub use outcome::{Divergence, Outcome};
pub use revalidate::{Revalidation, revalidate};
pub use schedule::ScheduleConfig;
pub use signal::Signal;
pub use state::{BestWeights, TrainState, Weights};
pub use trainer::{StepReport, Trainer, Validation};
pub use weighting::TaskWeighting;
