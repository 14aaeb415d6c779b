//! Glyphs: procedural alphabets that look like handwriting, embedded so that nothing has to be downloaded.
//!
//! An alphabet has a *style*: a handful of stroke primitives (lines, arcs, hooks, loops, zigzags, dots) and habits
//! of joining them. A character is a small program over those primitives, new or an earlier one with a stroke
//! changed or added, and proposed again if it is too close to another. A drawer has a *hand* (slant, size, place,
//! pen, care) that is the same in every alphabet, and each drawing adds chance of its own: strokes turn, stretch,
//! slide along each other, bend and overshoot. The idea is that of the motor programs of Lake et al. 2015 (parts,
//! relations, and noise on both), with distributions made by hand in place of learnt ones.
//!
//! Figures beside those of Omniglot, and a contact sheet: `docs/glyphs.md`.
//!
//! Read `style`, `character`, `hand`, `render`, in this order.
//!
//! Invariant: an image is a pure function of (settings, alphabet, character, drawer). No transcendental function is
//! called, only `+ - * /` and `sqrt`, which are exactly rounded: the bytes are meant to be the same on every machine
//! (a test pins the digest, so far run on `x86_64` only) and are the same at any thread count. A larger set with the same seed begins with the same alphabets, characters and drawers.
//!
//! ```
//! use metastable_data::glyphs::{self, GlyphsConfig};
//!
//! let config = GlyphsConfig { n_alphabets: 2, n_characters: 3, n_drawers: 4, ..GlyphsConfig::default() };
//! let dataset = glyphs::generate(&config)?;
//! assert_eq!((dataset.classes.len(), dataset.n_images()), (6, 24));
//! assert_eq!(dataset.classes[5].name, "Alphabet02/character03");
//! # Ok::<(), metastable_data::DataError>(())
//! ```

mod character;
mod config;
mod draw;
mod geometry;
mod hand;
mod render;
mod style;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{Class, DataError, Dataset, digest::hex};
use character::Character;
pub use config::GlyphsConfig;
use draw::{Draw, Part};
use hand::Hand;
use style::Style;

/// Version of the generator: part of the digest, raised whenever the same settings give other pixels.
const GENERATOR_VERSION: &str = "glyphs/1";

/// The data set of these settings, in rayon's current thread pool.
///
/// Classes are named `Alphabet07/character03`, counted from 1. The digest is SHA-256 over the generator's version,
/// the counts and the pixels.
///
/// # Shapes
/// `n_alphabets * n_characters` classes of `n_drawers` images each, `side x side`; image `k` of a class is by
/// drawer `k`.
/// # Errors
/// Those of [`GlyphsConfig::validate`].
pub fn generate(config: &GlyphsConfig) -> Result<Dataset, DataError> {
    config.validate()?;
    let alphabets: Vec<(Style, Vec<Character>)> = indices(config.n_alphabets)
        .into_par_iter()
        .map(|alphabet| {
            let style = Style::new(config.seed, alphabet);
            let characters =
                character::characters(config.seed, alphabet, &style, config.n_characters);
            (style, characters)
        })
        .collect();
    let hands: Vec<Hand> = indices(config.n_drawers)
        .into_iter()
        .map(|drawer| Hand::new(config.seed, drawer, config.spread))
        .collect();

    let n_pixels = config.side * config.side;
    let mut pixels = vec![0_u8; config.n_images() * n_pixels];
    let per_alphabet = config.n_characters * config.n_drawers * n_pixels;
    pixels
        .par_chunks_exact_mut(per_alphabet)
        .zip(indices(config.n_alphabets))
        .zip(&alphabets)
        .for_each(|((pixels, alphabet), (style, characters))| {
            pixels
                .par_chunks_exact_mut(config.n_drawers * n_pixels)
                .zip(indices(config.n_characters))
                .zip(characters)
                .for_each(|((pixels, character_idx), character)| {
                    let drawers = hands.iter().zip(0_u32..);
                    for (image, (hand, drawer)) in pixels.chunks_exact_mut(n_pixels).zip(drawers) {
                        let part = Part::Drawing {
                            alphabet,
                            character: character_idx,
                            drawer,
                        };
                        let draw = &mut Draw::new(config.seed, part);
                        let strokes = hand.draw(character, style, draw);
                        let pen_width = config.pen_width * hand.pen;
                        render::render(&strokes, pen_width, config.side, image);
                    }
                });
        });
    Ok(Dataset {
        digest: digest(config, &pixels),
        pixels,
        classes: classes(config),
        alphabets: (1..=config.n_alphabets).map(alphabet_name).collect(),
        ..Dataset::empty("glyphs", config.side.into(), 1)
    })
}

/// `0..n` as the words that keys are made of.
fn indices(n: usize) -> Vec<u32> {
    (0_u32..).take(n).collect()
}

fn alphabet_name(number: usize) -> String {
    format!("Alphabet{number:02}")
}

fn classes(config: &GlyphsConfig) -> Vec<Class> {
    (0..config.n_alphabets * config.n_characters)
        .map(|class_idx| {
            let alphabet_idx = class_idx / config.n_characters;
            let number = class_idx % config.n_characters + 1;
            Class {
                name: format!("{}/character{number:02}", alphabet_name(alphabet_idx + 1)),
                alphabet_idx,
                first_image: class_idx * config.n_drawers,
                n_images: config.n_drawers,
            }
        })
        .collect()
}

/// SHA-256 over version, counts and pixels, lower-case hex.
fn digest(config: &GlyphsConfig, pixels: &[u8]) -> String {
    let header = format!(
        "{GENERATOR_VERSION} {} {} {} {}\n",
        config.n_alphabets, config.n_characters, config.n_drawers, config.side
    );
    hex(&Sha256::new()
        .chain_update(header)
        .chain_update(pixels)
        .finalize())
}

#[cfg(test)]
mod tests;
