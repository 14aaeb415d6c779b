//! A contact sheet: some classes of a data set, some images of each, as the learners get them.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::{Dataset, ImageSize, resize};

/// Most classes on a sheet, spread evenly over all.
const MOST_CLASSES: usize = 12;
/// Most images of a class, the first ones.
const MOST_IMAGES: usize = 8;
/// Largest height and width of an image on the sheet, in pixels.
const MOST_SIDE: usize = 42;
/// Between images, and at the border.
const GAP: usize = 2;
/// Grey of what lies between.
const BETWEEN: u8 = 160;

/// A sheet with the names of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The classes, from top to bottom.
    pub classes: Vec<String>,
    /// A PNG, grey or in colour.
    pub png: Vec<u8>,
}

impl Sheet {
    /// The sheet of a data set.
    ///
    /// A row a class, `MOST_CLASSES` at the most, evenly over all; its first images from left to right. Images larger than
    /// 42 pixels are made smaller by [`resize::area`].
    ///
    /// # Errors
    /// The encoder's message.
    pub fn of(dataset: &Dataset) -> Result<Self, String> {
        let n_classes = dataset.classes.len();
        let n_rows = n_classes.min(MOST_CLASSES);
        let chosen: Vec<_> = (0..n_rows)
            .map(|row| &dataset.classes[row * n_classes / n_rows])
            .collect();
        let n_columns = chosen.iter().map(|class| class.n_images.min(MOST_IMAGES));
        let n_columns = n_columns.max().unwrap_or(0);
        let channels = dataset.channels;
        let cell = within(dataset.size, MOST_SIDE);
        let (across, down) = (cell.width + GAP, cell.height + GAP);
        let (width, height) = (GAP + n_columns * across, GAP + n_rows * down);
        let mut pixels = vec![BETWEEN; width * height * channels];
        for (row, class) in chosen.iter().enumerate() {
            for column in 0..class.n_images.min(n_columns) {
                let image = dataset.image(class.first_image + column);
                let mut small = vec![0; cell.n_pixels() * channels];
                let ImageSize { height, width: of } = dataset.size;
                resize::each_channel(image, height, of, cell, &mut small);
                let (top, left) = (GAP + row * down, GAP + column * across);
                for (y, line) in small.chunks_exact(cell.width * channels).enumerate() {
                    let start = ((top + y) * width + left) * channels;
                    pixels[start..][..line.len()].copy_from_slice(line);
                }
            }
        }
        let colour = match channels {
            1 => ExtendedColorType::L8,
            _ => ExtendedColorType::Rgb8,
        };
        let size = |n: usize| u32::try_from(n).map_err(|error| error.to_string());
        let mut png = Cursor::new(Vec::new());
        PngEncoder::new(&mut png)
            .write_image(&pixels, size(width)?, size(height)?, colour)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            classes: chosen.iter().map(|class| class.name.clone()).collect(),
            png: png.into_inner(),
        })
    }
}

/// A size in its proportions, made smaller so that neither length is above the most.
fn within(size: ImageSize, most: usize) -> ImageSize {
    let longer = size.height.max(size.width);
    if longer <= most {
        return size;
    }
    let scaled = |length: usize| (length * most).div_ceil(longer);
    ImageSize {
        height: scaled(size.height),
        width: scaled(size.width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClassImages;

    #[test]
    fn cells_keep_the_proportions_of_their_images() {
        let size = |height, width| ImageSize { height, width };
        assert_eq!(within(size(12, 20), 42), size(12, 20));
        assert_eq!(within(size(84, 84), 42), size(42, 42));
        assert_eq!(within(size(64, 96), 42), size(28, 42));
        assert_eq!(within(size(512, 1), 42), size(42, 1));
        let class = ClassImages {
            name: "one".into(),
            alphabet: ".".into(),
            pixels: (0..6).collect(),
        };
        let dataset = Dataset::from_classes("made", size(2, 3), [class]).unwrap();
        let read = image::load_from_memory(&Sheet::of(&dataset).unwrap().png).unwrap();
        let read = read.into_luma8();
        assert_eq!(read.dimensions(), (2 + 5, 2 + 4));
        assert_eq!(
            [(2, 2), (4, 2), (2, 3), (4, 3)].map(|(x, y)| read.get_pixel(x, y).0[0]),
            [0, 2, 3, 5]
        );
    }

    #[test]
    fn every_image_stands_in_its_row_and_column() {
        let classes = (0..30_u8).map(|class| ClassImages {
            name: class.to_string(),
            alphabet: ".".into(),
            // Two images of 2x2 in three channels, the second one unit brighter.
            pixels: [[class, 100, 200].repeat(4), [class + 1, 101, 201].repeat(4)].concat(),
        });
        let dataset = Dataset::from_colour_classes("made", 2, 3, classes).unwrap();
        let sheet = Sheet::of(&dataset).unwrap();
        assert_eq!(sheet.classes[..3], ["0", "2", "5"]);
        let read = image::load_from_memory(&sheet.png).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (2 + 2 * 4, 2 + 12 * 4));
        assert_eq!(read.get_pixel(2, 2).0, [0, 100, 200]);
        assert_eq!(read.get_pixel(6, 2 + 4 * 2).0, [6, 101, 201]);
        assert_eq!(read.get_pixel(0, 0).0, [BETWEEN; 3]);
    }
}
