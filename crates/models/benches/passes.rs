//! The three passes of a conv-4 with 64 filters, on one thread: `cargo bench -p metastable-models`.
//!
//! Where a change of a kernel is tried out; whole training steps beside other libraries are `cargo xtask bench`.

use divan::Bencher;
use divan::counter::ItemsCount;
use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, Loss, Network, NetworkConfig, Norm, Objective,
    Params, Pass, build,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Supports of a 5-way 1-shot task, its queries, and an episode of both with 15 queries a class.
const BATCHES: [usize; 3] = [5, 25, 80];

struct Case {
    network: Box<dyn Network<f32>>,
    theta: Params<f32>,
    images: Vec<f32>,
    labels: Vec<usize>,
}

impl Case {
    fn new(n_images: usize) -> Self {
        let config = NetworkConfig {
            name: "conv4".to_owned(),
            form: None,
            image: ImageShape {
                height: 28,
                width: 28,
                channels: 1,
            },
            n_blocks: 4,
            width: 64,
            norm: Norm::Batch,
            n_way: Some(5),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let architecture = Architecture::new(&config).expect("the papers' network");
        Self {
            theta: architecture.initial_params(&mut rng),
            network: build(&config, Backend::Fused, DeviceSpec::Cpu)
                .expect("fused runs on the CPU"),
            images: (0..n_images * 28 * 28)
                .map(|_| rng.random_range(0.0..1.0))
                .collect(),
            labels: (0..n_images).map(|image| image % 5).collect(),
        }
    }

    fn objective(&self) -> Objective<'_> {
        Objective {
            loss: Loss::CrossEntropy,
            n_way: 5,
            supports: &[],
            labels: &self.labels,
            values: &[],
        }
    }

    fn record(&self) -> Box<dyn metastable_models::Tape<f32> + '_> {
        self.network
            .record(&self.theta, &self.images, Pass::batch(0), self.objective())
            .expect("shapes fit")
    }
}

fn alone(bencher: Bencher<'_, '_>, n_images: usize, pass: impl Fn(&Case) + Sync) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread");
    let case = Case::new(n_images);
    bencher
        .counter(ItemsCount::new(n_images))
        .bench(|| pool.install(|| pass(&case)));
}

/// A pass that nothing is asked of.
#[divan::bench(args = [5, 80, 400])]
fn outputs(bencher: Bencher<'_, '_>, n_images: usize) {
    alone(bencher, n_images, |case| {
        let pass = Pass::batch(0);
        let outputs = case.network.outputs(&case.theta, &case.images, pass);
        divan::black_box(outputs.expect("shapes fit"));
    });
}

#[divan::bench(args = BATCHES)]
fn forward(bencher: Bencher<'_, '_>, n_images: usize) {
    alone(bencher, n_images, |case| {
        drop(divan::black_box(case.record()))
    });
}

#[divan::bench(args = BATCHES)]
fn forward_and_gradient(bencher: Bencher<'_, '_>, n_images: usize) {
    alone(bencher, n_images, |case| {
        divan::black_box(case.record().gradient().expect("shapes fit"));
    });
}

#[divan::bench(args = BATCHES)]
fn forward_gradient_and_hessian_product(bencher: Bencher<'_, '_>, n_images: usize) {
    alone(bencher, n_images, |case| {
        let mut tape = case.record();
        let gradient = tape.gradient().expect("shapes fit");
        divan::black_box(tape.hessian_product(&gradient).expect("shapes fit"));
    });
}

fn main() {
    divan::main();
}
