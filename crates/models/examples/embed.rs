//! Loads a checkpoint and embeds images with it.
//!
//! ```text
//! cargo run -p metastable-models --example embed -- [CHECKPOINT.safetensors]
//! ```
//!
//! Without an argument it makes a checkpoint of an untrained conv-4 in the temporary folder first. The images are drawn
//! here: two classes, bars and crosses, three of each; printed is how far each is from the first of either class.

#![allow(
    clippy::print_stdout,
    reason = "the output of an example is its purpose"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use metastable_models::{
    Architecture, Backend, Checkpoint, DeviceSpec, ImageShape, Network, NetworkConfig, Norm, Pass,
    build,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn main() -> Result<(), Box<dyn Error>> {
    let path = match std::env::args().nth(1) {
        Some(path) => PathBuf::from(path),
        None => untrained()?,
    };
    let checkpoint = Checkpoint::open(&path)?;
    let config = checkpoint
        .config()
        .ok_or("this file does not say which network it is of")?;
    println!("{}: {config:?}", path.display());
    let (params, _) = checkpoint.load::<f32>(&Architecture::new(config)?)?;
    let network: Box<dyn Network<f32>> = build(config, Backend::Fused, DeviceSpec::Cpu)?;

    let shape = config.image;
    let images: Vec<_> = (0..6).flat_map(|index| draw(index, shape)).collect();
    let features = network.outputs(&params, &images, Pass::batch(0))?;
    let rows: Vec<_> = features.chunks(network.n_outputs()).collect();
    println!("image   to bar 0   to cross 0");
    for (index, row) in rows.iter().enumerate() {
        let name = if index < 3 { "bar" } else { "cross" };
        let (bar, cross) = (distance(row, rows[0]), distance(row, rows[3]));
        println!("{name:<5} {}  {bar:>8.3}  {cross:>10.3}", index % 3);
    }
    Ok(())
}

/// Saves an untrained network without a head: its outputs are the features.
fn untrained() -> Result<PathBuf, Box<dyn Error>> {
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
        n_way: None,
    };
    let architecture = Architecture::new(&config)?;
    let params = architecture.initial_params::<f32>(&mut ChaCha8Rng::seed_from_u64(0));
    let buffers = architecture.initial_buffers();
    let path = std::env::temp_dir().join("metastable-untrained-conv4.safetensors");
    Checkpoint::save(&path, &architecture, &params, &buffers, &BTreeMap::new())?;
    Ok(path)
}

/// A bar (first three) or a cross, each a little further down than the one before.
fn draw(index: usize, shape: ImageShape) -> Vec<f32> {
    let (row, column) = (shape.height / 2 + index % 3, shape.width / 2);
    (0..shape.height * shape.width * shape.channels)
        .map(|pixel| {
            let pixel = pixel / shape.channels;
            let on_bar = pixel / shape.width == row;
            let on_cross = index >= 3 && pixel % shape.width == column;
            if on_bar || on_cross { 1.0 } else { 0.0 }
        })
        .collect()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f32>().sqrt()
}
