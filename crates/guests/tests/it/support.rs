//! Tasks, greetings, and a nearest mean that is not sent anywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use metastable_algorithms::Task;
use metastable_data::{
    EpisodeShape, GlyphsConfig, MetaSplit, Rotations, Sampler, Seeds, Split, SplitRule,
};
use metastable_guests::message::{Budget, Data};
use metastable_guests::{
    Cancel, GuestError, Hello, PROTOCOL, ProcessConfig, Session, Shape, Training,
};

/// Shape of every task.
pub(crate) const SHAPE: EpisodeShape = EpisodeShape {
    n_way: 5,
    k_shot: 2,
    n_query: 3,
};

/// Test tasks of the glyphs, at 20 pixels.
pub(crate) fn tasks(n: u64) -> Vec<Task<f32>> {
    let config = GlyphsConfig {
        side: 20,
        n_alphabets: 8,
        ..GlyphsConfig::default()
    };
    let dataset = metastable_data::glyphs::generate(&config).unwrap();
    let seeds = Seeds::all(3);
    let rule: SplitRule = "random-alphabets".parse().unwrap();
    let split = Split::new(&dataset, &rule, &seeds).unwrap();
    let classes = split.classes(MetaSplit::Train);
    let sampler = Sampler::new(&dataset, classes, SHAPE, Rotations::Off, false).unwrap();
    (0..n)
        .map(|index| Task::gather(&dataset, &sampler.episode(&seeds, index)).unwrap())
        .collect()
}

/// A built example of this crate.
pub(crate) fn built(name: &str) -> String {
    // Beside `deps`, where this test is.
    let test = std::env::current_exe().unwrap();
    let built = test
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    built.to_string_lossy().into_owned()
}

/// The guest among the examples.
pub(crate) fn guest(words: &[&str]) -> ProcessConfig {
    let words = words.iter().map(|word| (*word).to_owned());
    config(std::iter::once(built("guest")).chain(words).collect())
}

pub(crate) fn config(command: Vec<String>) -> ProcessConfig {
    ProcessConfig {
        command,
        timeout_seconds: 20,
        ..ProcessConfig::default()
    }
}

pub(crate) fn hello(training: Training) -> Hello {
    let shape = Shape {
        way: SHAPE.n_way,
        shot: SHAPE.k_shot,
        query: SHAPE.n_query,
    };
    Hello {
        protocol: PROTOCOL,
        run: "test".to_owned(),
        training,
        settings: serde_json::Map::new(),
        seeds: BTreeMap::from([("init".to_owned(), 7)]),
        data: Data {
            name: "glyphs".to_owned(),
            digest: "00".to_owned(),
            height: 20,
            width: 20,
            channels: 1,
            train_classes: 10,
        },
        episode: shape,
        test: shape,
        budget: Budget {
            outer_steps: 3,
            meta_batch: 2,
            outer_lr: 0.01,
        },
        threads: 1,
    }
}

pub(crate) fn start(config: &ProcessConfig) -> Result<Session, GuestError> {
    Session::start(config, &hello(Training::Given), Cancel::never())
}

/// Share of right answers of a nearest class mean on pixels, computed here.
pub(crate) fn accuracy_of_nearest_mean(task: &Task<f32>) -> f64 {
    let n_pixels = task.query_images().len() / task.query_labels().len();
    let mut right = 0;
    for (query, label) in task
        .query_images()
        .chunks_exact(n_pixels)
        .zip(task.query_labels())
    {
        let distance = |class: usize| -> f64 {
            (0..n_pixels)
                .map(|pixel| {
                    let own = task
                        .support_images()
                        .chunks_exact(n_pixels)
                        .zip(task.support_labels());
                    let own = own.filter(|(_, of)| **of == class);
                    let (sum, n) = own.fold((0.0, 0.0), |(sum, n), (row, _)| {
                        (sum + f64::from(row[pixel]), n + 1.0)
                    });
                    (f64::from(query[pixel]) - sum / n).powi(2)
                })
                .sum()
        };
        let nearest = (0..task.shape().n_way).fold(0, |best, class| {
            if distance(class) < distance(best) {
                class
            } else {
                best
            }
        });
        right += usize::from(nearest == *label);
    }
    f64::from(u32::try_from(right).unwrap()) / task.query_labels().len() as f64
}

/// The folder of this crate's Python.
pub(crate) fn python_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}
