//! Draws episodes as a contact sheet: one row a class, its supports, a gap, its queries; episodes one below another.
//!
//! `cargo run --release -p metastable-data --example contact_sheet -- SPEC OUT.png [--data-dir DIR] [--split RULE]`,
//! e.g. `omniglot sheet.png --data-dir data --split vinyals` or `folder:/my/images sheet.png`.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;

use metastable_data::{
    EpisodeShape, ImageSize, MetaSplit, OpenOptions, Rotations, Sampler, Seeds, Split, open,
};

const N_EPISODES: usize = 3;
/// Blank pixels between images, and times as many between supports and queries and between episodes.
const GAP: usize = 2;
const WIDE_GAP: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [spec, out, ..] = arguments.as_slice() else {
        return Err("usage: contact_sheet SPEC OUT.png [--data-dir DIR] [--split RULE]".into());
    };
    let value_of = |flag: &str| {
        let position = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(position + 1)
    };
    let options = OpenOptions {
        data_dir: value_of("--data-dir").map(Into::into),
        ..OpenOptions::default()
    };
    let dataset = open(spec, &options)?;
    let seeds = Seeds::all(0);
    let classes = match value_of("--split") {
        Some(rule) => Split::new(&dataset, &rule.parse()?, &seeds)?
            .classes(MetaSplit::Test)
            .to_vec(),
        None => dataset.all_classes(),
    };
    let shape = EpisodeShape {
        n_way: 5,
        k_shot: 1,
        n_query: 10,
    };
    let sampler = Sampler::new(&dataset, &classes, shape, Rotations::Off, false)?;

    let ImageSize { height, width } = dataset.size;
    let (n_pixels, of) = (dataset.n_values(), width);
    let (across, cell) = (width + GAP, height + GAP);
    let width = GAP + (shape.k_shot + shape.n_query) * across + WIDE_GAP;
    let episode_height = shape.n_way * cell + WIDE_GAP;
    let height = N_EPISODES * episode_height;
    let mut sheet = image::GrayImage::from_pixel(width as u32, height as u32, image::Luma([160]));
    let mut buffer: Vec<f32> = Vec::new();
    for (episode_idx, index) in (0..N_EPISODES).zip(0..) {
        let episode = sampler.episode(&seeds.evaluation(), index);
        episode.gather(&dataset, &mut buffer);
        let rows = buffer.chunks_exact(n_pixels);
        for (row_idx, row) in rows.enumerate() {
            let (label, column, gap) = match row_idx.checked_sub(shape.n_support()) {
                None => (row_idx / shape.k_shot, row_idx % shape.k_shot, 0),
                Some(query) => (
                    query / shape.n_query,
                    shape.k_shot + query % shape.n_query,
                    WIDE_GAP,
                ),
            };
            let (x0, y0) = (
                GAP + column * across + gap,
                GAP + episode_idx * episode_height + label * cell,
            );
            for (pixel_idx, intensity) in row.iter().enumerate() {
                let (x, y) = (x0 + pixel_idx % of, y0 + pixel_idx / of);
                // Ink dark on paper, as on a page.
                let grey = 255 - (intensity * 255.0).round() as u8;
                sheet.put_pixel(x as u32, y as u32, image::Luma([grey]));
            }
        }
        let names: Vec<&str> = episode
            .classes
            .iter()
            .map(|class| dataset.classes[class.class_idx as usize].name.as_str())
            .collect();
        println!("episode {index}: {}", names.join(", "));
    }
    sheet.save(out)?;
    println!("wrote {out}");
    Ok(())
}
