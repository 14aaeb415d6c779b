//! SimpleShot, Baseline and Baseline++: their training against a network that has all classes for a head, and what each one's answers cannot
//! depend on. Their heads are held against PyTorch in `src/baseline.rs` and `src/baseline_pp.rs`, their gradients against differences in
//! `check.rs`.

use metastable_algorithms::{
    CheckedLearner, Context, Episodes, Head, LearnerConfig, Prediction, Task,
};
use metastable_data::{ClassImages, Dataset, EpisodeShape, ImageSize, Rotations, Sampler, Seeds};
use metastable_models::{
    Backend, DeviceSpec, Loss, NetworkConfig, Norm, Objective, Params, Pass, build,
};

use crate::networks::{N_CLASSES, SHAPE, network, network_config, task};

const NAMES: [&str; 3] = ["simple-shot", "baseline", "baseline-pp"];

fn learner(name: &str) -> CheckedLearner {
    LearnerConfig::named(name).validate().unwrap()
}

/// An embedding with a map of all classes, in a norm without statistics.
fn embedding(name: &str) -> (Box<dyn metastable_models::Network<f64>>, Params<f64>) {
    network("mlp", Norm::None, learner(name).head())
}

/// A task of the classes 5, 1 and 3.
fn numbered() -> Task<f64> {
    task(2).numbered(vec![5, 1, 3]).unwrap()
}

/// Loss and gradient are those of the network that is built with a head of all classes, on supports and queries in one batch.
#[test]
fn training_is_that_of_a_classifier_of_all_training_classes() {
    for name in ["simple-shot", "baseline"] {
        let (network, theta) = network("conv4", Norm::Batch, learner(name).head());
        let task = numbered();
        let made = learner(name)
            .double()
            .meta_gradient(&Context::training(&*network, &task), &theta)
            .unwrap();
        let config = NetworkConfig {
            n_way: Some(N_CLASSES),
            ..network_config("conv4", Norm::Batch, Head::None)
        };
        let whole = build::<f64>(&config, Backend::default(), DeviceSpec::Cpu).unwrap();
        let width = network.n_outputs();
        let n_body = theta.layout().find("beside.weight").unwrap().offset;
        let n_rows = n_body + N_CLASSES * width;
        let shifts = theta.layout().find("beside.bias").unwrap().offset;
        let of = |values: &[f64]| {
            let shifts = &values[shifts..shifts + N_CLASSES];
            [&values[..n_rows], shifts].concat()
        };
        let params = Params::from_values(whole.layout(), of(theta.values()));
        let class = |label: &usize| [5, 1, 3][*label];
        let labels = task.support_labels().iter().chain(task.query_labels());
        let labels: Vec<usize> = labels.map(class).collect();
        let objective = Objective {
            loss: Loss::CrossEntropy,
            n_way: N_CLASSES,
            supports: &[],
            labels: &labels,
            values: &[],
        };
        let mut tape = whole
            .record(&params, task.images(), Pass::batch(0), objective)
            .unwrap();
        assert_eq!(made.query_loss.to_bits(), tape.loss().to_bits(), "{name}");
        assert_eq!(
            of(made.gradient.values()),
            tape.gradient().unwrap().values()
        );
        assert_eq!(made.n_queries, labels.len());
    }
}

/// `-ln softmax(s cos(v_k, f))`, by hand.
#[test]
fn baseline_plus_plus_is_trained_by_cosines() {
    let (network, theta) = embedding("baseline-pp");
    let (task, width) = (numbered(), network.n_outputs());
    let features = network
        .outputs(&theta, task.images(), Pass::batch(0))
        .unwrap();
    let start = theta.layout().find("beside.weight").unwrap().offset;
    let rows = &theta.values()[start..][..N_CLASSES * width];
    let norm = |row: &[f64]| (row.iter().map(|v| v * v).sum::<f64>() + 1e-8).sqrt();
    let labels = task.support_labels().iter().chain(task.query_labels());
    let mut loss = 0.0;
    for (f, label) in features.chunks_exact(width).zip(labels) {
        let logits: Vec<f64> = rows
            .chunks_exact(width)
            .map(|v| {
                let product: f64 = f.iter().zip(v).map(|(f, v)| f * v).sum();
                10.0 * product / (norm(f) * norm(v))
            })
            .collect();
        let total: f64 = logits.iter().map(|it| it.exp()).sum();
        loss += total.ln() - logits[[5, 1, 3][*label]];
    }
    let n = (SHAPE.n_support() + SHAPE.n_queries()) as f64;
    let made = learner("baseline-pp")
        .double()
        .meta_gradient(&Context::training(&*network, &task), &theta)
        .unwrap();
    assert!((made.query_loss - loss / n).abs() < 1e-12);
}

fn predicted(checked: &CheckedLearner, theta: &Params<f64>) -> Prediction<f64> {
    let (network, _) = network("mlp", Norm::None, checked.head());
    let task = task(1);
    let context = Context::training(&*network, &task);
    checked.double().predict(&context, theta).unwrap()
}

/// The last layer's weights and shifts times a factor, and its shifts raised: features change alike, as long as all units are on.
fn changed(theta: &Params<f64>, factor: f64, by: f64) -> Params<f64> {
    let mut theta = theta.clone();
    for (name, by) in [
        ("blocks.1.linear.weight", 0.0),
        ("blocks.1.linear.bias", by),
    ] {
        let entry = theta.layout().find(name).unwrap().clone();
        for value in &mut theta.values_mut()[entry.offset..][..entry.len()] {
            *value = factor * *value + by;
        }
    }
    theta
}

/// The row of the map that is the centre of SimpleShot.
fn set_centre(theta: &mut Params<f64>, value: impl Fn(usize) -> f64) {
    let map = theta.layout().find("beside.weight").unwrap().clone();
    let width = map.shape[1];
    let row = map.offset + N_CLASSES * width;
    for (at, slot) in theta.values_mut()[row..row + width].iter_mut().enumerate() {
        *slot = value(at);
    }
}

fn largest_gap(a: &Prediction<f64>, b: &Prediction<f64>) -> f64 {
    let pairs = a.log_probabilities.iter().zip(&b.log_probabilities);
    pairs.fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn simple_shot_does_not_see_a_common_shift_or_scale_of_features() {
    let (_, theta) = embedding("simple-shot");
    // All units on, whatever the image.
    let lifted = |by: f64| changed(&theta, 1.0, by);
    for centre in ["training", "supports"] {
        let checked = learner("simple-shot").with("centre", centre).unwrap();
        let at = |mut theta: Params<f64>, centre: f64| {
            set_centre(&mut theta, |row| centre + 0.1 * row as f64);
            predicted(&checked, &theta)
        };
        let plain = at(lifted(100.0), 99.0);
        let shifted = at(lifted(103.0), 102.0);
        assert!(largest_gap(&plain, &shifted) < 1e-9, "{centre}");
        let mut scaled = changed(&lifted(100.0), 3.0, 0.0);
        set_centre(&mut scaled, |row| 3.0 * (99.0 + 0.1 * row as f64));
        let scaled = predicted(&checked, &scaled);
        // Up to what keeps a row of zeros finite.
        assert!(largest_gap(&plain, &scaled) < 1e-5, "{centre}");
        // And a shift of features alone is seen, unless the centre comes with them.
        let alone = at(lifted(103.0), 99.0);
        assert_eq!(largest_gap(&plain, &alone) > 1e-3, centre == "training");
    }
    let nothing = learner("simple-shot").with("centre", "nothing").unwrap();
    let [near, far] = [100.0, 103.0].map(|by| predicted(&nothing, &lifted(by)));
    assert!(largest_gap(&near, &far) > 1e-9);
}

/// Equation 1 after CL2N, on the features of the supports and of the queries.
#[test]
fn simple_shot_is_the_nearest_mean_of_centred_unit_features() {
    let (network, mut theta) = embedding("simple-shot");
    set_centre(&mut theta, |row| 0.05 * row as f64);
    let (task, width) = (task(1), network.n_outputs());
    let directions = |images: &[f64]| -> Vec<Vec<f64>> {
        let features = network.outputs(&theta, images, Pass::batch(0)).unwrap();
        let moved = features.chunks_exact(width).map(|row| {
            let moved = row.iter().enumerate().map(|(at, f)| f - 0.05 * at as f64);
            let moved: Vec<f64> = moved.collect();
            let norm = (moved.iter().map(|v| v * v).sum::<f64>() + 1e-8).sqrt();
            moved.iter().map(|v| v / norm).collect()
        });
        moved.collect()
    };
    let supports = directions(task.support_images());
    let found = predicted(&learner("simple-shot"), &theta);
    for (u, row) in directions(task.query_images())
        .iter()
        .zip(found.log_probabilities.chunks_exact(SHAPE.n_way))
    {
        let logits: Vec<f64> = (0..SHAPE.n_way)
            .map(|class| {
                let own = &supports[class * SHAPE.k_shot..][..SHAPE.k_shot];
                let gap = |at: usize| {
                    let mean = own.iter().map(|s| s[at]).sum::<f64>() / SHAPE.k_shot as f64;
                    (u[at] - mean) * (u[at] - mean)
                };
                -(0..width).map(gap).sum::<f64>() / 0.1
            })
            .collect();
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = most + logits.iter().map(|it| (it - most).exp()).sum::<f64>().ln();
        for (found, logit) in row.iter().zip(&logits) {
            assert!((found - (logit - total)).abs() < 1e-6, "{found}");
        }
    }
}

#[test]
fn new_heads_leave_the_embedding_as_it_is() {
    for name in NAMES {
        let (network, theta) = network("conv4", Norm::Batch, learner(name).head());
        let task = task(3);
        let context = Context::training(&*network, &task);
        let phi = learner(name).double().adapted(&context, &theta).unwrap();
        let n_body = theta.layout().find("beside.weight").unwrap().offset;
        assert_eq!(phi.values()[..n_body], theta.values()[..n_body], "{name}");
        let head = phi.layout().find("head.weight").unwrap();
        assert_eq!(
            (head.offset, head.shape[0]),
            (n_body, SHAPE.n_way),
            "{name}"
        );
    }
}

/// Two log-probabilities of a query differ by at most twice the scale; lengths of features do not matter.
#[test]
fn baseline_plus_plus_has_bounded_logits_and_sees_no_length() {
    let (_, theta) = embedding("baseline-pp");
    for scale in [0.5, 2.0] {
        let checked = learner("baseline-pp").with("head_scale", scale).unwrap();
        let plain = predicted(&checked, &theta);
        for row in plain.log_probabilities.chunks_exact(SHAPE.n_way) {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let least = row.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(most - least <= 2.0 * scale, "{row:?}");
        }
        // Up to what keeps a row of zeros finite.
        let longer = predicted(&checked, &changed(&theta, 7.0, 0.0));
        assert!(largest_gap(&plain, &longer) < 1e-3);
    }
    let baseline = learner("baseline");
    let (plain, longer) = (theta.clone(), changed(&theta, 7.0, 0.0));
    let [plain, longer] = [plain, longer].map(|theta| predicted(&baseline, &theta));
    assert!(largest_gap(&plain, &longer) > 1e-2);
}

/// Every class that a sampler draws has a number of its own, and tasks come with those of their classes.
#[test]
fn tasks_of_episodes_know_the_numbers_of_their_classes() {
    let size = ImageSize {
        height: 2,
        width: 2,
    };
    let classes = (0..5_u8).map(|class| ClassImages {
        name: class.to_string(),
        alphabet: "all".to_owned(),
        pixels: (0..16).map(|at| class * 40 + at).collect(),
    });
    let dataset = Dataset::from_colour_classes("numbers", size, 1, classes).unwrap();
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 1,
        n_query: 1,
    };
    for (rotations, variants) in [(Rotations::Off, 1), (Rotations::AsClasses, 4)] {
        let sampler = Sampler::new(&dataset, &[4, 1, 2], shape, rotations, false).unwrap();
        assert_eq!(sampler.n_classes(), 3 * variants);
        let episodes = Episodes {
            dataset: &dataset,
            sampler,
            seeds: Seeds::all(0),
            pool: None,
        };
        let mut seen = std::collections::BTreeMap::new();
        for index in 0..200 {
            let task = episodes.task::<f64>(index).unwrap();
            let episode = episodes.episode(index);
            for (label, class) in episode.classes.iter().enumerate() {
                let number = task.class_number(label);
                assert!(number < 3 * variants);
                // One class for each number.
                assert_eq!(seen.entry(number).or_insert(*class), class);
            }
            let turned = task.relabeled(&[1, 0]).unwrap();
            assert_eq!(turned.class_number(0), task.class_number(1));
        }
        assert_eq!(seen.len(), 3 * variants);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (name, setting, value) in [
        ("simple-shot", "temperature", 0.0),
        ("baseline", "head_lr", -1.0),
        ("baseline-pp", "scale", 0.0),
        ("baseline-pp", "head_scale", f64::NAN),
    ] {
        let config = LearnerConfig::named(name).with(setting, value);
        assert!(config.validate().is_err(), "{name} {setting}");
    }
    let config = LearnerConfig::named("baseline").with("head_batch", 0);
    assert!(config.validate().is_err());
    // A class that was not trained on can be predicted, and not trained on.
    let (network, theta) = embedding("baseline");
    let task = task(1).numbered(vec![0, 1, N_CLASSES]).unwrap();
    let context = Context::training(&*network, &task);
    let checked = learner("baseline");
    assert!(checked.double().meta_gradient(&context, &theta).is_err());
    assert!(checked.double().predict(&context, &theta).is_ok());
}
