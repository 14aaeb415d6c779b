//! Measures how alike data sets are in the space of pixels: ink, distances, and how hard they are to a learner that
//! has learnt nothing.
//!
//! `cargo run --release -p metastable-data --example glyphs_measure -- glyphs omniglot:PATH glyphs:spread=2`
//!
//! One column for each data set named. *Blurred* is the kernel `[1 2 1] / 4` along rows and columns, twice, with
//! wrapped borders. Accuracies are of the nearest support image (Euclidean), 5-way 1-shot 15-query, over 2,000
//! episodes; their standard error is about 0.2 points. *Shifted* takes the least distance over all shifts of up to
//! 4 pixels, over 150 episodes, standard error about 0.9 points.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;

use metastable_data::{
    Dataset, Episode, EpisodeShape, OpenOptions, Rotations, Sampler, Seeds, open,
};
use rayon::prelude::*;

const SHAPE: EpisodeShape = EpisodeShape {
    n_way: 5,
    k_shot: 1,
    n_query: 15,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut specs: Vec<String> = std::env::args().skip(1).collect();
    if specs.is_empty() {
        specs.push("glyphs".to_owned());
    }
    for spec in specs {
        println!("{spec}");
        let dataset = open(&spec, &OpenOptions::default())?;
        for (name, value) in measures(&dataset)? {
            println!("  {name:<44} {value:8.3}");
        }
    }
    Ok(())
}

/// All figures of one data set.
fn measures(dataset: &Dataset) -> Result<Vec<(&'static str, f64)>, Box<dyn Error>> {
    let images: Vec<Vec<f32>> = (0..dataset.n_images())
        .map(|idx| {
            dataset
                .image(idx)
                .iter()
                .map(|&p| f32::from(p) / 255.0)
                .collect()
        })
        .collect();
    let blurred: Vec<Vec<f32>> = images
        .par_iter()
        .map(|i| blur(i, dataset.size.width))
        .collect();

    let inks: Vec<f64> = images
        .iter()
        .map(|image| mean(image.iter().map(|&p| f64::from(p))))
        .collect();
    let ink = mean(inks.iter().copied());
    let pixel_sd = mean(
        images
            .iter()
            .zip(&inks)
            .map(|(image, ink)| mean(image.iter().map(|&p| (f64::from(p) - ink).powi(2))).sqrt()),
    );
    let (within, between, nearest) = class_distances(dataset, &blurred);
    let mut table = vec![
        ("classes", dataset.classes.len() as f64),
        ("mean ink", ink),
        (
            "SD of ink between images",
            mean(inks.iter().map(|i| (i - ink).powi(2))).sqrt(),
        ),
        ("SD of pixels within an image", pixel_sd),
        (
            "longer side of the ink, pixels",
            mean(images.iter().map(|i| extent(i, dataset.size.width))),
        ),
        ("blurred: image to its class mean", within),
        ("blurred: between class means", between),
        ("blurred: to nearest class of the alphabet", nearest),
    ];
    for (name, images, within_alphabet, max_shift, n_episodes) in [
        ("accuracy %, raw", &images, false, 0, 2000),
        ("accuracy %, blurred", &blurred, false, 0, 2000),
        ("accuracy %, blurred and shifted", &blurred, false, 4, 150),
        (
            "accuracy %, raw, within an alphabet",
            &images,
            true,
            0,
            2000,
        ),
        (
            "accuracy %, blurred, within an alphabet",
            &blurred,
            true,
            0,
            2000,
        ),
    ] {
        let classes = dataset.all_classes();
        let sampler = Sampler::new(dataset, &classes, SHAPE, Rotations::Off, within_alphabet)?;
        let seeds = Seeds::all(0);
        let accuracies: Vec<f64> = (0..n_episodes)
            .into_par_iter()
            .map(|index| {
                accuracy(
                    &sampler.episode(&seeds, index),
                    images,
                    dataset.size.width,
                    max_shift,
                )
            })
            .collect();
        table.push((name, 100.0 * mean(accuracies.into_iter())));
    }
    Ok(table)
}

/// Share of the queries whose nearest support image is of their class.
fn accuracy(episode: &Episode, images: &[Vec<f32>], side: usize, max_shift: usize) -> f64 {
    // Shifting the supports by wrapping is enough: the ink stays away from the border.
    let shifts: Vec<usize> = (0..=2 * max_shift)
        .flat_map(|dy| (0..=2 * max_shift).map(move |dx| (dy, dx)))
        .map(|(dy, dx)| (side + dy - max_shift) * side + side * side + dx - max_shift)
        .collect();
    let supports: Vec<Vec<Vec<f32>>> = episode
        .support
        .iter()
        .map(|&support| {
            let image = &images[support as usize];
            shifts
                .iter()
                .map(|shift| {
                    let mut shifted = image.clone();
                    shifted.rotate_right(shift % (side * side));
                    shifted
                })
                .collect()
        })
        .collect();
    mean(episode.query.iter().enumerate().map(|(position, &query)| {
        let distances = supports.iter().map(|shifted| {
            shifted
                .iter()
                .map(|support| squared_distance(&images[query as usize], support))
                .fold(f32::INFINITY, f32::min)
        });
        let nearest = distances
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(label, _)| label);
        f64::from(u8::from(nearest == Some(position / episode.shape.n_query)))
    }))
}

/// Mean distance of images to their class mean, between class means, and to the nearest mean in the alphabet.
fn class_distances(dataset: &Dataset, images: &[Vec<f32>]) -> (f64, f64, f64) {
    let means: Vec<Vec<f32>> = dataset
        .classes
        .iter()
        .map(|class| {
            let members = &images[class.first_image..][..class.n_images];
            let sum = members
                .iter()
                .fold(vec![0.0; members[0].len()], |mut sum, image| {
                    sum.iter_mut().zip(image).for_each(|(s, p)| *s += p);
                    sum
                });
            sum.iter().map(|s| s / class.n_images as f32).collect()
        })
        .collect();
    let distance = |a: &[f32], b: &[f32]| f64::from(squared_distance(a, b)).sqrt();
    let within = mean(
        dataset
            .classes
            .iter()
            .zip(&means)
            .flat_map(|(class, center)| {
                images[class.first_image..][..class.n_images]
                    .iter()
                    .map(|image| distance(image, center))
            }),
    );
    let rows: Vec<(f64, f64)> = (0..means.len())
        .into_par_iter()
        .map(|i| {
            let others = (0..means.len()).filter(|&j| j != i);
            let all = mean(others.clone().map(|j| distance(&means[i], &means[j])));
            let same =
                |j: &usize| dataset.classes[*j].alphabet_idx == dataset.classes[i].alphabet_idx;
            let nearest = others.filter(same).map(|j| distance(&means[i], &means[j]));
            (all, nearest.fold(f64::INFINITY, f64::min))
        })
        .collect();
    (
        within,
        mean(rows.iter().map(|r| r.0)),
        mean(rows.iter().map(|r| r.1)),
    )
}

/// Longer side of the box around pixels with more than a tenth of full ink.
fn extent(image: &[f32], side: usize) -> f64 {
    let inked = |positions: &dyn Fn(usize, usize) -> usize| {
        let lines = (0..side).filter(|&a| (0..side).any(|b| image[positions(a, b)] > 0.1));
        let (first, last) = (lines.clone().next(), lines.last());
        first.zip(last).map_or(0, |(first, last)| last - first + 1)
    };
    inked(&|row, column| row * side + column).max(inked(&|column, row| row * side + column)) as f64
}

fn blur(image: &[f32], side: usize) -> Vec<f32> {
    let mut image = image.to_vec();
    for _ in 0..2 {
        image = (0..image.len())
            .map(|i| {
                let row = i / side * side;
                let (left, right) = (row + (i + side - 1) % side, row + (i + 1) % side);
                (image[left] + 2.0 * image[i] + image[right]) / 4.0
            })
            .collect();
        let n = image.len();
        image = (0..n)
            .map(|i| (image[(i + n - side) % n] + 2.0 * image[i] + image[(i + side) % n]) / 4.0)
            .collect();
    }
    image
}

fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}
