//! A user's own images in folders.
//!
//! ```text
//! root/class/*.png|jpg|jpeg|bmp                 classes of one alphabet
//! root/alphabet/class/*                         classes of several alphabets (super-classes)
//! root/{train,val,test}[/alphabet]/class/*      with parts, for the split `folders`
//! ```
//!
//! With parts, a class that is in two of them is refused: no split of it could test on what was not learnt.
//! A class is a folder that holds images; its name is its path below the root, its alphabet the folder around it (`.` for the
//! root).
//! Everything is sorted by the bytes of its path, so the order in which a system lists a folder does not matter.
//! Files of other types and hidden ones are passed over; an image that cannot be read is an error that names it.
//! Images become grey and are resized by [`crate::resize::area`], height and width each on its own; which end of
//! the scale is ink is decided by [`Ink`] and then bright.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::cache::{self, Cache, CacheKey};
use crate::dataset::{ClassImages, check_side};
use crate::picture::{self, Ink, Ring};
use crate::{DataError, Dataset, digest, resize, split};

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// The alphabet of classes that lie directly below the root; no folder can have this name.
const ROOT_ALPHABET: &str = ".";

/// Folders below this depth are not what the layout means; a link that leads in a circle ends here.
const MAX_DEPTH: usize = 6;

const LAYOUT: &str = "lay the images out as root/class/*.png, root/alphabet/class/*.png or root/{train,val,test}/class/*.png";

/// Loads all images below `root`.
///
/// The digest is SHA-256 over, class by class and file by file: length and name of the class, then SHA-256 of the
/// file's bytes. File names do not enter, but for their order.
///
/// # Errors
/// [`DataError::Io`] or [`DataError::Malformed`], naming the file, if something cannot be listed, read or decoded,
/// if an image is in no class folder, if there is none at all, or if a class is in two parts.
pub fn load(
    root: &Path,
    side: usize,
    ink: Ink,
    cache: Option<&Cache>,
) -> Result<Dataset, DataError> {
    check_side(side)?;
    let mut classes = BTreeMap::new();
    collect(root, "", 0, &mut classes)?;
    if classes.is_empty() {
        return Err(DataError::malformed(
            root,
            "no images below this folder",
            LAYOUT,
        ));
    }
    refuse_leaks(root, &classes)?;
    for files in classes.values_mut() {
        files.sort_by(|a, b| {
            a.as_os_str()
                .as_encoded_bytes()
                .cmp(b.as_os_str().as_encoded_bytes())
        });
    }
    let content = content_digest(&classes)?;
    let name = root
        .file_name()
        .map_or("folder".into(), |name| name.to_string_lossy());
    let key = CacheKey {
        name: "folder",
        content: content.clone(),
        side,
        settings: format!("{}, ink {ink}", resize::FILTER),
    };
    let mut dataset = cache::load_or_build(cache, &key, || {
        let mut dataset = decode(&name, &classes, side, ink)?;
        dataset.digest = content;
        Ok(dataset)
    })?;
    // Not part of the content: the same images may lie under another root.
    dataset.name = name.into_owned();
    Ok(dataset)
}

/// Class name to its files.
type ClassFiles = BTreeMap<String, Vec<PathBuf>>;

fn collect(
    folder: &Path,
    class: &str,
    depth: usize,
    classes: &mut ClassFiles,
) -> Result<(), DataError> {
    if depth > MAX_DEPTH {
        let problem =
            format!("more than {MAX_DEPTH} folders deep, or a link that leads in a circle");
        return Err(DataError::malformed(folder, problem, LAYOUT));
    }
    for entry in fs::read_dir(folder).map_err(DataError::io("list", folder, LAYOUT))? {
        let path = entry.map_err(DataError::io("list", folder, LAYOUT))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(DataError::malformed(
                &path,
                "its name is not UTF-8",
                "rename it",
            ));
        };
        if name.starts_with('.') {
            continue;
        }
        // Follows links: a link to a folder of images counts as that folder.
        let metadata =
            fs::metadata(&path).map_err(DataError::io("open", &path, "repair or remove it"))?;
        if metadata.is_dir() {
            let class = if class.is_empty() {
                name.to_owned()
            } else {
                format!("{class}/{name}")
            };
            collect(&path, &class, depth + 1, classes)?;
        } else if is_image(&path) {
            if class.is_empty() {
                return Err(DataError::malformed(
                    &path,
                    "an image outside of any class folder",
                    LAYOUT,
                ));
            }
            classes.entry(class.to_owned()).or_default().push(path);
        }
    }
    Ok(())
}

/// Refuses a class that lies in two of the parts, if the root has parts and nothing else.
fn refuse_leaks(root: &Path, classes: &ClassFiles) -> Result<(), DataError> {
    let Some(parts) = classes
        .keys()
        .map(|class| split::part_of_folder(class))
        .collect::<Option<Vec<_>>>()
    else {
        return Ok(());
    };
    let mut first_seen = BTreeMap::new();
    for (class, (part, rest)) in classes.keys().zip(parts) {
        let (known, other) = *first_seen.entry(rest).or_insert((part, class));
        if known != part {
            let other = root.join(other);
            return Err(DataError::malformed(
                &root.join(class),
                format!("class `{rest}` is also in {}", other.display()),
                "meta-learning tests on classes never seen: rename one if they are different, else merge all \
                 into root/class/ and use the split `random`",
            ));
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

/// Reads every file once: only then is it known whether the cache still tells the truth.
fn content_digest(classes: &ClassFiles) -> Result<String, DataError> {
    let files: Vec<(&String, &PathBuf)> = classes
        .iter()
        .flat_map(|(class, files)| files.iter().map(move |file| (class, file)))
        .collect();
    let digests = files
        .par_iter()
        .map(|(_, file)| Ok(Sha256::digest(read(file)?)))
        .collect::<Result<Vec<_>, DataError>>()?;
    let mut hasher = Sha256::new();
    for ((class, _), digest) in files.iter().zip(&digests) {
        hasher.update((class.len() as u64).to_le_bytes());
        hasher.update(class.as_bytes());
        hasher.update(digest);
    }
    Ok(digest::hex(&hasher.finalize()))
}

fn read(file: &Path) -> Result<Vec<u8>, DataError> {
    fs::read(file).map_err(DataError::io("read", file, "repair or remove it"))
}

fn decode(name: &str, classes: &ClassFiles, side: usize, ink: Ink) -> Result<Dataset, DataError> {
    let mut images = Vec::with_capacity(classes.len());
    let mut rings = Vec::new();
    for (class, files) in classes {
        let mut pixels = vec![0_u8; files.len() * side * side];
        let of_class = pixels
            .par_chunks_exact_mut(side * side)
            .zip(files)
            .map(|(out, file)| {
                let image = picture::decode_grey(&read(file)?).map_err(|error| {
                    DataError::malformed(
                        file,
                        format!("not a readable image: {error}"),
                        "repair or remove it",
                    )
                })?;
                let (height, width) = (image.height() as usize, image.width() as usize);
                resize::area(image.as_raw(), height, width, side, out);
                Ok(Ring::of(image.as_raw(), height, width))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        rings.extend(of_class);
        images.push(ClassImages {
            name: class.clone(),
            alphabet: class
                .rsplit_once('/')
                .map_or(ROOT_ALPHABET, |(alphabet, _)| alphabet)
                .to_owned(),
            pixels,
        });
    }
    let mut dataset = Dataset::from_classes(name, side, images)?;
    if ink.is_dark(rings) {
        dataset
            .pixels
            .par_iter_mut()
            .for_each(|byte| *byte = 255 - *byte);
    }
    Ok(dataset)
}

#[cfg(test)]
mod tests;
