//! A trained learner that can be asked: network, settings, weights, and the classes of its tasks.

use metastable_algorithms::{
    CheckedLearner, Context, Episodes, Learner, Prediction, Task, TrainConfig, Weights,
};
use metastable_data::{
    Dataset, Episode, EpisodeShape, Functions, MetaSplit, Rotations, Sampler, Seeds, Split,
    TaskPool,
};
use metastable_models::{Network, Params, Statistics};

use crate::error::{ProbeError, Result};

/// Queries of a class where the question costs many passes.
pub(crate) const FEW_QUERIES: usize = 5;

/// How a learner was trained and is tested.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The learner, with the settings of the training.
    pub learner: CheckedLearner,
    /// Shape of the training episodes.
    pub episode: EpisodeShape,
    /// Shape of the test episodes.
    pub test: EpisodeShape,
    /// Rotations of the training classes.
    pub rotations: Rotations,
    /// Rotations of the test classes.
    pub test_rotations: Rotations,
    /// Whether the classes of an episode come from one alphabet.
    pub within_alphabet: bool,
    /// The pool of training episodes; absent for endless ones.
    pub pool: Option<TaskPool>,
    /// The outer loop.
    pub training: TrainConfig,
    /// Every draw of training and test.
    pub seeds: Seeds,
}

/// What the questions are asked of.
pub struct Subject<'m> {
    /// How it was trained.
    pub protocol: Protocol,
    /// The tested weights.
    pub weights: Weights<f32>,
    /// Outer steps of the weights.
    pub step: usize,
    /// Those after the last step, with its number, where they are known.
    pub last: Option<(usize, Weights<f32>)>,
    /// The network.
    pub network: Box<dyn Network<f32>>,
    /// Networks that end after the first block, the second, and so on, with the names of the whole one's parameters. Empty if
    /// there are none: questions about features are left out then.
    pub blocks: Vec<Box<dyn Network<f32>>>,
    /// The body by itself, with stored statistics where it normalises at all, so that what it makes of an image does not hang on the others
    /// of its batch; see [`crate::lifelong`]. None if there is none: questions about streams are left out then.
    pub still: Option<Box<dyn Network<f32>>>,
    /// Whether parameters and gradients are here to be looked at; those of a learner in another process are not, and questions
    /// about curvature and about paths between parameters are left out.
    pub is_open: bool,
    /// The images.
    pub dataset: &'m Dataset,
    /// Which classes are for training, validation and test.
    pub split: &'m Split,
    /// The training tasks of a regression, which has no images; absent for learners of classes.
    pub functions: Option<Functions>,
}

impl<'m> Subject<'m> {
    /// A learner with the `weights` after `step` outer steps, without blocks.
    #[must_use]
    pub fn new(
        protocol: Protocol,
        network: Box<dyn Network<f32>>,
        weights: Weights<f32>,
        step: usize,
        (dataset, split): (&'m Dataset, &'m Split),
    ) -> Self {
        Self {
            protocol,
            weights,
            step,
            last: None,
            network,
            blocks: Vec::new(),
            still: None,
            is_open: true,
            dataset,
            split,
            functions: None,
        }
    }

    pub(crate) fn learner(&self) -> &dyn Learner<f32> {
        self.protocol.learner.single()
    }

    /// The learner in either precision.
    pub(crate) fn checked(&self) -> &CheckedLearner {
        &self.protocol.learner
    }

    /// The episodes of the training.
    pub(crate) fn training(&self) -> Result<Episodes<'m>> {
        let protocol = &self.protocol;
        let (shape, rotations) = (protocol.episode, protocol.rotations);
        Ok(Episodes {
            dataset: self.dataset,
            sampler: self.sampler_of(MetaSplit::Train, shape, rotations)?,
            seeds: protocol.seeds,
            pool: protocol.pool,
        })
    }

    /// The same learner with another inner step size; none for a learner without an inner loop.
    pub(crate) fn with_step_size(&self, alpha: f64) -> Result<Option<CheckedLearner>> {
        if self.learner().inner_loop().is_none() {
            return Ok(None);
        }
        Ok(Some(self.protocol.learner.with("inner_lr", alpha)?))
    }

    /// The same learner with another number of inner steps at test; as it is, if none is given.
    pub(crate) fn with_inner_steps(&self, n_steps: Option<usize>) -> Result<CheckedLearner> {
        let learner = &self.protocol.learner;
        Ok(match n_steps {
            None => learner.clone(),
            Some(n_steps) => learner.with("test_inner_steps", n_steps)?,
        })
    }

    /// A setting of the learner that is a number.
    pub(crate) fn setting(&self, name: &str) -> Result<f64> {
        let value = self.protocol.learner.config().settings.get(name);
        let number = value.and_then(serde_json::Value::as_f64);
        number.ok_or_else(|| ProbeError::Setting {
            name: name.to_owned(),
        })
    }

    pub(crate) fn theta(&self) -> &Params<f32> {
        &self.weights.theta
    }

    pub(crate) fn statistics(&self) -> Statistics<'_, f32> {
        self.weights.statistics()
    }

    /// Shape of the test episodes of the run.
    pub(crate) fn test_shape(&self) -> EpisodeShape {
        self.protocol.test
    }

    /// The seeds of the test list: what every run of a study is asked about.
    pub(crate) fn seeds(&self) -> Seeds {
        self.protocol.seeds.evaluation()
    }

    /// A sampler of test episodes of another shape.
    pub(crate) fn sampler(&self, shape: EpisodeShape) -> Result<Sampler> {
        self.sampler_of(MetaSplit::Test, shape, self.protocol.test_rotations)
    }

    /// A sampler of episodes of a part of the classes.
    pub(crate) fn sampler_of(
        &self,
        part: MetaSplit,
        shape: EpisodeShape,
        rotations: Rotations,
    ) -> Result<Sampler> {
        let classes = self.split.classes(part);
        let within = self.protocol.within_alphabet;
        Sampler::new(self.dataset, classes, shape, rotations, within)
            .map_err(|source| ProbeError::Episodes { shape, source })
    }

    /// Images of the smallest test class.
    pub(crate) fn fewest_images(&self) -> usize {
        self.split.fewest_images(self.dataset, MetaSplit::Test)
    }

    /// The episode's images.
    pub(crate) fn gather(&self, episode: &Episode) -> Result<Task<f32>> {
        Ok(Task::gather(self.dataset, episode)?)
    }

    /// A task before the network, with the statistics of the tested weights.
    pub(crate) fn context<'a>(&'a self, task: &'a Task<f32>) -> Context<'a, f32> {
        self.context_of(&self.weights, task)
    }

    /// The same with those of other weights.
    pub(crate) fn context_of<'a>(
        &'a self,
        weights: &'a Weights<f32>,
        task: &'a Task<f32>,
    ) -> Context<'a, f32> {
        Context {
            network: &*self.network,
            statistics: weights.statistics(),
            task,
        }
    }

    pub(crate) fn predict(&self, task: &Task<f32>) -> Result<Prediction<f32>> {
        let learner = self.learner();
        Ok(learner.predict(&self.context(task), self.theta())?)
    }

    /// Accuracy and mean loss on the task's own queries.
    pub(crate) fn judge(&self, task: &Task<f32>) -> Result<(f64, f64)> {
        self.judge_at(&self.weights, task)
    }

    /// The same of other weights of the same training.
    pub(crate) fn judge_at(&self, weights: &Weights<f32>, task: &Task<f32>) -> Result<(f64, f64)> {
        let context = self.context_of(weights, task);
        let prediction = self.learner().predict(&context, &weights.theta)?;
        let accuracy = prediction.accuracy(task.query_labels());
        Ok((accuracy, f64::from(prediction.query_loss)))
    }
}

/// Shape of the test episodes with few queries, for questions that cost many passes.
pub(crate) fn small_shape(protocol: &Protocol) -> EpisodeShape {
    let shape = protocol.test;
    EpisodeShape {
        n_query: shape.n_query.min(FEW_QUERIES),
        ..shape
    }
}
