//! IDX files: MNIST and its family, plain or gzipped.
//!
//! ```text
//! 0 0 | type, 8 for bytes | number of dimensions | each dimension, u32 big-endian | data, row-major
//! ```
//!
//! A class is a label, named by its number; all classes are of one alphabet. Where a folder holds several pairs (as
//! MNIST's `train` and `t10k`), they are joined in order of their names: which classes are for meta-training is a
//! matter of the split. Images are resized by [`crate::resize::area`].
//! Source of the format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database".

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::dataset::ClassImages;
use crate::picture::{Ink, Ring};
use crate::{DataError, Dataset, ImageSize, digest, guard, resize};

const NEXT_STEP: &str =
    "give a folder with files like train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz]";

/// Loads all pairs of a folder, or one pair by the path of its images.
///
/// Images and labels belong together when their names differ only in `images` / `labels` and `idx3` / `idx1`.
///
/// # Errors
/// [`DataError::Io`] or [`DataError::Malformed`], naming the file, if there is no pair or one cannot be read.
pub fn load(path: &Path, size: impl Into<ImageSize>, ink: Ink) -> Result<Dataset, DataError> {
    let is_folder = fs::metadata(path)
        .map_err(DataError::io("open", path, NEXT_STEP))?
        .is_dir();
    let (folder, images) = if is_folder {
        (path, find_images(path)?)
    } else {
        (path.parent().unwrap_or(path), vec![path.to_owned()])
    };
    let pairs = images
        .into_iter()
        .map(|images| labels_of(&images).map(|labels| (images, labels)))
        .collect::<Result<Vec<_>, DataError>>()?;
    let name = folder.file_name().map(|name| name.to_string_lossy());
    load_pairs(name.as_deref().unwrap_or("idx"), &pairs, size, ink)
}

/// Loads pairs of (images, labels) files as one data set called `name`.
///
/// The digest is SHA-256 over the unpacked bytes of each images file and its labels file in turn.
///
/// # Errors
/// As [`load`].
pub fn load_pairs(
    name: &str,
    pairs: &[(PathBuf, PathBuf)],
    size: impl Into<ImageSize>,
    ink: Ink,
) -> Result<Dataset, DataError> {
    let size = size.into();
    size.check()?;
    let mut hasher = Sha256::new();
    let mut classes: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    let mut rings = Vec::new();
    for (images_path, labels_path) in pairs {
        let images = File::read(images_path, 3)?;
        let labels = File::read(labels_path, 1)?;
        let (n_images, n_labels) = (images.dims[0], labels.dims[0]);
        if n_images != n_labels {
            return Err(DataError::malformed(
                labels_path,
                format!(
                    "{n_labels} labels for the {n_images} images of {}",
                    images_path.display()
                ),
                "give the labels that belong to these images",
            ));
        }
        let (height, width) = (images.dims[1], images.dims[2]);
        if height == 0 || width == 0 {
            return Err(DataError::malformed(
                images_path,
                format!("images of {height}x{width}"),
                NEXT_STEP,
            ));
        }
        hasher.update(&images.bytes);
        hasher.update(&labels.bytes);
        let n_bytes =
            guard::dataset(n_images, size, 1, images.bytes.len() as u64).map_err(|problem| {
                DataError::malformed(images_path, problem, "choose a smaller data.size")
            })?;
        let mut resized = vec![0; n_bytes];
        let of_pair: Vec<Ring> = resized
            .par_chunks_exact_mut(size.n_pixels())
            .zip(images.data().par_chunks_exact(height * width))
            .map(|(out, image)| {
                resize::area(image, height, width, size, out);
                Ring::of(image, height, width)
            })
            .collect();
        rings.extend(of_pair);
        for (image, label) in resized.chunks_exact(size.n_pixels()).zip(labels.data()) {
            classes.entry(*label).or_default().extend_from_slice(image);
        }
    }
    if ink.is_dark(1, rings) {
        for pixels in classes.values_mut() {
            pixels.iter_mut().for_each(|byte| *byte = 255 - *byte);
        }
    }
    let classes = classes.into_iter().map(|(label, pixels)| ClassImages {
        name: label.to_string(),
        alphabet: name.to_owned(),
        pixels,
    });
    let mut dataset = Dataset::from_classes(name, size, classes)?;
    dataset.digest = digest::hex(&hasher.finalize());
    Ok(dataset)
}

/// Images files of a folder, by name; of `x` and `x.gz` the plain one.
fn find_images(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    let entries = fs::read_dir(folder).map_err(DataError::io("list", folder, NEXT_STEP))?;
    for entry in entries {
        let path = entry
            .map_err(DataError::io("list", folder, NEXT_STEP))?
            .path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        if plain.contains("images") && plain.contains("idx3") {
            let is_plain = plain == name;
            let (plain, path) = (plain.to_owned(), path.clone());
            if is_plain {
                found.insert(plain, path);
            } else {
                found.entry(plain).or_insert(path);
            }
        }
    }
    if found.is_empty() {
        return Err(DataError::malformed(
            folder,
            "no IDX images in this folder",
            NEXT_STEP,
        ));
    }
    Ok(found.into_values().collect())
}

/// The labels file beside an images file, packed or not.
fn labels_of(images: &Path) -> Result<PathBuf, DataError> {
    let name = images
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let labels = plain.replace("images", "labels").replace("idx3", "idx1");
    [labels.clone(), format!("{labels}.gz")]
        .into_iter()
        .map(|candidate| images.with_file_name(candidate))
        .find(|path| path != images && path.is_file())
        .ok_or_else(|| {
            DataError::malformed(
                images,
                format!("its labels `{labels}` (or `{labels}.gz`) are not beside it"),
                NEXT_STEP,
            )
        })
}

/// An IDX file of bytes, unpacked.
struct File {
    bytes: Vec<u8>,
    dims: Vec<usize>,
}

impl File {
    /// Reads a file that must have `n_dims` dimensions.
    fn read(path: &Path, n_dims: usize) -> Result<Self, DataError> {
        let refuse = |problem: String| DataError::malformed(path, problem, NEXT_STEP);
        let packed = fs::read(path).map_err(DataError::io("read", path, NEXT_STEP))?;
        let is_gzip = packed.starts_with(&[0x1f, 0x8b]);
        let mut reader: Box<dyn Read + '_> = if is_gzip {
            Box::new(flate2::read::MultiGzDecoder::new(packed.as_slice()))
        } else {
            Box::new(packed.as_slice())
        };
        let header_len = 4 + 4 * n_dims;
        let mut bytes = vec![0; header_len];
        let unreadable = |error: std::io::Error| refuse(format!("cannot be unpacked: {error}"));
        reader.read_exact(&mut bytes).map_err(unreadable)?;
        let magic = [0, 0, 8, n_dims as u8];
        if bytes[..4] != magic {
            return Err(refuse(format!(
                "starts with {:?}, an IDX file of bytes in {n_dims} dimensions with {magic:?}",
                &bytes[..4]
            )));
        }
        let dims: Vec<usize> = bytes[4..]
            .chunks_exact(4)
            .map(|dim| u32::from_be_bytes([dim[0], dim[1], dim[2], dim[3]]) as usize)
            .collect();
        let declared = dims
            .iter()
            .try_fold(1_usize, |product, dim| product.checked_mul(*dim))
            .filter(|product| *product < 1 << 32)
            .ok_or_else(|| refuse(format!("declares a size of {dims:?}, more than 4 GiB")))?;
        guard::unpacked(declared as u64, packed.len() as u64).map_err(refuse)?;
        // One byte more than declared is enough to know that the size is wrong.
        reader
            .take(declared as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let got = bytes.len() - header_len;
        if got != declared {
            let more = if got > declared { " or more" } else { "" };
            return Err(refuse(format!(
                "holds {got}{more} bytes where {dims:?} means {declared}"
            )));
        }
        Ok(Self { bytes, dims })
    }

    fn data(&self) -> &[u8] {
        &self.bytes[4 + 4 * self.dims.len()..]
    }
}

#[cfg(test)]
mod tests;
