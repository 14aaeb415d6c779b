//! Meta-learners, and the outer loop that trains them.
//!
//! A [`Learner`] turns a [`Task`] into a [`MetaGradient`] ([`Train`]) and a trained theta into a [`Prediction`]
//! ([`Predict`]), and claims what else it can do ([`InnerLoop`], [`Differentiable`]); [`LEARNERS`] has
//! MAML with the exact second-order meta-gradient, first-order MAML, Prototypical and Matching Networks. A [`Trainer`]
//! makes outer steps one at a time; [`evaluate()`] and [`curves`] measure what came of it.
//!
//! Everything is generic over `f32` and `f64`, knows networks only through [`metastable_models::Network`], and gives
//! the same bits at any number of threads. Deliberately not here: files, progress bars, aggregate statistics. Start
//! reading at [`learner`], then [`maml`].
//!
//! # Example
//! Two outer steps of MAML on a toy source of tasks (each class a level of grey), then a test:
//!
//! ```
//! use metastable_algorithms::{LearnerConfig, Outcome, Task, TrainConfig, TrainState, Trainer, evaluate};
//! use metastable_data::{EpisodeShape, Seeds, Stream};
//! use metastable_models::{Architecture, Backend, DeviceSpec, ImageShape, NetworkConfig, Norm, build};
//!
//! let network_config = NetworkConfig {
//!     name: "mlp".to_owned(),
//!     form: None,
//!     image: ImageShape { height: 2, width: 2, channels: 1 },
//!     n_blocks: 1,
//!     width: 8,
//!     norm: Norm::None,
//!     n_way: Some(2), // MAML works on a head
//! };
//! let network = build::<f32>(&network_config, Backend::default(), DeviceSpec::Cpu)?;
//! let theta = Architecture::new(&network_config)?.initial_params(&mut Seeds::all(0).rng(Stream::Init, 0));
//!
//! // A pure function of the index; with real data: Task::gather(&dataset, &sampler.episode(&seeds, index)).
//! let shape = EpisodeShape { n_way: 2, k_shot: 1, n_query: 1 };
//! let tasks = |index: u64| {
//!     let level = (index % 5) as f32 / 10.0;
//!     let images = [level, 1.0 - level, level, 1.0 - level].map(|grey| [grey; 4]);
//!     Task::new(shape, images.concat())
//! };
//!
//! let learner = LearnerConfig::named("maml").with("inner_lr", 0.1).with("inner_steps", 3).validate()?;
//! let config = TrainConfig { outer_steps: 2, validation_tasks: 5, ..TrainConfig::default() };
//! let state = TrainState::new(&*network, &config.optimizer, theta);
//! let mut trainer = Trainer::new(&*network, learner.single(), &tasks, &tasks, config.validate()?, state)?;
//! while let Some(report) = trainer.step()? {
//!     assert!(report.loss.is_finite());
//! }
//! assert_eq!(trainer.outcome(), Some(Outcome::Completed));
//!
//! let test = evaluate(&*network, learner.single(), &trainer.state().weights, &tasks, 10)?;
//! assert_eq!(test.predictions.len(), 10 * shape.n_queries());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Adding a learner
//! One file with a [`LearnerEntry`] (name, citation, settings with `deny_unknown_fields`, how to build it) and one line in
//! [`LEARNERS`]. The batteries in `tests/it` then run on it. Another crate keeps entries of its own, and builds from them
//! with [`LearnerConfig::validate_among`]. A learner whose direction is the gradient of a loss claims [`Differentiable`],
//! one that adapts in steps [`InnerLoop`]; [`check`] tests what is claimed, and nothing else. One that takes gradient steps
//! on the supports holds an [`Adaptation`], and writes its outer direction alone ([`reptile`]).

pub mod adaptation;
pub mod anil;
mod annealing;
pub mod baseline;
pub mod baseline_pp;
pub mod boil;
pub mod check;
mod checkpoints;
pub mod context;
pub mod entry;
pub mod episodes;
pub mod error;
pub mod evaluate;
mod features;
pub mod fomaml;
mod head_descent;
pub mod heads;
pub mod imaml;
pub mod inner;
pub mod learner;
pub mod maml;
pub mod maml_pp;
pub mod matching;
pub mod meta_sgd;
pub mod metric;
mod minibatch;
pub mod nearest_mean;
pub mod outer;
pub mod prediction;
pub mod pretraining;
pub mod protonet;
pub mod r2d2;
mod rated;
mod rates;
pub mod registry;
pub mod regression;
pub mod reptile;
pub mod simple_shot;
mod small;
pub mod support_maml;
pub mod task;

pub use adaptation::{Adaptation, Adapts};
pub use context::{Batch, Context};
pub use entry::{AnyLearner, CheckedLearner, Head, LearnerConfig, LearnerEntry};
pub use episodes::Episodes;
pub use error::{AlgorithmError, Result};
pub use evaluate::{
    CURVE_FACTOR, Curves, Evaluation, Judged, curves, curves_over, evaluate, evaluate_together,
};
pub use heads::HeadStart;
pub use inner::{Moves, Trajectory};
pub use learner::{
    Anatomy, Differentiable, InnerLoop, Learner, MetaGradient, NonFinite, Predict, Train,
};
pub use outer::{
    BestWeights, BlockState, Divergence, FirstOrderBias, InnerObservation, Inspection, MeanCurve,
    NormDrift, OBSERVED_TASKS, Observation, OptimizerConfig, Outcome, Revalidation, ScheduleConfig,
    Signal, StepReport, TaskWeighting, TrainConfig, TrainState, Trainer, Validation, Weights,
    revalidate,
};
pub use prediction::{Curve, Prediction};
pub use registry::LEARNERS;
pub use regression::{Regressed, regress};
pub use task::{Targets, Task, TaskSource};

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
