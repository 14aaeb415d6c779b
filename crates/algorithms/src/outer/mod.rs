//! The outer loop: optimizer, schedule, training state, trainer.

pub mod config;
pub mod optimizer;
pub mod outcome;
pub mod schedule;
pub mod state;
pub mod trainer;

pub use config::{TrainConfig, TrainPlan};
pub use optimizer::OptimizerConfig;
pub use outcome::{Divergence, Outcome};
pub use schedule::ScheduleConfig;
pub use state::{BestWeights, TrainState, Weights};
pub use trainer::{StepReport, Trainer, Validation};
