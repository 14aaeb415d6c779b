//! Stability statistics for meta-learning: how far can a score be trusted?
//!
//! Plain tables in, numbers out; nothing here knows a tensor, a file or a terminal.

mod error;

pub mod record;

pub mod aggregate;
pub mod churn;
pub mod comparison;
pub mod components;
pub mod confusion;
pub mod curves;
pub mod difficulty;
pub mod failure;
pub mod spread;
pub mod tail;
pub mod threshold;
pub mod transfer;

mod bootstrap;
pub mod distribution;
pub mod estimate;
pub mod findings;
pub mod group;
pub mod metric;
pub mod options;
pub mod outcome;
mod random;

pub mod registry;
pub mod robust;
pub mod scores;
pub mod summary;

pub use error::AnalysisError;
pub use estimate::{Estimate, Interval};
pub use findings::{Certainty, Finding};
pub use metric::{Measure, Measures};
pub use options::{Options, TestPool, Threshold};
pub use outcome::{LearnerAnalysis, SettingAnalysis, StudyAnalysis, analyze};
pub use record::{Adaptation, Outcome, Progress, Run, Study, Test};
pub use scores::ScoreMatrix;
