//! How fast data come: cold and warm load, episodes a second as lists and gathered.
//!
//! `cargo run --release -p metastable-data --example throughput -- omniglot --data-dir DIR --cache-dir DIR`
//! (without arguments: the images of no data set, but 1,000 classes of 20 blank ones, for the sampler alone).
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::time::Instant;

use metastable_data::{
    Cache, ClassImages, DataError, Dataset, EpisodeShape, OpenOptions, Rotations, Sampler, Seeds,
    open,
};
use rayon::prelude::*;

fn main() -> Result<(), DataError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value_of = |flag: &str| {
        let position = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(position + 1).cloned()
    };
    let options = OpenOptions {
        data_dir: value_of("--data-dir").map(Into::into),
        cache: value_of("--cache-dir").map(Cache::new),
        ..OpenOptions::default()
    };
    let load = || match arguments.first() {
        Some(spec) => open(spec, &options),
        None => blank(),
    };
    let mut dataset = load()?;
    for attempt in 1..=3 {
        let start = Instant::now();
        dataset = load()?;
        println!(
            "load {attempt}: {:.3} s, {} images of `{}`",
            start.elapsed().as_secs_f64(),
            dataset.n_images(),
            dataset.name
        );
    }

    let shape = EpisodeShape {
        n_way: 5,
        k_shot: 1,
        n_query: 15,
    };
    let classes = dataset.all_classes();
    let sampler = Sampler::new(&dataset, &classes, shape, Rotations::AsClasses, false)?;
    let seeds = Seeds::all(0);

    let n_lists = 400_000_u64;
    let start = Instant::now();
    let checksum: u64 = (0..n_lists)
        .into_par_iter()
        .map(|index| u64::from(sampler.episode(&seeds, index).support[0]))
        .sum();
    report("index lists", n_lists, start, checksum as f64);

    let n_gathered = 20_000_u64;
    let start = Instant::now();
    let checksum: f64 = (0..n_gathered)
        .into_par_iter()
        .map_init(Vec::new, |buffer: &mut Vec<f32>, index| {
            sampler.episode(&seeds, index).gather(&dataset, buffer);
            f64::from(buffer[buffer.len() / 2])
        })
        .sum();
    report("gathered to f32", n_gathered, start, checksum);
    Ok(())
}

fn report(what: &str, n_episodes: u64, start: Instant, checksum: f64) {
    let rate = n_episodes as f64 / start.elapsed().as_secs_f64();
    let n_threads = rayon::current_num_threads();
    println!("{what}: {rate:.0} episodes/s on {n_threads} threads (checksum {checksum})");
}

fn blank() -> Result<Dataset, DataError> {
    let classes = (0..1_000).map(|class_idx| ClassImages {
        name: class_idx.to_string(),
        alphabet: "blank".into(),
        pixels: vec![0; 20 * 28 * 28],
    });
    Dataset::from_classes("blank", 28, classes)
}
