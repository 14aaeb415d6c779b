//! Stability statistics for meta-learning: how far can a score be trusted?
//!
//! Plain tables in, numbers out; nothing here knows a tensor, a file or a terminal, so tables from any laboratory
//! serve. Five entries:
//!
//! - rows of scores, from memory or from a reader: [`Study::from_rows`] and [`Study::read_rows`], then [`analyze`] and
//!   [`report::markdown`] or [`report::html`]; scores of any scale by [`Options::scale`];
//! - a table in which runs lack some tasks: [`incomplete`];
//! - a table of scores: [`ScoreMatrix`], then [`spread::spread`], [`components::components`], [`tail::tail`], ...
//! - a whole study: [`Study`], then [`analyze`], which computes every metric of the [`registry`] with and without
//!   failed runs, and says in plain sentences what can be said;
//! - plain slices: [`calibration`], [`spectrum`] (Lanczos and Hutchinson on any product with a symmetric matrix),
//!   [`similarity`] (CKA, effective rank), [`separation`], [`support_draws`], [`dynamics`], [`gradient`], [`trend`].
//!
//! A study of settings and of sources of chance has a table of its own: [`factors`].
//!
//! ```
//! use metastable_analysis::{ScoreMatrix, components::components, spread::spread};
//!
//! // Accuracy of 3 trainings (rows) on the same 4 tasks (columns).
//! let scores = ScoreMatrix::from_rows(&[
//!     [0.96, 0.88, 0.92, 1.00],
//!     [0.92, 0.84, 0.92, 0.96],
//!     [0.98, 0.90, 0.96, 1.00],
//! ])?;
//! let printed = &spread(&scores, 0.95)?.runs[0].printed;
//! let honest = components(&scores, None, 0.95)?;
//! // What a paper would print for the first run, and what another training on other tasks may give:
//! assert_eq!(format!("{:.3} +- {:.3}", 0.94, printed.half_width()), "0.940 +- 0.051");
//! assert_eq!(format!("{:.3} +- {:.3}", honest.mean, honest.interval.half_width()), "0.937 +- 0.073");
//! // Share of that uncertainty which comes from the seed:
//! assert_eq!(format!("{:.2}", honest.run.share), "0.26");
//! # Ok::<(), metastable_analysis::AnalysisError>(())
//! ```
//!
//! Accuracies are fractions, 0 to 1; steps are outer steps; losses are nats. Everything random is keyed: the same
//! table, options and seed give the same bits at any number of threads.
//!
//! To add a metric, write one file (result type, pure function, `METRIC` constant; [`spread`] is the pattern) and one
//! line in [`registry`]. Results lie in [`Measures`] and come out typed: `learner.all.get::<spread::Spread>()`.

mod error;

pub mod record;
pub mod training;

pub mod aggregate;
pub mod between_settings;
pub mod churn;
pub mod comparison;
pub mod components;
pub mod confusion;
mod crossed;
pub mod curves;
pub mod difficulty;
pub mod domains;
pub mod factors;
pub mod failure;
pub mod fingerprint;
pub mod hardness;
pub mod incomplete;
pub mod moderation;
pub mod over_settings;
pub mod planner;
pub mod probe;
pub mod replacement;
pub mod reproduction;
pub mod rows;
pub mod spread;
pub mod steadiness;
pub mod tail;
mod tail_null;
pub mod threshold;
pub mod transfer;
pub mod validation;
pub mod welch;

pub mod calibration;
pub mod dynamics;
pub mod gate;
pub mod gradient;
mod jackknife;
mod kurtosis;
pub mod landscape;
pub mod separation;
pub mod similarity;
pub mod spectrum;
pub mod support_draws;
pub mod support_search;
pub mod task_distance;
pub mod trend;

mod bootstrap;
pub mod distribution;
pub mod estimate;
pub mod findings;
pub mod group;
pub mod metric;
mod multiplicity;
pub mod optimum;
pub mod options;
pub mod outcome;
pub mod promises;
mod random;
pub mod regression;

pub mod registry;
pub mod report;
pub mod robust;
pub mod scale;
pub mod scores;
pub mod summary;
mod words;

pub use error::AnalysisError;
pub use estimate::{Estimate, Interval};
pub use findings::{Certainty, Finding};
pub use metric::{Measure, Measures};
pub use options::{Options, TestPool, Threshold};
pub use outcome::{LearnerAnalysis, SettingAnalysis, StudyAnalysis, analyze, analyze_with};
pub use probe::Probe;
pub use record::{Adaptation, Outcome, Progress, Run, Study, TaskScores, Test};
pub use replacement::Replacement;
pub use scale::ScoreScale;
pub use scores::ScoreMatrix;

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
