//! What shows in the code of a run, and what does not.

use std::sync::Arc;

use metastable_algorithms::OptimizerConfig;
use metastable_data::{Stream, TaskPool};
use metastable_models::{
    Backend, ImageShape, Init, Layout, ModelError, Norm, Objective, Params, Pass, Tape,
};

use super::*;
use crate::run::config::Compute;

fn config(learner: &str, norm: Norm) -> RunConfig {
    let has_head = learner.contains("maml");
    RunConfig {
        data: DataSettings::default(),
        glyphs: None,
        data_digest: String::from("of a data set"),
        split_digest: String::from("of a split"),
        episode: EpisodeShape {
            n_way: 3,
            k_shot: 1,
            n_query: 5,
        },
        episode_sizes: Sizes::default(),
        pool: None,
        test: TestSettings {
            way: 3,
            ..TestSettings::default()
        },
        network: NetworkConfig {
            name: String::from("conv4"),
            form: None,
            image: ImageShape {
                height: 14,
                width: 14,
                channels: 1,
            },
            n_blocks: 2,
            width: 32,
            norm,
            n_way: has_head.then_some(3),
        },
        init: Init::default(),
        learner: LearnerConfig::named(learner),
        training: TrainConfig::default(),
        seeds: Seeds::all(3),
        repetition: 0,
        log_every: 10,
        compute: Compute::new(None, None).unwrap(),
        numerics: Numerics::default(),
    }
}

fn code(config: &RunConfig) -> String {
    Codes::default().of(config).unwrap()
}

#[test]
fn amounts_seeds_and_threads_do_not_show() {
    let plain = config("maml", Norm::Batch);
    let expected = code(&plain);
    let mut other = plain.clone();
    other.seeds = Seeds::all(9);
    other.training.outer_steps = 70_000;
    other.training.outer_lr = 0.02;
    other.training.validation_tasks = 9;
    other.test.episodes = 7;
    other.test.seed = 5;
    other.episode.n_query = 15;
    other.network.width = 64;
    other.data.set = String::from("omniglot");
    other.data_digest = String::from("of another");
    other.learner = LearnerConfig::named("maml").with("inner_lr", 0.05);
    let defaults = LearnerConfig::named("maml").with("inner_lr", 0.4);
    let mut same = plain.clone();
    same.learner = defaults;
    assert_eq!(code(&other), code(&same));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
    assert_eq!(pool.build().unwrap().install(|| code(&plain)), expected);
}

#[test]
fn every_choice_shows() {
    let plain = config("maml", Norm::Batch);
    let mut codes = vec![code(&plain)];
    let mut with = |change: fn(&mut RunConfig)| {
        let mut other = plain.clone();
        change(&mut other);
        codes.push(code(&other));
    };
    with(|it| it.training.optimizer = OptimizerConfig::Sgd { momentum: 0.0 });
    with(|it| it.training.clip_norm = Some(3.0));
    with(|it| it.training.schedule = ScheduleConfig::Cosine { final_lr: 0.0 });
    with(|it| it.learner = LearnerConfig::named("maml").with("inner_steps", 3));
    with(|it| it.learner = LearnerConfig::named("fomaml"));
    with(|it| it.network.norm = Norm::Running);
    with(|it| it.network.norm = Norm::None);
    with(|it| it.network.width = 33);
    with(|it| it.network.image.channels = 3);
    with(|it| it.data.rotations = Rotations::AsClasses);
    with(|it| it.data.within_alphabet = true);
    with(|it| it.pool = Some(TaskPool::new(5, None).unwrap()));
    with(|it| it.compute.backend = Backend::Graph);
    let n_codes = codes.len();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), n_codes);
}

/// What is wrong with a network.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// The control.
    Nothing,
    /// The last bit of one value of every gradient: a kernel.
    Gradient,
    /// The last bit of each of the batch's statistics: a norm. That of one may be rounded away where it is averaged.
    Statistics,
}

struct Planted<'n> {
    network: &'n dyn Network<f32>,
    wrong: Wrong,
}

struct PlantedTape<'n> {
    tape: Box<dyn Tape<f32> + 'n>,
    wrong: Wrong,
}

/// With another last bit in the first `n` values.
fn flipped(mut params: Params<f32>, n: usize) -> Params<f32> {
    for value in params.values_mut().iter_mut().take(n) {
        *value = f32::from_bits(value.to_bits() ^ 1);
    }
    params
}

impl Network<f32> for Planted<'_> {
    fn config(&self) -> &NetworkConfig {
        self.network.config()
    }

    fn layout(&self) -> &Arc<Layout> {
        self.network.layout()
    }

    fn buffers(&self) -> &Arc<Layout> {
        self.network.buffers()
    }

    fn n_outputs(&self) -> usize {
        self.network.n_outputs()
    }

    fn outputs(
        &self,
        params: &Params<f32>,
        images: &[f32],
        pass: Pass<'_, f32>,
    ) -> Result<Vec<f32>, ModelError> {
        self.network.outputs(params, images, pass)
    }

    fn record(
        &self,
        params: &Params<f32>,
        images: &[f32],
        pass: Pass<'_, f32>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f32> + '_>, ModelError> {
        Ok(Box::new(PlantedTape {
            tape: self.network.record(params, images, pass, objective)?,
            wrong: self.wrong,
        }))
    }
}

impl Tape<f32> for PlantedTape<'_> {
    fn loss(&self) -> f32 {
        self.tape.loss()
    }

    fn log_probabilities(&self) -> &[f32] {
        self.tape.log_probabilities()
    }

    fn outputs(&self) -> &[f32] {
        self.tape.outputs()
    }

    fn statistics(&self) -> Params<f32> {
        match self.wrong {
            Wrong::Statistics => flipped(self.tape.statistics(), usize::MAX),
            Wrong::Nothing | Wrong::Gradient => self.tape.statistics(),
        }
    }

    fn units(&self) -> Result<Vec<metastable_models::Units<f32>>, ModelError> {
        self.tape.units()
    }

    fn gradient(&mut self) -> Result<Params<f32>, ModelError> {
        let gradient = self.tape.gradient()?;
        Ok(match self.wrong {
            Wrong::Gradient => flipped(gradient, 1),
            Wrong::Nothing | Wrong::Statistics => gradient,
        })
    }

    fn hessian_product(&mut self, v: &Params<f32>) -> Result<Params<f32>, ModelError> {
        self.tape.hessian_product(v)
    }
}

/// The bits of a miniature whose network, optimizer or sampler may be wrong.
fn bits_with(config: &RunConfig, wrong: Wrong, seeds: Seeds) -> String {
    let small = small(config).unwrap();
    let dataset = drawings(&small).unwrap();
    let classes: Vec<u32> = (0..8).collect();
    let episodes = |shape, seeds| Episodes {
        dataset: &dataset,
        sampler: Sampler::new(&dataset, &classes, shape, Rotations::Off, false).unwrap(),
        seeds,
        pool: None,
    };
    let training = episodes(small.episode, seeds);
    let judging = episodes(small.test.shape(), small.seeds.evaluation());
    let device = small.compute.device.parse().unwrap();
    let network = metastable_models::build(&small.network, Backend::Fused, device).unwrap();
    let learner = registry().checked(&small.learner).unwrap();
    let planted = Planted {
        network: &*network,
        wrong,
    };
    let parts = Parts {
        network: &planted,
        learner: learner.single(),
        train: &|index| training.task(index),
        judge: &|index| judging.task(index),
    };
    parts.bits(&small).unwrap()
}

#[test]
fn a_bit_changed_in_a_kernel_an_optimizer_a_sampler_or_a_norm_shows() {
    let seeds = small(&config("maml", Norm::Batch)).unwrap().seeds;
    for learner in ["maml", "protonet"] {
        let running = config(learner, Norm::Running);
        let expected = bits_with(&running, Wrong::Nothing, seeds);
        assert_eq!(bits_with(&running, Wrong::Nothing, seeds), expected);
        assert_ne!(bits_with(&running, Wrong::Gradient, seeds), expected);
        assert_ne!(bits_with(&running, Wrong::Statistics, seeds), expected);

        let mut adam = running.clone();
        adam.training.optimizer = OptimizerConfig::Adam {
            beta1: 0.9,
            beta2: 0.999_001,
            epsilon: 1e-8,
        };
        assert_ne!(bits_with(&adam, Wrong::Nothing, seeds), expected);

        // Another order of the supports alone.
        let sampled = seeds.with(Stream::Support, 1);
        assert_ne!(bits_with(&running, Wrong::Nothing, sampled), expected);
    }
    // Another norm does not use what is wrong, and keeps its code.
    let batch = config("maml", Norm::Batch);
    assert_eq!(
        bits_with(&batch, Wrong::Statistics, seeds),
        bits_with(&batch, Wrong::Nothing, seeds)
    );
}
