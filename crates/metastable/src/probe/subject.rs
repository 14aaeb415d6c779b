//! A trained learner that can be asked: network, settings, weights, and the test classes of its run.

use anyhow::{Context, Result, anyhow};
use metastable_algorithms::{CheckedLearner, Learner, Prediction, Task, Weights};
use metastable_data::{Episode, EpisodeShape, MetaSplit, Rotations, Sampler, Seeds};
use metastable_models::{Network, Params, Statistics};

use crate::run::checkpoint::Stored;
use crate::run::{Material, RunConfig};

/// Queries of a class where the question costs many passes.
pub(super) const FEW_QUERIES: usize = 5;

/// What the questions are asked of.
pub(super) struct Subject<'m> {
    pub(super) config: RunConfig,
    pub(super) weights: Weights<f32>,
    /// Outer steps of the weights.
    pub(super) step: usize,
    /// Those after the last step, with its number, where they are known.
    pub(super) last: Option<(usize, Weights<f32>)>,
    pub(super) network: Box<dyn Network<f32>>,
    pub(super) material: &'m Material,
    learner: CheckedLearner,
}

impl<'m> Subject<'m> {
    pub(super) fn new(stored: Stored, material: &'m Material) -> Result<Self> {
        let config = stored.config;
        let compute = &config.compute;
        let device = compute.device.parse()?;
        Ok(Self {
            network: metastable_models::build(&config.network, compute.backend, device)?,
            learner: config.learner.validate()?,
            weights: stored.weights,
            step: stored.step,
            last: None,
            material,
            config,
        })
    }

    /// The same with the weights after the last step of its training.
    pub(super) fn with_last(self, last: Stored) -> Self {
        Self {
            last: Some((last.step, last.weights)),
            ..self
        }
    }

    pub(super) fn learner(&self) -> &dyn Learner<f32> {
        self.learner.single()
    }

    /// The learner in either precision.
    pub(super) fn checked(&self) -> &CheckedLearner {
        &self.learner
    }

    /// The same learner with another inner step size; none for a learner without an inner loop.
    pub(super) fn with_step_size(&self, alpha: f64) -> Result<Option<CheckedLearner>> {
        if self.learner().inner_steps().is_none() {
            return Ok(None);
        }
        let config = self.config.learner.clone().with("inner_lr", alpha);
        Ok(Some(config.validate()?))
    }

    /// The same learner with another number of inner steps at test; as it is, if none is given.
    pub(super) fn with_inner_steps(&self, n_steps: Option<usize>) -> Result<CheckedLearner> {
        let config = self.config.learner.clone();
        let config = match n_steps {
            None => config,
            Some(n_steps) => config.with("test_inner_steps", n_steps),
        };
        Ok(config.validate()?)
    }

    /// A setting of the learner that is a number.
    pub(super) fn setting(&self, name: &str) -> Result<f64> {
        let value = self.learner.config().settings.get(name);
        let number = value.and_then(serde_json::Value::as_f64);
        number.ok_or_else(|| anyhow!("the learner has no setting {name}, which is a bug"))
    }

    pub(super) fn theta(&self) -> &Params<f32> {
        &self.weights.theta
    }

    pub(super) fn statistics(&self) -> Statistics<'_, f32> {
        self.weights.statistics()
    }

    /// Shape of the test episodes of the run.
    pub(super) fn test_shape(&self) -> EpisodeShape {
        test_shape(&self.config)
    }

    /// The seeds of the test list: what every run of a study is asked about.
    pub(super) fn seeds(&self) -> Seeds {
        self.config.seeds.evaluation()
    }

    /// A sampler of test episodes of another shape.
    pub(super) fn sampler(&self, shape: EpisodeShape) -> Result<Sampler> {
        let rotations = self.config.data.test_rotations.parse()?;
        self.sampler_of(MetaSplit::Test, shape, rotations)
    }

    /// A sampler of episodes of a part of the classes.
    pub(super) fn sampler_of(
        &self,
        part: MetaSplit,
        shape: EpisodeShape,
        rotations: Rotations,
    ) -> Result<Sampler> {
        let (dataset, split) = (&self.material.dataset, &self.material.split);
        let within = self.config.data.within_alphabet;
        Sampler::new(dataset, split.classes(part), shape, rotations, within).with_context(|| {
            format!(
                "while asking for {}-way {}-shot episodes with {} queries a class",
                shape.n_way, shape.k_shot, shape.n_query
            )
        })
    }

    /// Images of the smallest test class.
    pub(super) fn fewest_images(&self) -> usize {
        self.material.fewest_images(MetaSplit::Test)
    }

    /// The episode's images.
    pub(super) fn gather(&self, episode: &Episode) -> Result<Task<f32>> {
        Ok(Task::gather(&self.material.dataset, episode)?)
    }

    pub(super) fn predict(&self, task: &Task<f32>) -> Result<Prediction<f32>> {
        let learner = self.learner();
        Ok(learner.predict(&*self.network, self.theta(), self.statistics(), task)?)
    }

    /// Accuracy and mean loss on the task's own queries.
    pub(super) fn judge(&self, task: &Task<f32>) -> Result<(f64, f64)> {
        self.judge_at(&self.weights, task)
    }

    /// The same of other weights of the same training.
    pub(super) fn judge_at(&self, weights: &Weights<f32>, task: &Task<f32>) -> Result<(f64, f64)> {
        let (network, theta) = (&*self.network, &weights.theta);
        let prediction = self
            .learner()
            .predict(network, theta, weights.statistics(), task)?;
        let accuracy = prediction.accuracy(task.query_labels());
        Ok((accuracy, f64::from(prediction.query_loss)))
    }
}

/// Shape of the test episodes of a run.
fn test_shape(config: &RunConfig) -> EpisodeShape {
    let test = &config.test;
    EpisodeShape {
        n_way: test.way,
        k_shot: test.shot,
        n_query: test.query,
    }
}

/// The same with few queries, for questions that cost many passes.
pub(super) fn small_shape(config: &RunConfig) -> EpisodeShape {
    let shape = test_shape(config);
    EpisodeShape {
        n_query: shape.n_query.min(FEW_QUERIES),
        ..shape
    }
}
