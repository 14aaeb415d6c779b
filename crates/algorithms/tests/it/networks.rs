//! Every learner of the registry on the networks that it is for.

use metastable_algorithms::{
    AlgorithmError, Context, Evaluation, Head, LEARNERS, LearnerConfig, LearnerEntry, StepReport,
    Task, TrainConfig, TrainState, Trainer, Weights, evaluate,
};
use metastable_data::{EpisodeShape, Seeds, Stream};
use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, Network, NetworkConfig, Norm, Params, build,
};

use crate::second_order::{central_difference, draws, maml, noise_task};

/// All orders of three classes.
pub(crate) const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

const SIDE: usize = 8;
pub(crate) const SHAPE: EpisodeShape = EpisodeShape {
    n_way: 3,
    k_shot: 2,
    n_query: 3,
};

/// Classes that are trained on.
pub(crate) const N_CLASSES: usize = 6;

pub(crate) fn network_config(name: &str, norm: Norm, head: Head) -> NetworkConfig {
    let config = NetworkConfig {
        name: name.to_owned(),
        form: None,
        image: ImageShape {
            height: SIDE,
            width: SIDE,
            channels: 1,
        },
        n_blocks: 2,
        width: 4,
        norm,
        n_way: head.outputs(SHAPE.n_way),
    };
    config.with_beside(head.beside(N_CLASSES)).unwrap()
}

/// Learners that learn: a floor has a direction of zero, on purpose.
pub(crate) fn learnt() -> impl Iterator<Item = &'static LearnerEntry> {
    let entries = LEARNERS.iter().copied();
    entries.filter(|entry| entry.name != "nearest-mean")
}

/// Moves every value a little: a unit whose inputs are all zero sits exactly at its kink as long as its shift is zero, and a difference
/// then takes the mean of both sides.
pub(crate) fn shake(theta: &mut Params<f64>) {
    let by = draws(7, theta.values().len());
    for (value, by) in theta.values_mut().iter_mut().zip(by) {
        *value += 0.02 * by;
    }
}

/// A small network of the registry, in double precision, on the default backend, and fresh weights for it.
pub(crate) fn network(name: &str, norm: Norm, head: Head) -> (Box<dyn Network<f64>>, Params<f64>) {
    network_on(Backend::default(), name, norm, head)
}

pub(crate) fn network_on(
    backend: Backend,
    name: &str,
    norm: Norm,
    head: Head,
) -> (Box<dyn Network<f64>>, Params<f64>) {
    let config = network_config(name, norm, head);
    let network = build::<f64>(&config, backend, DeviceSpec::Cpu).unwrap();
    let architecture = Architecture::new(&config).unwrap();
    let theta = architecture.initial_params(&mut Seeds::all(3).rng(Stream::Init, 0));
    (network, theta)
}

pub(crate) fn task(index: u64) -> Task<f64> {
    noise_task(index, SHAPE, SIDE * SIDE)
}

/// Each class a pattern of its own, each image that pattern and noise: what a learner can learn.
fn patterned_task(index: u64) -> Task<f64> {
    let n_pixels = SIDE * SIDE;
    let patterns = draws(5000 + index, SHAPE.n_way * n_pixels);
    let noise = task(index);
    let labels = noise.support_labels().iter().chain(noise.query_labels());
    let images = noise.images().chunks_exact(n_pixels).zip(labels);
    let images = images.flat_map(|(noise, label)| {
        let pattern = &patterns[label * n_pixels..][..n_pixels];
        noise.iter().zip(pattern).map(|(noise, p)| p + 0.3 * noise)
    });
    Task::new(SHAPE, images.collect()).unwrap()
}

/// The same task with its classes in another order: new label `l` is the old `order[l]`.
fn relabelled(task: &Task<f64>, order: [usize; 3]) -> Task<f64> {
    let n_pixels = SIDE * SIDE;
    let mut images = Vec::new();
    for (part, n_each) in [
        (task.support_images(), SHAPE.k_shot),
        (task.query_images(), SHAPE.n_query),
    ] {
        for label in order {
            let size = n_each * n_pixels;
            images.extend_from_slice(&part[label * size..][..size]);
        }
    }
    Task::new(SHAPE, images).unwrap()
}

/// MAML's meta-gradient of networks with ReLU and pooling: the direction is the gradient itself, and the step so small
/// that (for this seed) no unit switches between the two sides.
#[test]
fn maml_agrees_with_differences_on_real_networks() {
    let cases = [
        (Backend::Fused, "conv4", Norm::Batch),
        (Backend::Graph, "conv4", Norm::Batch),
        (Backend::Fused, "conv4", Norm::PerStep { n_steps: 3 }),
        (Backend::Graph, "conv4", Norm::PerStep { n_steps: 3 }),
        (Backend::Fused, "conv4-strided", Norm::Batch),
        (Backend::Fused, "mlp", Norm::None),
    ];
    for (backend, name, norm) in cases {
        let (network, theta) = network_on(backend, name, norm, Head::Linear);
        for (learner_name, agrees) in [("maml", true), ("fomaml", false)] {
            let checked = maml(learner_name, 0.2, 3).validate().unwrap();
            let learner = checked.double();
            let task = task(0);
            let exact = learner
                .meta_gradient(&Context::training(&*network, &task), &theta)
                .unwrap();
            let mut direction = exact.gradient.clone();
            direction.scale(1.0 / exact.gradient.norm());
            let expected = exact.gradient.norm();
            let difference =
                central_difference(&*network, learner, &theta, &task, &direction, 1e-7);
            let error = (difference - expected).abs() / expected;
            assert_eq!(
                error < 1e-6,
                agrees,
                "{backend:?} {name} {norm:?}: {error:e}"
            );
        }
    }
}

/// A tape asked for its Hessian product gives the same bits whether or not it was asked for its gradient before.
#[test]
fn stored_and_recomputed_trajectories_give_the_same_bits_on_real_networks() {
    for backend in [Backend::Fused, Backend::Graph] {
        let (network, theta) = network_on(backend, "conv4", Norm::Batch, Head::Linear);
        let gradient = |trajectory| {
            let config = maml("maml", 0.1, 3).with("trajectory", trajectory);
            let checked = config.validate().unwrap();
            let got = checked
                .double()
                .meta_gradient(&Context::training(&*network, &task(2)), &theta);
            got.unwrap().gradient
        };
        assert_eq!(gradient("stored"), gradient("recompute"), "{backend:?}");
    }
}

/// Whatever a learner optimises, 30 steps on the same two tasks lower the query loss there.
#[test]
fn every_learner_descends_on_its_tasks() {
    // What is trained to tell all training classes apart descends another loss than that of its test: tests/it/pretrained.rs.
    let on_tasks = |entry: &&LearnerEntry| !matches!(entry.head, Head::Classes { .. });
    for entry in learnt().filter(on_tasks) {
        let (network, theta) = network("conv4", Norm::Batch, entry.head);
        let checked = LearnerConfig::named(entry.name).validate().unwrap();
        let config = TrainConfig {
            outer_steps: 30,
            meta_batch: 2,
            outer_lr: 0.01,
            validate_every: 0,
            ..TrainConfig::default()
        };
        let tasks = |index| Ok(patterned_task(index % 2));
        let learner = checked.double();
        let loss = |weights: &Weights<f64>| {
            let evaluation = evaluate(&*network, learner, weights, &tasks, 2).unwrap();
            evaluation.nll()
        };
        let state = TrainState::new(&*network, &config.optimizer, theta);
        let before = loss(&state.weights);
        let plan = config.validate().unwrap();
        let mut trainer = Trainer::new(&*network, learner, &tasks, &tasks, plan, state).unwrap();
        while trainer.step().unwrap().is_some() {}
        let after = loss(&trainer.state().weights);
        assert!(after < 0.8 * before, "{}: {before} -> {after}", entry.name);
    }
}

/// A metric learner has no order of classes to be sensitive to: the predicted class is the same, whatever its label.
#[test]
fn metric_learners_do_not_see_the_order_of_labels() {
    for entry in learnt().filter(|entry| entry.head == Head::None) {
        let (network, theta) = network("conv4", Norm::None, entry.head);
        for metric in ["euclidean", "cosine"] {
            let config = LearnerConfig::named(entry.name).with("metric", metric);
            let checked = config.validate().unwrap();
            // The class that each query of the original task is taken for.
            let predicted = |order: [usize; 3]| {
                let task = relabelled(&patterned_task(4), order);
                let prediction = checked
                    .double()
                    .predict(&Context::training(&*network, &task), &theta)
                    .unwrap();
                let mut classes = vec![0; SHAPE.n_queries()];
                for (row, label) in prediction.labels().enumerate() {
                    let original = order[row / SHAPE.n_query] * SHAPE.n_query + row % SHAPE.n_query;
                    classes[original] = order[label];
                }
                classes
            };
            let expected = predicted(ORDERS[0]);
            for order in ORDERS {
                assert_eq!(
                    predicted(order),
                    expected,
                    "{} {metric} {order:?}",
                    entry.name
                );
            }
        }
    }
}

/// The path of training and test as a user takes it: single precision, parallel tasks on parallel kernels.
#[test]
fn every_learner_gives_the_same_bits_at_any_thread_count() {
    for entry in LEARNERS {
        let on = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
            pool.build().unwrap().install(|| trained_single(entry))
        };
        let one = on(1);
        for n_threads in 2..=4 {
            assert_eq!(on(n_threads), one, "{} on {n_threads} threads", entry.name);
        }
    }
}

/// Three steps with validation, in single precision, on the default backend.
fn trained_single(entry: &LearnerEntry) -> (TrainState<f32>, Vec<StepReport>, Evaluation) {
    let config = network_config("conv4", Norm::Running, entry.head);
    let network = build::<f32>(&config, Backend::default(), DeviceSpec::Cpu).unwrap();
    let architecture = Architecture::new(&config).unwrap();
    let theta = architecture.initial_params(&mut Seeds::all(3).rng(Stream::Init, 0));
    let checked = LearnerConfig::named(entry.name).validate().unwrap();
    let config = TrainConfig {
        outer_steps: 3,
        meta_batch: 3,
        validate_every: 2,
        validation_tasks: 3,
        ..TrainConfig::default()
    };
    let tasks = |index| {
        let double = patterned_task(index);
        Task::new(SHAPE, double.images().iter().map(|x| *x as f32).collect())
    };
    let state = TrainState::new(&*network, &config.optimizer, theta);
    let plan = config.validate().unwrap();
    let learner = checked.single();
    let mut trainer = Trainer::new(&*network, learner, &tasks, &tasks, plan, state).unwrap();
    let reports: Vec<StepReport> = std::iter::from_fn(|| trainer.step().unwrap()).collect();
    let state = trainer.into_state();
    let evaluation = evaluate(&*network, learner, &state.weights, &tasks, 7).unwrap();
    (state, reports, evaluation)
}

#[test]
fn every_learner_is_pure_and_fits_or_names_its_head() {
    for entry in learnt() {
        let checked = LearnerConfig::named(entry.name).validate().unwrap();
        let learner = checked.double();
        let (network, theta) = network("mlp", Norm::Batch, entry.head);
        let [first, second] = [0, 0].map(|index| {
            learner
                .meta_gradient(&Context::training(&*network, &task(index)), &theta)
                .unwrap()
        });
        assert_eq!(first.gradient, second.gradient, "{}", entry.name);
        assert!(first.non_finite.is_none() && first.gradient.norm() > 0.0);
        assert_eq!(learner.inner_loop().is_some(), entry.head.is_bound());

        let wider = EpisodeShape { n_way: 4, ..SHAPE };
        let other = noise_task(0, wider, SIDE * SIDE);
        let got = learner.meta_gradient(&Context::training(&*network, &other), &theta);
        if entry.head.is_bound() {
            assert!(matches!(
                got,
                Err(AlgorithmError::Ways {
                    n_outputs: 3,
                    n_way: 4
                })
            ));
        } else {
            assert!(got.is_ok(), "it serves any number of classes");
        }
    }
}

/// `running <- 0.9 running + 0.1 batch`, once a task, from mean 0 and variance 1; then they normalise at test.
#[test]
fn running_statistics_follow_the_batches_in_order() {
    for entry in learnt() {
        let (network, theta) = network("conv4", Norm::Running, entry.head);
        let checked = LearnerConfig::named(entry.name).validate().unwrap();
        let learner = checked.double();
        let config = TrainConfig {
            outer_steps: 1,
            meta_batch: 2,
            validate_every: 0,
            ..TrainConfig::default()
        };
        let tasks = |index| Ok(task(index));
        let state = TrainState::new(&*network, &config.optimizer, theta.clone());
        let start = state.weights.clone();
        let plan = config.validate().unwrap();
        let mut trainer = Trainer::new(&*network, learner, &tasks, &tasks, plan, state).unwrap();
        trainer.step().unwrap().unwrap();
        let batch = |index| {
            let got = learner.meta_gradient(&Context::training(&*network, &task(index)), &theta);
            got.unwrap().statistics
        };
        let [first, second] = [0, 1].map(batch);
        let got = &trainer.state().weights.buffers;
        for i in 0..got.values().len() {
            let expected = 0.81 * start.buffers.values()[i]
                + 0.09 * first.values()[i]
                + 0.1 * second.values()[i];
            assert!((got.values()[i] - expected).abs() < 1e-14, "{}", entry.name);
        }
        let running = &trainer.state().weights;
        let task = task(5);
        let batch = Context::training(&*network, &task);
        let stored = Context {
            statistics: running.statistics(),
            ..batch
        };
        let [stored, batch] = [stored, batch].map(|context| learner.predict(&context, &theta));
        assert_ne!(stored.unwrap(), batch.unwrap(), "{}", entry.name);
    }
}
