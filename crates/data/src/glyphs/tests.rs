//! What glyphs promise: determinism, spread, distinctness, and the look of handwriting in figures.

use super::*;
use crate::{EpisodeShape, Rotations, Sampler, Seeds};

fn small() -> GlyphsConfig {
    GlyphsConfig {
        n_alphabets: 4,
        n_characters: 8,
        n_drawers: 6,
        ..GlyphsConfig::default()
    }
}

fn made(config: &GlyphsConfig) -> Dataset {
    generate(config).unwrap()
}

fn made_on(n_threads: usize, config: &GlyphsConfig) -> Dataset {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build()
        .unwrap();
    pool.install(|| made(config))
}

#[test]
fn same_settings_same_bytes_at_any_thread_count() {
    let (one, four) = (made_on(1, &small()), made_on(4, &small()));
    assert_eq!(one.pixels, four.pixels);
    assert_eq!(one.digest, four.digest);
}

/// The digests were made on `x86_64` Linux; another machine that gives others breaks the promise of the module.
#[test]
fn bytes_are_the_same_on_every_machine() {
    assert_eq!(
        made(&small()).digest,
        "48e5cce2e463cc9ed958d9f4e9b03a27aeca67a4b681ab4f89f29b2822f2d538"
    );
    assert_eq!(
        made(&GlyphsConfig::default()).digest,
        "0ccfcea26cefd0f5376f1e6768ece836e4f12ad9d04e8f30ce6e04952df8d27b"
    );
}

#[test]
fn an_image_depends_on_its_own_key_and_not_on_the_size_of_the_set() {
    let few = made(&small());
    let many = made(&GlyphsConfig {
        n_alphabets: 5,
        n_characters: 11,
        n_drawers: 9,
        ..small()
    });
    for class in &few.classes {
        let same = &many.classes[many.class_idx(&class.name).unwrap() as usize];
        for drawer in 0..class.n_images {
            let (a, b) = (class.first_image + drawer, same.first_image + drawer);
            assert_eq!(few.image(a), many.image(b), "{} {drawer}", class.name);
        }
    }
}

#[test]
fn at_spread_zero_all_drawings_of_a_character_are_alike() {
    let dataset = made(&GlyphsConfig {
        spread: 0.0,
        ..small()
    });
    for class in &dataset.classes {
        let first = dataset.image(class.first_image);
        for k in 1..class.n_images {
            assert_eq!(
                dataset.image(class.first_image + k),
                first,
                "{}",
                class.name
            );
        }
    }
    let varied = made(&small());
    assert_ne!(varied.image(0), varied.image(1));
}

#[test]
fn every_setting_of_the_look_changes_the_pixels() {
    let base = made(&small());
    for text in ["seed=1", "spread=1.1", "pen_width=0.06"] {
        let other = made(&small().with_text(text).unwrap());
        assert_ne!(base.pixels, other.pixels, "{text}");
        assert_ne!(base.digest, other.digest, "{text}");
    }
}

/// Ideal drawings of two characters of an alphabet differ by at least a stroke's worth of ink.
#[test]
fn characters_of_an_alphabet_are_distinct() {
    let dataset = made(&GlyphsConfig {
        n_alphabets: 12,
        n_characters: 20,
        n_drawers: 1,
        spread: 0.0,
        ..GlyphsConfig::default()
    });
    for (i, a) in dataset.classes.iter().enumerate() {
        for b in &dataset.classes[..i] {
            if a.alphabet_idx != b.alphabet_idx {
                continue;
            }
            let pairs = dataset
                .image(a.first_image)
                .iter()
                .zip(dataset.image(b.first_image));
            let gap: f64 = pairs.map(|(&p, &q)| f64::from(p.abs_diff(q)) / 255.0).sum();
            assert!(
                gap > 10.0,
                "{} and {} differ by {gap} pixels",
                a.name,
                b.name
            );
        }
    }
}

/// Omniglot at 28x28: mean ink 0.081, SD between images 0.028 (`docs/glyphs.md`).
#[test]
fn ink_is_that_of_handwriting() {
    let dataset = made(&GlyphsConfig::default());
    let n_pixels = dataset.size.n_pixels();
    let inks: Vec<f64> = dataset
        .pixels
        .chunks_exact(n_pixels)
        .map(|image| {
            image.iter().map(|&p| f64::from(p)).sum::<f64>() / 255.0 / geometry::count(n_pixels)
        })
        .collect();
    let mean = inks.iter().sum::<f64>() / geometry::count(inks.len());
    assert!((0.07..0.09).contains(&mean), "mean ink {mean}");
    for (idx, ink) in inks.iter().enumerate() {
        assert!((0.01..0.25).contains(ink), "image {idx}: ink {ink}");
        let image = dataset.image(idx);
        // Ink is bright and on paper of 0: full somewhere, none in the corners' pixels.
        assert!(image.iter().any(|&p| p > 200), "image {idx} is faint");
        assert_eq!(image[0], 0, "image {idx}");
        assert_eq!(image[n_pixels - 1], 0, "image {idx}");
    }
}

/// Share of queries whose nearest support image is of their class, 5-way 1-shot, on fixed episodes.
fn nearest_neighbor_accuracy(spread: f64) -> f64 {
    let dataset = made(&GlyphsConfig {
        n_alphabets: 10,
        n_characters: 10,
        spread,
        ..GlyphsConfig::default()
    });
    let shape = EpisodeShape {
        n_way: 5,
        k_shot: 1,
        n_query: 10,
    };
    let classes = dataset.all_classes();
    let sampler = Sampler::new(&dataset, &classes, shape, Rotations::Off, false).unwrap();
    let (mut n_right, mut n_queries) = (0, 0);
    for index in 0..200 {
        let episode = sampler.episode(&Seeds::all(0), index);
        for (position, &query) in episode.query.iter().enumerate() {
            let distance = |support: &u32| -> u32 {
                let pairs = dataset
                    .image(*support as usize)
                    .iter()
                    .zip(dataset.image(query as usize));
                pairs.map(|(&p, &q)| u32::from(p.abs_diff(q)).pow(2)).sum()
            };
            let nearest = (0..shape.n_way).min_by_key(|&label| distance(&episode.support[label]));
            n_right += usize::from(nearest == Some(position / shape.n_query));
            n_queries += 1;
        }
    }
    geometry::count(n_right) / geometry::count(n_queries)
}

/// 10,000 queries a figure: its standard error is below 0.01 even if the queries of an episode go together, so a
/// step of 0.1 is beyond chance.
#[test]
fn a_wider_spread_is_harder() {
    let [none, usual, wide] = [0.0, 1.0, 2.0].map(nearest_neighbor_accuracy);
    assert!(none > 0.999, "spread 0: {none}");
    assert!((0.38..0.52).contains(&usual), "spread 1: {usual}");
    assert!(wide < usual - 0.1, "spread 2: {wide}");
    assert!(wide > 0.2, "spread 2 is at chance: {wide}");
}

#[test]
fn names_sizes_and_extreme_settings() {
    let dataset = made(&small());
    assert_eq!(dataset.classes.len(), 32);
    assert_eq!(dataset.n_images(), 192);
    assert_eq!(dataset.classes[17].name, "Alphabet03/character02");
    assert_eq!(dataset.alphabets[3], "Alphabet04");
    for text in [
        "spread=4",
        "pen_width=0.2",
        "pen_width=0.01,side=8",
        "side=105",
    ] {
        let config = small().with_text(text).unwrap();
        let dataset = made(&config);
        assert_eq!(dataset.size.side(), Some(config.side));
        for idx in 0..dataset.n_images() {
            assert!(dataset.image(idx).iter().any(|&p| p > 0), "{text}: {idx}");
        }
    }
    assert!(generate(&small().with_text("side=5").unwrap()).is_err());
}
