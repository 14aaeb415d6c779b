//! A data set: greyscale images as bytes in one contiguous array, grouped by class, classes grouped by alphabet.

use serde::{Deserialize, Serialize};

/// Images of one size, ordered by class; ink (the foreground) is bright, paper is 0.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Short name, e.g. `omniglot`.
    pub name: String,
    /// Height and width of every image, in pixels.
    pub side: usize,
    /// `n_images * side * side` bytes, row by row; 255 is full ink.
    pub pixels: Vec<u8>,
    /// The classes; the images of a class are contiguous.
    pub classes: Vec<Class>,
    /// Names of the alphabets (super-classes); one only where the data has none.
    pub alphabets: Vec<String>,
    /// SHA-256 over what identifies the content, whatever the container it came in; lower-case hex.
    pub digest: String,
}

/// One class (a character).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Name that is unique in the data set, e.g. `Greek/character01`.
    pub name: String,
    /// Index into [`Dataset::alphabets`].
    pub alphabet_idx: usize,
    /// Index of its first image.
    pub first_image: usize,
    /// Number of its images.
    pub n_images: usize,
}

impl Dataset {
    /// Number of images.
    #[must_use]
    pub fn n_images(&self) -> usize {
        self.pixels.len() / (self.side * self.side)
    }

    /// The bytes of one image.
    #[must_use]
    pub fn image(&self, image_idx: usize) -> &[u8] {
        let n_pixels = self.side * self.side;
        &self.pixels[image_idx * n_pixels..][..n_pixels]
    }
}
