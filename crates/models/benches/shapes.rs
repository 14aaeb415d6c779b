//! What widths and images cost: processor time of one thread, which other work on the machine hardly changes.
//! `cargo bench -p metastable-models --bench shapes -- [PART OF A NAME]`; each line's cost has to lie near those of its neighbours.

#![allow(clippy::print_stdout, reason = "a program that measures")]

use std::time::Instant;

use metastable_models::{
    Architecture, Backend, DeviceSpec, ImageShape, Loss, Network, NetworkConfig, Norm, Objective,
    Params, Pass, build,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is asked of a pass.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Outputs,
    Gradient,
    HessianProduct,
}

/// Square images by side and channels, filters, and images of a batch.
#[derive(Clone, Copy)]
struct Shape {
    side: usize,
    channels: usize,
    width: usize,
    n_images: usize,
}

const WIDTHS: [usize; 11] = [4, 8, 16, 24, 32, 48, 50, 64, 96, 128, 256];

/// The fastest round counts. A round is long beside the ticks at which Linux counts processor time.
const ROUNDS: usize = 3;
const ROUND_SECONDS: f64 = 0.3;

fn main() {
    // What `cargo bench` itself adds starts with dashes.
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a thread");
    for (shape, asked) in cases() {
        let Shape {
            side,
            channels,
            width,
            n_images,
        } = shape;
        let name = format!("{side}x{side}x{channels} width {width} {n_images} images {asked:?}");
        if wanted.as_ref().is_some_and(|part| !name.contains(part)) {
            continue;
        }
        let (network, theta, images) = prepared(shape);
        let seconds = pool.install(|| fastest(&*network, &theta, &images, asked));
        let each = 1e6 * seconds / n_images as f64;
        println!(
            "{name:<48} {:>9.2} ms {each:>9.1} us an image",
            1e3 * seconds
        );
    }
}

fn cases() -> Vec<(Shape, Asked)> {
    let mut cases = Vec::new();
    for asked in [Asked::Outputs, Asked::Gradient, Asked::HessianProduct] {
        let shape = |side, channels, width, n_images| Shape {
            side,
            channels,
            width,
            n_images,
        };
        cases.extend(WIDTHS.map(|width| (shape(28, 1, width, 40), asked)));
        cases.extend([1, 3, 4, 8].map(|channels| (shape(84, channels, 64, 8), asked)));
        cases.extend([16, 32].map(|width| (shape(84, 3, width, 8), asked)));
    }
    cases
}

fn prepared(shape: Shape) -> (Box<dyn Network<f32>>, Params<f32>, Vec<f32>) {
    let config = NetworkConfig {
        name: "conv4".to_owned(),
        form: None,
        image: ImageShape {
            height: shape.side,
            width: shape.side,
            channels: shape.channels,
        },
        n_blocks: 4,
        width: shape.width,
        norm: Norm::Batch,
        n_way: Some(5),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let theta = Architecture::new(&config)
        .expect("images of 28 pixels can be halved four times")
        .initial_params(&mut rng);
    let network = build(&config, Backend::Fused, DeviceSpec::Cpu).expect("fused runs on the CPU");
    let n_values = shape.n_images * shape.side * shape.side * shape.channels;
    let images = (0..n_values).map(|_| rng.random_range(0.0..1.0)).collect();
    (network, theta, images)
}

/// Processor time of what is asked.
fn fastest(network: &dyn Network<f32>, theta: &Params<f32>, images: &[f32], asked: Asked) -> f64 {
    let image = network.config().image;
    let n_images = images.len() / (image.height * image.width * image.channels);
    let labels: Vec<usize> = (0..n_images).map(|image| image % 5).collect();
    let objective = Objective {
        loss: Loss::CrossEntropy,
        n_way: 5,
        supports: &[],
        labels: &labels,
        values: &[],
    };
    let pass = || {
        if let Asked::Outputs = asked {
            let outputs = network.outputs(theta, images, Pass::batch(0));
            std::hint::black_box(outputs.expect("shapes fit"));
            return;
        }
        let mut tape = network
            .record(theta, images, Pass::batch(0), objective)
            .expect("shapes fit");
        let mut result = tape.gradient().expect("shapes fit");
        if let Asked::HessianProduct = asked {
            result = tape.hessian_product(&result).expect("shapes fit");
        }
        std::hint::black_box(result);
    };
    pass();
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = processor_seconds(begun);
        let (mut passes, mut seconds) = (0.0, 0.0);
        while seconds < ROUND_SECONDS {
            pass();
            passes += 1.0;
            seconds = processor_seconds(begun) - start;
        }
        best = best.min(seconds / passes);
    }
    best
}

/// Of this thread, as Linux counts it; elsewhere time since `begun`.
fn processor_seconds(begun: Instant) -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(
            || begun.elapsed().as_secs_f64(),
            |nanoseconds| nanoseconds / 1e9,
        )
}
