//! Draws a contact sheet of the default glyphs: alphabets side by side, one character a row, one drawer a column.
//!
//! `cargo run --release -p metastable-data --example glyphs_sheet -- docs/images/glyphs.png [ALPHABETS CHARACTERS DRAWERS]`

use std::error::Error;

use metastable_data::glyphs::{self, GlyphsConfig};

/// Every source pixel becomes a square of this side.
const ZOOM: usize = 2;
/// White pixels between images.
const GAP: usize = 2;
/// White pixels between alphabets.
const GUTTER: usize = 14;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "glyphs.png".to_owned());
    let counts = arguments
        .map(|a| a.parse())
        .collect::<Result<Vec<usize>, _>>()?;
    let [n_alphabets, n_characters, n_drawers] =
        <[usize; 3]>::try_from(counts).unwrap_or([6, 10, 6]);

    let config = GlyphsConfig::default();
    let dataset = glyphs::generate(&config)?;
    let columns = 3.min(n_alphabets);
    let cell = config.side * ZOOM + GAP;
    let (block_width, block_height) = (n_drawers * cell + GUTTER, n_characters * cell + GUTTER);
    let width = columns * block_width + GUTTER;
    let height = n_alphabets.div_ceil(columns) * block_height + GUTTER;
    let mut sheet = vec![255_u8; width * height];
    for alphabet_idx in 0..n_alphabets.min(config.n_alphabets) {
        for character_idx in 0..n_characters.min(config.n_characters) {
            let class = &dataset.classes[alphabet_idx * config.n_characters + character_idx];
            for drawer_idx in 0..n_drawers.min(config.n_drawers) {
                let left = GUTTER + (alphabet_idx % columns) * block_width + drawer_idx * cell;
                let top = GUTTER + (alphabet_idx / columns) * block_height + character_idx * cell;
                let image = dataset.image(class.first_image + drawer_idx);
                for y in 0..config.side * ZOOM {
                    for x in 0..config.side * ZOOM {
                        let ink = image[y / ZOOM * config.side + x / ZOOM];
                        // Paper a shade darker than the margins, so that the frames show.
                        sheet[(top + y) * width + left + x] =
                            244 - (u32::from(ink) * 244 / 255) as u8;
                    }
                }
            }
        }
    }
    let (width, height) = (u32::try_from(width)?, u32::try_from(height)?);
    image::GrayImage::from_raw(width, height, sheet)
        .ok_or("the sheet's bytes do not fill it")?
        .save(path)?;
    Ok(())
}
