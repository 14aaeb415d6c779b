//! What was understood of a folder of images: what was read, what was skipped and why, which files are equal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{DataError, Dataset};

/// A SHA-256.
pub(crate) type Sha256Digest = [u8; 32];

/// Most names that a line of the text lists; the rest is a number.
const MAX_NAMES: usize = 8;

/// What only decoding tells; kept in the cache beside the pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoding {
    /// Whether bytes were inverted, so that ink is bright.
    pub is_inverted: bool,
    /// Mean of the outermost ring of pixels of all images, 0 (black) to 255 (white), rounded down.
    pub ring_mean: u8,
    /// Images in which red, green and blue differ by more than 16 of 255 somewhere.
    pub n_colour: usize,
    /// Channels that the images got.
    pub channels: usize,
    /// Whether transparent pixels lie on black, not on white.
    pub is_on_black: bool,
    /// Pictures with transparent pixels that cannot be seen on white; on black. Counted only where the pictures decide.
    pub n_vanishing: [usize; 2],
}

/// What the header of one image file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Header {
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// Channels, alpha included.
    pub channels: u8,
    /// Bits of a channel.
    pub depth: u16,
    /// Whether one channel is alpha.
    pub has_alpha: bool,
    /// Whether an EXIF tag asks for the image to be turned.
    pub is_turned: bool,
}

impl Header {
    /// Whether it has red, green and blue, be they equal or not.
    #[must_use]
    pub fn is_colour(&self) -> bool {
        self.channels >= 3
    }
}

/// Where a file lies: the name of its class, and its path below the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Name of its class.
    pub class: String,
    /// Its path below the root.
    pub file: PathBuf,
}

/// The receipt of a folder of images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The folder.
    pub root: PathBuf,
    /// Name of each class with its number of images.
    pub classes: Vec<(String, usize)>,
    /// How many files have each header.
    pub headers: Vec<(Header, usize)>,
    /// Files whose header cannot be read; decoding names the first.
    pub n_without_header: usize,
    /// Files that were not read, by the ending of their names (`""`: none; `.`: hidden), below the root.
    pub skipped: BTreeMap<String, Vec<PathBuf>>,
    /// Images that no table lists, where CSV files tell the classes.
    pub unlisted: Vec<PathBuf>,
    /// Folders that hold files, but no image: classes that are not there.
    pub without_images: Vec<PathBuf>,
    /// Groups of two or more images with equal pixels at the size that is used.
    pub equal: Vec<Vec<Place>>,
    /// Images that are of one value everywhere once resized.
    pub constant: Vec<Place>,
    /// Classes that were left out because they are small, with their number of images.
    pub left_out: Vec<(String, usize)>,
    /// What decoding told.
    pub decoding: Decoding,
    /// Where each image of the data set came from, in its order. Not part of what is written down as the receipt: it is as long as the
    /// data set.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
}

impl Receipt {
    /// Finds the constant images and the equal ones of a data set whose images are in the order of `places`; `file` tells the digest
    /// of the file of an image, and is asked for constant ones alone.
    ///
    /// Images are equal if their pixels are, whatever their files are called and however they store them. Constant ones say
    /// nothing of each other: there it takes the same file.
    ///
    /// # Errors
    /// Those of `file`.
    pub(crate) fn look_at(
        &mut self,
        dataset: &Dataset,
        places: &[Place],
        file: impl Fn(usize) -> Result<Sha256Digest, DataError>,
    ) -> Result<(), DataError> {
        self.files = places.iter().map(|place| place.file.clone()).collect();
        let mut equal: BTreeMap<Sha256Digest, Vec<Place>> = BTreeMap::new();
        for (image_idx, place) in places.iter().enumerate() {
            let image = dataset.image(image_idx);
            // Of one value for each channel.
            let first = &image[..dataset.channels];
            let is_constant = image
                .chunks_exact(dataset.channels)
                .all(|pixel| pixel == first);
            if is_constant {
                self.constant.push(place.clone());
            }
            let key = if is_constant {
                file(image_idx)?
            } else {
                Sha256::digest(image).into()
            };
            equal.entry(key).or_default().push(place.clone());
        }
        self.equal = equal
            .into_values()
            .filter(|group| group.len() > 1)
            .collect();
        self.equal.sort_by(|a, b| a[0].file.cmp(&b[0].file));
        Ok(())
    }

    /// Paper of the transparent pixels, and why that.
    fn paper(&self) -> String {
        let [on_white, on_black] = self.decoding.n_vanishing;
        let [(paper, gone), (other, gone_there)] = if self.decoding.is_on_black {
            [("black", on_black), ("white", on_white)]
        } else {
            [("white", on_white), ("black", on_black)]
        };
        let change = "set `data.paper` to change this";
        if gone == 0 && gone_there == 0 {
            return format!("{paper} paper ({change})");
        }
        format!("{paper} paper ({gone} cannot be seen on it, {gone_there} on {other}; {change})")
    }

    /// Groups of equal images that lie in two or more classes.
    pub fn equal_over_classes(&self) -> impl Iterator<Item = &Vec<Place>> {
        self.equal.iter().filter(|group| {
            let classes: BTreeSet<_> = group.iter().map(|place| &place.class).collect();
            classes.len() > 1
        })
    }
}

/// Some names, and how many more there are.
fn some<'a>(names: impl ExactSizeIterator<Item = String> + 'a) -> String {
    let n_names = names.len();
    let mut text = names.take(MAX_NAMES).collect::<Vec<_>>().join(", ");
    if n_names > MAX_NAMES {
        let _ = write!(text, " and {} more", n_names - MAX_NAMES);
    }
    text
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn range(numbers: impl Iterator<Item = usize> + Clone) -> String {
    let (least, most) = (
        numbers.clone().min().unwrap_or(0),
        numbers.max().unwrap_or(0),
    );
    if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_images: usize = self.classes.iter().map(|(_, n)| n).sum();
        writeln!(f, "images of {}", self.root.display())?;
        writeln!(
            f,
            "  read: {n_images} images of {} classes, {} a class",
            self.classes.len(),
            range(self.classes.iter().map(|(_, n)| *n))
        )?;
        let count = |is: fn(&Header) -> bool| -> usize {
            let of_kind = self.headers.iter().filter(|(header, _)| is(header));
            of_kind.map(|(_, n)| n).sum()
        };
        writeln!(
            f,
            "  stored: {} x {} pixels (width x height), {} channels, {} bits",
            range(self.headers.iter().map(|(header, _)| header.width as usize)),
            range(
                self.headers
                    .iter()
                    .map(|(header, _)| header.height as usize)
            ),
            range(
                self.headers
                    .iter()
                    .map(|(header, _)| usize::from(header.channels))
            ),
            range(
                self.headers
                    .iter()
                    .map(|(header, _)| usize::from(header.depth))
            ),
        )?;
        let (deep, alpha) = (count(|h| h.depth > 8), count(|h| h.has_alpha));
        let turned = count(|h| h.is_turned);
        if deep > 0 {
            writeln!(
                f,
                "  depth: {deep} images have more than 8 bits; 8 are used"
            )?;
        }
        if alpha > 0 {
            writeln!(f, "  alpha: {alpha} images, laid on {}", self.paper())?;
        }
        if turned > 0 {
            writeln!(f, "  turned: {turned} images, as their EXIF tag asks")?;
        }
        let Decoding {
            channels,
            is_inverted,
            ring_mean: ring,
            n_colour,
            ..
        } = self.decoding;
        let polarity = match (channels, is_inverted) {
            (1, true) => "dark on bright, inverted",
            (1, false) => "bright on dark, kept",
            (_, true) => "colours are inverted",
            (_, false) => "colours are kept as they are",
        };
        writeln!(
            f,
            "  ink: {polarity} (mean of the border: {ring} of 255; set `data.ink` to change this)"
        )?;
        match (channels, n_colour) {
            (1, 0) => writeln!(f, "  channels: 1, no image has a colour")?,
            (1, _) => writeln!(
                f,
                "  WARNING colour: {n_colour} images have colours and BECOME GREY, as `data.channels` = 1 says; classes that differ in colour alone cannot be told apart"
            )?,
            _ => writeln!(
                f,
                "  channels: {channels} (red, green, blue): {n_colour} images have colours; `data.channels` = 1 makes them grey"
            )?,
        }
        for (ending, files) in &self.skipped {
            let kind = match ending.as_str() {
                "" => String::from("without an ending"),
                "." => String::from("hidden"),
                ending => format!("of type .{ending}"),
            };
            let names = some(files.iter().map(|file| shown(file)));
            writeln!(f, "  skipped: {} files {kind}: {names}", files.len())?;
        }
        if !self.unlisted.is_empty() {
            let names = some(self.unlisted.iter().map(|file| shown(file)));
            let n_files = self.unlisted.len();
            writeln!(
                f,
                "  skipped: {n_files} images that no CSV file lists: {names}"
            )?;
        }
        if !self.without_images.is_empty() {
            let names = some(self.without_images.iter().map(|folder| shown(folder)));
            let n_folders = self.without_images.len();
            writeln!(
                f,
                "  WARNING no class: {n_folders} folders hold files, but no image that can be read: {names}"
            )?;
        }
        if !self.constant.is_empty() {
            let names = some(self.constant.iter().map(|place| shown(&place.file)));
            let n_constant = self.constant.len();
            writeln!(
                f,
                "  WARNING blank: {n_constant} images are of one value everywhere: {names}"
            )?;
        }
        if !self.left_out.is_empty() {
            let classes: Vec<_> = self
                .left_out
                .iter()
                .map(|(class, n_images)| format!("{class} ({n_images})"))
                .collect();
            let (n_classes, names) = (classes.len(), some(classes.into_iter()));
            writeln!(
                f,
                "  left out: {n_classes} classes with fewer images than data.min_images: {names}"
            )?;
        }
        let n_over = self.equal_over_classes().count();
        let n_within = self.equal.len() - n_over;
        let names = |group: &Vec<Place>| {
            let files: Vec<_> = group.iter().map(|place| shown(&place.file)).collect();
            files.join(" = ")
        };
        if n_within > 0 {
            let within = self
                .equal
                .iter()
                .filter(|group| group.iter().all(|place| place.class == group[0].class));
            let groups: Vec<_> = within.map(names).collect();
            writeln!(
                f,
                "  WARNING equal: {n_within} pictures are more than once in their class: {}",
                some(groups.into_iter())
            )?;
        }
        if n_over > 0 {
            let groups: Vec<_> = self.equal_over_classes().map(names).collect();
            writeln!(
                f,
                "  WARNING equal: {n_over} pictures are in several classes: {}",
                some(groups.into_iter())
            )?;
        }
        Ok(())
    }
}
