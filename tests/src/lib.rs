//! Cross-crate scenarios live in `tests/it`; this library holds what they share: a whole training without the runner,
//! as a stranger would write it with the four crates.

use std::error::Error;

use metastable_algorithms::{
    AlgorithmError, Episodes, Evaluation, LearnerConfig, OptimizerConfig, Task, TrainConfig,
    TrainState, Trainer, evaluate,
};
use metastable_data::{
    Dataset, Episode, EpisodeShape, MetaSplit, Rotations, Sampler, Seeds, Split, Stream,
    list_digest,
};
use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, NetworkConfig, Norm, build,
};

/// Anything that can go wrong in a scenario.
pub type Failure = Box<dyn Error + Send + Sync>;

/// One training and its test.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The learner and its settings.
    pub learner: LearnerConfig,
    /// Size of all episodes.
    pub shape: EpisodeShape,
    /// Outer steps.
    pub outer_steps: usize,
    /// Tasks of an outer step.
    pub meta_batch: usize,
    /// Filters of each convolution.
    pub width: usize,
    /// Test episodes.
    pub n_tasks: usize,
    /// Seed of the bundle.
    pub seed: u64,
}

/// What a scenario leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The weights after the last step.
    pub theta: Vec<f32>,
    /// SHA-256 of the list of test episodes.
    pub test_list: String,
    /// Predictions before training, on the same test list.
    pub before: Evaluation,
    /// Predictions after training.
    pub after: Evaluation,
}

impl Scenario {
    /// Trains on one part of the split and tests on another, in rayon's current pool.
    ///
    /// # Errors
    /// Those of the crates; a training that diverges.
    pub fn run(&self, dataset: &Dataset, split: &Split) -> Result<Trace, Failure> {
        let learner = self.learner.validate()?;
        let head = learner.entry().head;
        let config = NetworkConfig {
            name: "conv4".to_owned(),
            form: None,
            image: ImageShape {
                height: dataset.size.height,
                width: dataset.size.width,
                channels: 1,
            },
            n_blocks: 4,
            width: self.width,
            norm: Norm::Batch,
            n_way: head.outputs(self.shape.n_way),
        };
        let config = config.with_beside(head.beside(split.classes(MetaSplit::Train).len()))?;
        let network = build::<f32>(&config, Backend::Fused, DeviceSpec::Cpu)?;
        let seeds = Seeds::all(self.seed);
        let theta = Architecture::new(&config)?.initial_params(&mut seeds.rng(Stream::Init, 0));
        let plan = TrainConfig {
            outer_steps: self.outer_steps,
            meta_batch: self.meta_batch,
            outer_lr: 3e-3,
            validate_every: 0,
            ..TrainConfig::default()
        };

        let sampler = |part| {
            let classes = split.classes(part);
            Sampler::new(dataset, classes, self.shape, Rotations::Off, false)
        };
        let (train, test) = (sampler(MetaSplit::Train)?, sampler(MetaSplit::Test)?);
        // As the runner does: the list is a matter of the stream `eval`, which is the same for every seed.
        let list = Seeds { eval: 0, ..seeds }.evaluation();
        let training = Episodes {
            dataset,
            sampler: train,
            seeds,
            pool: None,
        };
        let train_tasks = |index| training.task(index);
        let test_tasks = |index| gather(dataset, &test.episode(&list, index));

        let state = TrainState::new(&*network, &OptimizerConfig::default(), theta);
        let single = learner.single();
        let before = evaluate(&*network, single, &state.weights, &test_tasks, self.n_tasks)?;
        let mut trainer = Trainer::new(
            &*network,
            single,
            &train_tasks,
            &test_tasks,
            plan.validate()?,
            state,
        )?;
        while trainer.step()?.is_some() {}
        if trainer.outcome() != Some(metastable_algorithms::Outcome::Completed) {
            return Err(format!("the training ended with {:?}", trainer.outcome()).into());
        }
        let weights = trainer.into_state().weights;
        let after = evaluate(&*network, single, &weights, &test_tasks, self.n_tasks)?;
        Ok(Trace {
            test_list: list_digest(
                (0..self.n_tasks as u64).map(|index| test.episode(&list, index)),
            ),
            theta: weights.theta.values().to_vec(),
            before,
            after,
        })
    }
}

/// The task of an episode.
fn gather(dataset: &Dataset, episode: &Episode) -> Result<Task<f32>, AlgorithmError> {
    let mut images = Vec::new();
    episode.gather(dataset, &mut images);
    Task::new(episode.shape, images)
}

/// Does the work in a pool of so many threads.
///
/// # Errors
/// If the threads cannot be started.
pub fn with_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build()?;
    Ok(pool.install(work))
}
