//! Omniglot from its two original archives: 50 alphabets, 1,623 characters, 20 drawers.
//!
//! The archives store ink as 0; here ink is 255. Classes come in byte order of their path (background set first),
//! the images of a class by drawer 01 to 20, so image `class.first_image + d - 1` is by drawer `d`.
//! Images are resized by [`crate::resize::area`]. Decoding runs on all cores; a [`crate::cache`] makes the next
//! load quick.

use std::io::Cursor;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::archive::{self, Limits};
use crate::cache::{self, Cache, CacheKey};
use crate::{Class, DataError, Dataset, ImageSize, digest, picture, resize};

/// The two archives, in the order in which their images are stored.
pub const ARCHIVES: [&str; 2] = ["images_background.zip", "images_evaluation.zip"];

/// SHA-256 over the packed 1-bit pixels (14 bytes a row, most significant bit first, paper 1) of all original
/// images in byte order of their path.
pub const DIGEST: &str = "4413a81209f71578e99643b0575cf6a51eb77ce624a1869a1f611d8928e722fb";

/// Drawers of each character.
pub const N_DRAWERS: usize = 20;

const N_CHARACTERS: usize = 1_623;
const SOURCE_SIDE: usize = 105;
const PACKED_ROW: usize = SOURCE_SIDE.div_ceil(8);
const REFETCH: &str = "fetch the archive again (`cargo xtask fetch omniglot`)";

/// Loads the data set from a folder that holds both archives.
///
/// With a cache, the resized images are kept there under the content of the archives, the size and the filter.
///
/// # Errors
/// [`DataError::Io`] if an archive cannot be read; [`DataError::Malformed`] if an archive
/// is damaged, an image is missing, surplus or of another size than 105x105, or the pixels are not Omniglot's.
pub fn load(
    folder: &Path,
    size: impl Into<ImageSize>,
    cache: Option<&Cache>,
) -> Result<Dataset, DataError> {
    let size = size.into();
    size.check()?;
    let archives = ARCHIVES.map(|name| folder.join(name));
    let read = |path: &Path| {
        let bytes = std::fs::read(path).map_err(DataError::io("read", path, REFETCH))?;
        let content = digest::sha256(&bytes);
        Ok::<_, DataError>((bytes, content))
    };
    let (background, evaluation) = rayon::join(|| read(&archives[0]), || read(&archives[1]));
    let ((background, first), (evaluation, second)) = (background?, evaluation?);
    let key = CacheKey {
        name: "omniglot",
        content: digest::sha256(format!("{first}{second}").as_bytes()),
        size,
        settings: resize::FILTER.into(),
    };
    cache::load_or_build(cache, &key, || {
        let sets = [(&archives[0], background), (&archives[1], evaluation)];
        let dataset = decode(&sets.map(|(path, bytes)| (path.as_path(), bytes)), size)?;
        check_complete(folder, &dataset)?;
        Ok(dataset)
    })
}

/// The position of an image within its archive.
struct Entry {
    path: String,
    archive_idx: usize,
    entry_idx: usize,
}

/// Decodes whatever characters the archives hold.
fn decode(archives: &[(&Path, Vec<u8>)], size: ImageSize) -> Result<Dataset, DataError> {
    let mut opened = Vec::new();
    let mut entries = Vec::new();
    for (archive_idx, (path, bytes)) in archives.iter().enumerate() {
        let refuse = |problem: String| DataError::malformed(path, problem, REFETCH);
        let archive = archive::open(Cursor::new(bytes.as_slice()), &Limits::default())
            .map_err(|error| refuse(error.to_string()))?;
        for entry_idx in 0..archive.len() {
            let name = archive.name_for_index(entry_idx);
            let name = name.and_then(Result::ok).unwrap_or_default();
            // What operating systems leave behind in repacked archives is no part of the data.
            let is_litter = name.starts_with("__MACOSX/") || name.ends_with(".DS_Store");
            if !name.ends_with('/') && !is_litter {
                entries.push(Entry {
                    path: name.into_owned(),
                    archive_idx,
                    entry_idx,
                });
            }
        }
        opened.push(archive);
    }
    entries.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));

    let path_of = |entry: &Entry| archives[entry.archive_idx].0;
    let (classes, alphabets) = group(&entries, path_of)?;
    let n_pixels = size.n_pixels();
    let mut pixels = vec![0_u8; entries.len() * n_pixels];
    let packed: Vec<Vec<u8>> = pixels
        .par_chunks_exact_mut(n_pixels)
        .zip(&entries)
        .map_init(
            || opened.clone(),
            |opened, (out, entry)| {
                let refuse =
                    |problem: String| DataError::malformed(path_of(entry), problem, REFETCH);
                let bytes = archive::read(&mut opened[entry.archive_idx], entry.entry_idx)
                    .map_err(|error| refuse(error.to_string()))?;
                let image = picture::decode_grey(&bytes).map_err(|error| {
                    refuse(format!("entry {:?} is no image: {error}", entry.path))
                })?;
                let (width, height) = (image.width() as usize, image.height() as usize);
                if (width, height) != (SOURCE_SIDE, SOURCE_SIDE) {
                    return Err(refuse(format!(
                        "entry {:?} is {width}x{height}, not {SOURCE_SIDE}x{SOURCE_SIDE}",
                        entry.path
                    )));
                }
                // The originals have 1 bit a pixel, whatever the container made of it.
                let ink: Vec<u8> = image
                    .iter()
                    .map(|&grey| if grey < 128 { 255 } else { 0 })
                    .collect();
                resize::area(&ink, SOURCE_SIDE, SOURCE_SIDE, size, out);
                Ok(pack(&ink))
            },
        )
        .collect::<Result<_, _>>()?;

    let mut hasher = Sha256::new();
    packed.iter().for_each(|image| hasher.update(image));
    Ok(Dataset {
        pixels,
        classes,
        alphabets,
        digest: digest::hex(&hasher.finalize()),
        ..Dataset::empty("omniglot", size, 1)
    })
}

/// Classes and alphabets of the sorted entries; each class has to hold its drawers 01 to 20.
fn group<'a>(
    entries: &[Entry],
    path_of: impl Fn(&Entry) -> &'a Path,
) -> Result<(Vec<Class>, Vec<String>), DataError> {
    let mut classes: Vec<Class> = Vec::new();
    let mut alphabets: Vec<String> = Vec::new();
    for (image_idx, entry) in entries.iter().enumerate() {
        let refuse = |problem: String| DataError::malformed(path_of(entry), problem, REFETCH);
        let parts: Vec<&str> = entry.path.split('/').collect();
        let [_, alphabet, character, file] = parts[..] else {
            return Err(refuse(format!(
                "entry {:?} is not <set>/<alphabet>/<character>/<image>",
                entry.path
            )));
        };
        let name = format!("{alphabet}/{character}");
        if classes.last().is_none_or(|class| class.name != name) {
            if alphabets.last().is_none_or(|last| last != alphabet) {
                alphabets.push(alphabet.to_owned());
            }
            classes.push(Class {
                name,
                alphabet_idx: alphabets.len() - 1,
                first_image: image_idx,
                n_images: 0,
            });
        }
        let Some(class) = classes.last_mut() else {
            continue;
        };
        class.n_images += 1;
        let drawer = file.strip_suffix(".png").and_then(|stem| stem.get(5..));
        let expected = format!("{:02}", class.n_images);
        if drawer != Some(expected.as_str()) {
            return Err(refuse(format!(
                "entry {:?} stands where drawer {expected} of {} is expected: an image is missing or surplus",
                entry.path, class.name
            )));
        }
        let is_last = entries.get(image_idx + 1).is_none_or(|next| {
            next.path.rsplit_once('/').map(|p| p.0) != entry.path.rsplit_once('/').map(|p| p.0)
        });
        if is_last && class.n_images != N_DRAWERS {
            return Err(refuse(format!(
                "{} has {} images, not {N_DRAWERS}",
                class.name, class.n_images
            )));
        }
    }
    Ok((classes, alphabets))
}

/// Packs an image to 1 bit a pixel, paper 1, rows padded with zeros to whole bytes.
fn pack(ink: &[u8]) -> Vec<u8> {
    let mut packed = vec![0_u8; SOURCE_SIDE * PACKED_ROW];
    for (row, bits) in ink
        .chunks_exact(SOURCE_SIDE)
        .zip(packed.chunks_exact_mut(PACKED_ROW))
    {
        for (x, &byte) in row.iter().enumerate() {
            if byte == 0 {
                bits[x / 8] |= 0x80 >> (x % 8);
            }
        }
    }
    packed
}

fn check_complete(folder: &Path, dataset: &Dataset) -> Result<(), DataError> {
    let problem = if dataset.classes.len() != N_CHARACTERS {
        format!(
            "{} characters, Omniglot has {N_CHARACTERS}",
            dataset.classes.len()
        )
    } else if dataset.digest != DIGEST {
        format!(
            "the pixels have SHA-256 {}, Omniglot's is {DIGEST}",
            dataset.digest
        )
    } else {
        return Ok(());
    };
    Err(DataError::malformed(
        folder,
        problem,
        "fetch both archives again (`cargo xtask fetch omniglot`), or load other images as `folder:PATH`",
    ))
}

#[cfg(test)]
mod tests;
