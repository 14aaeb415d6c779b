//! A data set: images of one or three channels as bytes in one contiguous array, grouped by class, classes grouped by alphabet.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::channels::luma;
use crate::receipt::{Decoding, Receipt};
use crate::{Channels, DataError, ImageSize, digest};

/// Images of one size, ordered by class. Of one channel, ink (the foreground) is bright and paper is 0; three channels are red, green
/// and blue, side by side for each pixel.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Short name, e.g. `omniglot`.
    pub name: String,
    /// Height and width of every image.
    pub size: ImageSize,
    /// Channels of every image: 1 or 3.
    pub channels: usize,
    /// `n_images * height * width * channels` bytes, row by row; of one channel, 255 is full ink.
    pub pixels: Vec<u8>,
    /// The classes; the images of a class are contiguous.
    pub classes: Vec<Class>,
    /// Names of the alphabets (super-classes); one only where the data has none.
    pub alphabets: Vec<String>,
    /// SHA-256 over what identifies the content, whatever the container it came in; lower-case hex.
    pub digest: String,
    /// What decoding told; only of folders of images.
    pub decoding: Option<Decoding>,
    /// What was understood of the files, and what was skipped; only of folders of images.
    pub receipt: Option<Box<Receipt>>,
    /// The domains of a [mix](crate::mix()); none of a set by itself.
    pub domains: Vec<Domain>,
    /// Of each class the number of its first images that are the only queries of its episodes ([`Dataset::holding_out`]); empty where any
    /// image may be one.
    pub held: Vec<u32>,
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

impl Class {
    /// Indices of its images.
    #[must_use]
    pub fn images(&self) -> Range<usize> {
        self.first_image..self.first_image + self.n_images
    }
}

/// One domain of a mixed data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name, which begins the names of its classes and alphabets.
    pub name: String,
    /// Its classes, as indices into [`Dataset::classes`].
    pub classes: Range<usize>,
}

/// The images of one class, as [`Dataset::from_classes`] takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassImages {
    /// Name that is unique in the data set.
    pub name: String,
    /// Name of its alphabet.
    pub alphabet: String,
    /// `n_images * height * width * channels` bytes, row by row; of one channel, 255 is full ink.
    pub pixels: Vec<u8>,
}

impl Dataset {
    /// A data set without an image.
    #[must_use]
    pub fn empty(name: impl Into<String>, size: ImageSize, channels: usize) -> Self {
        Self {
            name: name.into(),
            size,
            channels,
            pixels: Vec::new(),
            classes: Vec::new(),
            alphabets: Vec::new(),
            digest: String::new(),
            decoding: None,
            receipt: None,
            domains: Vec::new(),
            held: Vec::new(),
        }
    }

    /// A data set from images of one channel in memory: [`Self::from_colour_classes`] with one.
    ///
    /// # Errors
    /// As there.
    pub fn from_classes(
        name: impl Into<String>,
        size: impl Into<ImageSize>,
        classes: impl IntoIterator<Item = ClassImages>,
    ) -> Result<Self, DataError> {
        Self::from_colour_classes(name, size, 1, classes)
    }

    /// A data set from images in memory; alphabets in order of first appearance.
    ///
    /// The digest is SHA-256 over the side (0, height and width of images that are not square), the number of channels if it is not
    /// 1, and, class by class, alphabet, name and pixels, each with its length before it (little-endian `u64`).
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a height or width of 0, channels other than 1 and 3, a class name that occurs twice, a class
    /// whose bytes are not whole images or that has none, or more images than 32 bits count.
    pub fn from_colour_classes(
        name: impl Into<String>,
        size: impl Into<ImageSize>,
        channels: usize,
        classes: impl IntoIterator<Item = ClassImages>,
    ) -> Result<Self, DataError> {
        // The one list of numbers of channels that there are.
        channels.to_string().parse::<Channels>()?;
        let size = size.into();
        let mut dataset = Self::empty(name, size, channels);
        size.check()?;
        let n_values = dataset.n_values();
        let mut names = BTreeSet::new();
        let mut hasher = Sha256::new();
        let lengths = match size.side() {
            Some(side) => vec![side],
            None => vec![0, size.height, size.width],
        };
        for length in lengths {
            hasher.update((length as u64).to_le_bytes());
        }
        if channels != 1 {
            hasher.update((channels as u64).to_le_bytes());
        }
        for class in classes {
            let invalid = |problem: String| DataError::Invalid {
                setting: "class",
                value: class.name.clone(),
                problem,
                next_step: "give each class a name of its own and whole images".into(),
            };
            if class.pixels.is_empty() || class.pixels.len() % n_values != 0 {
                let n_bytes = class.pixels.len();
                return Err(invalid(format!(
                    "{n_bytes} bytes are not one or more images of {}x{} in {channels} channels",
                    size.height, size.width
                )));
            }
            if !names.insert(class.name.clone()) {
                return Err(invalid("the name occurs twice".into()));
            }
            for part in [
                class.alphabet.as_bytes(),
                class.name.as_bytes(),
                &class.pixels,
            ] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
            let first_image = dataset.n_images();
            dataset.pixels.extend_from_slice(&class.pixels);
            if u32::try_from(dataset.n_images()).is_err() {
                return Err(invalid("more than 4,294,967,295 images".into()));
            }
            let alphabet_idx = dataset.alphabet_idx(&class.alphabet);
            dataset.classes.push(Class {
                name: class.name,
                alphabet_idx,
                first_image,
                n_images: dataset.n_images() - first_image,
            });
        }
        dataset.digest = digest::hex(&hasher.finalize());
        Ok(dataset)
    }

    /// The same without classes of fewer than `min_images` images; as it is if there are none.
    ///
    /// The digest becomes SHA-256 over the old one and `without classes of fewer than N images`; the receipt names the
    /// classes that are left out.
    ///
    /// # Errors
    /// [`DataError::TooFew`] if no class is left.
    pub fn without_small(self, min_images: usize) -> Result<Self, DataError> {
        let is_small = |class: &Class| class.n_images < min_images;
        if !self.classes.iter().any(is_small) {
            return Ok(self);
        }
        let kept = self.classes.iter().filter(|class| !is_small(class));
        let images = kept.map(|class| ClassImages {
            name: class.name.clone(),
            alphabet: self.alphabets[class.alphabet_idx].clone(),
            pixels: class
                .images()
                .flat_map(|image_idx| self.image(image_idx))
                .copied()
                .collect(),
        });
        let mut dataset = Self::from_colour_classes(&self.name, self.size, self.channels, images)?;
        if dataset.classes.is_empty() {
            let largest = self.classes.iter().map(|class| class.n_images).max();
            return Err(DataError::TooFew {
                what: format!("images of the largest class of `{}`", self.name),
                needed: min_images,
                available: largest.unwrap_or(0),
                next_step: "lower min_images".into(),
            });
        }
        let settings = format!(
            "{} without classes of fewer than {min_images} images",
            self.digest
        );
        dataset.digest = digest::sha256(settings.as_bytes());
        dataset.decoding = self.decoding;
        dataset.receipt = self.receipt.map(|mut receipt| {
            let kept = self.classes.iter().filter(|class| !is_small(class));
            let files = kept.flat_map(|class| {
                let images = receipt.files.iter().skip(class.first_image);
                images.take(class.n_images).cloned()
            });
            receipt.files = files.collect();
            let small = self.classes.iter().filter(|class| is_small(class));
            receipt.left_out = small
                .map(|class| (class.name.clone(), class.n_images))
                .collect();
            receipt
        });
        Ok(dataset)
    }

    /// The same images with `channels` channels: grey is repeated, colour becomes luma. As it is if it has them already.
    ///
    /// The digest stays: it says what the images are, not what was made of them.
    ///
    /// # Panics
    /// For channels other than 1 and 3.
    #[must_use]
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.pixels = match (self.channels, channels) {
            (was, asked) if was == asked => return self,
            (1, 3) => self.pixels.iter().flat_map(|byte| [*byte; 3]).collect(),
            (3, 1) => {
                let (colours, _) = self.pixels.as_chunks();
                colours.iter().map(|colour| luma(*colour)).collect()
            }
            (was, asked) => panic!("images have 1 or 3 channels, not {was} or {asked}"),
        };
        self.channels = channels;
        self
    }

    /// Index of an alphabet, which is added if it is new.
    fn alphabet_idx(&mut self, alphabet: &str) -> usize {
        // Classes of one alphabet mostly come one after the other.
        let known = self.alphabets.iter().rposition(|name| name == alphabet);
        known.unwrap_or_else(|| {
            self.alphabets.push(alphabet.to_owned());
            self.alphabets.len() - 1
        })
    }

    /// Index of the class called `name`, by linear search.
    #[must_use]
    pub fn class_idx(&self, name: &str) -> Option<u32> {
        let position = self.classes.iter().position(|class| class.name == name)?;
        u32::try_from(position).ok()
    }

    /// What an image is called: the path of its file below the root, where there are files; else its class and its number
    /// there, from 01 (of Omniglot the number of its drawer).
    #[must_use]
    pub fn image_name(&self, image_idx: usize) -> String {
        let file = self.receipt.as_ref().and_then(|it| it.files.get(image_idx));
        if let Some(file) = file {
            return file.display().to_string();
        }
        let after = self
            .classes
            .partition_point(|class| class.first_image <= image_idx);
        let class = &self.classes[after.saturating_sub(1)];
        format!("{}/{:02}", class.name, image_idx - class.first_image + 1)
    }

    /// Indices of all classes.
    #[must_use]
    pub fn all_classes(&self) -> Vec<u32> {
        (0..).take(self.classes.len()).collect()
    }

    /// Number of images.
    #[must_use]
    pub fn n_images(&self) -> usize {
        self.pixels.len() / self.n_values()
    }

    /// Bytes of one image: `height * width * channels`.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.size.n_pixels() * self.channels
    }

    /// The bytes of one image.
    #[must_use]
    pub fn image(&self, image_idx: usize) -> &[u8] {
        let n_values = self.n_values();
        &self.pixels[image_idx * n_values..][..n_values]
    }
}
