//! A user's own images in folders.
//!
//! ```text
//! root/class/*.png|jpg|jpeg|bmp|tif|tiff|webp   classes of one alphabet
//! root/alphabet/class/*                         classes of several alphabets (super-classes)
//! root/{train,val,test}[/alphabet]/class/*      with parts, for the split `folders` (also base/novel, Train, meta_val)
//! root/images/* with root/{train,val,test}.csv  `filename,label`, see `folder/table.rs`
//! ```
//!
//! With parts, a class that is in two of them is refused: no split of it could test on what was not learnt.
//! A class is a folder that holds images; its name is its path below the root, its alphabet the folder around it (`.` for the
//! root).
//! Everything is sorted by the bytes of its path, so the order in which a system lists a folder does not matter.
//! Files of other types and hidden ones are named in the [`Receipt`] of the data set; an image that cannot be read is an error that names it.
//! Images are turned as EXIF asks, laid on [paper](crate::Paper) where they are transparent, get one channel or three
//! ([`Channels`](crate::Channels)) and are resized by [`crate::resize::area`], height and width each on its own. Which end of the scale is ink is
//! decided by [`Ink`](crate::Ink) and then bright.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::cache::{self, Cache, CacheKey};
use crate::gather::{self, Entry};
use crate::picture::{self, Picture, Reading, Survey};
use crate::receipt::{Header, Place, Receipt, Sha256Digest};
use crate::{DataError, Dataset, arrays, digest, resize, split};

const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

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
pub fn load(root: &Path, reading: Reading, cache: Option<&Cache>) -> Result<Dataset, DataError> {
    reading.size.check()?;
    refuse_file(root)?;
    let mut found = Found::default();
    collect(root, "", 0, &mut found)?;
    found.read_tables(root)?;
    let mut receipt = found.receipt(root);
    let mut classes = found.classes;
    if let Some(files) = classes.get("") {
        return Err(DataError::malformed(
            &files[0],
            "an image outside of any class folder",
            LAYOUT,
        ));
    }
    if classes.is_empty() {
        let skipped: Vec<String> = receipt
            .skipped
            .iter()
            .map(|(ending, files)| format!("{} of type `{ending}`", files.len()))
            .collect();
        let others = if skipped.is_empty() {
            String::new()
        } else {
            format!(" (files that are none: {})", skipped.join(", "))
        };
        return Err(DataError::malformed(
            root,
            format!("no images below this folder{others}"),
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
    let (content, seen) = content_digest(&classes, &mut receipt)?;
    let name = root
        .file_name()
        .map_or("folder".into(), |name| name.to_string_lossy());
    let key = CacheKey {
        name: "folder",
        content: content.clone(),
        size: reading.size,
        settings: format!(
            "{}, ink {}, channels {}, paper {}, upright",
            resize::FILTER,
            reading.ink,
            reading.channels,
            reading.paper
        ),
    };
    let mut dataset = cache::load_or_build(cache, &key, || {
        let images: Vec<Image<'_>> = in_order(&classes)
            .zip(&seen)
            .map(|((class, file), seen)| Image {
                class,
                file,
                header: seen.header,
            })
            .collect();
        let mut dataset = gather::dataset(&name, &images, reading)?;
        dataset.digest = content;
        Ok(dataset)
    })?;
    // Not part of the content: the same images may lie under another root.
    dataset.name = name.into_owned();
    receipt.decoding = dataset.decoding.unwrap_or_default();
    let places = places(root, &classes);
    receipt.look_at(&dataset, &places, |image| Ok(seen[image].digest))?;
    dataset.receipt = Some(Box::new(receipt));
    Ok(dataset)
}

/// Refuses a file where a folder belongs: archives are not opened.
fn refuse_file(root: &Path) -> Result<(), DataError> {
    if !root.is_file() {
        return Ok(());
    }
    if arrays::is_known(root) {
        let spec = format!("arrays:{}", root.display());
        return Err(DataError::malformed(
            root,
            "a file, and `folder:` takes a folder of images",
            format!("name it as {spec}"),
        ));
    }
    let next_step = match ending(root).as_str() {
        "zip" | "tar" | "gz" | "tgz" | "bz2" | "xz" | "7z" | "rar" => {
            "unpack it, and name the folder that holds the classes"
        }
        "h5" | "hdf5" | "npy" | "pt" | "pth" => {
            "save its images and labels by numpy.savez(\"set.npz\", images=images, labels=labels), and name that as arrays:set.npz"
        }
        _ => LAYOUT,
    };
    Err(DataError::malformed(
        root,
        "a file, and `folder:` takes a folder of images",
        next_step,
    ))
}

/// Class name to its files.
type ClassFiles = BTreeMap<String, Vec<PathBuf>>;

/// What lies below a root.
#[derive(Default)]
struct Found {
    classes: ClassFiles,
    /// Files that are no images, by class (that is, folder).
    others: ClassFiles,
    /// Images that no table lists, where tables tell the classes.
    unlisted: Vec<PathBuf>,
}

impl Found {
    /// Takes the classes from CSV files directly below the root, if there are such with file names and labels.
    fn read_tables(&mut self, root: &Path) -> Result<(), DataError> {
        let Some(others) = self.others.get_mut("") else {
            return Ok(());
        };
        others.sort();
        let (tables, rest): (Vec<_>, Vec<_>) =
            others.drain(..).partition(|file| ending(file) == "csv");
        *others = rest;
        let Some(classes) = table::classes(root, &tables, &self.classes)? else {
            others.extend(tables);
            return Ok(());
        };
        let all = std::mem::replace(&mut self.classes, classes);
        let listed: BTreeSet<&PathBuf> = self.classes.values().flatten().collect();
        self.unlisted = all
            .into_values()
            .flatten()
            .filter(|file| !listed.contains(file))
            .map(|file| below(root, &file))
            .collect();
        self.unlisted.sort();
        Ok(())
    }

    /// The part of the receipt that names and lists alone decide.
    fn receipt(&self, root: &Path) -> Receipt {
        let mut receipt = Receipt {
            root: root.to_owned(),
            classes: self
                .classes
                .iter()
                .map(|(class, files)| (class.clone(), files.len()))
                .collect(),
            unlisted: self.unlisted.clone(),
            ..Receipt::default()
        };
        for (class, files) in &self.others {
            for file in files {
                let files = receipt.skipped.entry(ending(file)).or_default();
                files.push(below(root, file));
            }
            let is_hidden = |file: &PathBuf| ending(file) == ".";
            let around = format!("{class}/");
            let has_images = self
                .classes
                .keys()
                .any(|known| known == class || known.starts_with(&around));
            if !class.is_empty() && !has_images && !files.iter().all(is_hidden) {
                receipt.without_images.push(class.into());
            }
        }
        receipt.skipped.values_mut().for_each(|files| files.sort());
        receipt
    }
}

/// What a file is called after its last point, in lower case; `.` if it is hidden.
fn ending(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') {
        return String::from(".");
    }
    file.extension().map_or_else(String::new, |ending| {
        ending.to_string_lossy().to_lowercase()
    })
}

fn below(root: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(root).unwrap_or(file).to_owned()
}

/// Class and file of every image in the order of the data set.
fn in_order(classes: &ClassFiles) -> impl Iterator<Item = (&String, &PathBuf)> {
    classes
        .iter()
        .flat_map(|(class, files)| files.iter().map(move |file| (class, file)))
}

/// Every image in the order of the data set.
fn places(root: &Path, classes: &ClassFiles) -> Vec<Place> {
    let place = |(class, file): (&String, &PathBuf)| Place {
        class: class.clone(),
        file: below(root, file),
    };
    in_order(classes).map(place).collect()
}

fn collect(folder: &Path, class: &str, depth: usize, found: &mut Found) -> Result<(), DataError> {
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
            let others = found.others.entry(class.to_owned()).or_default();
            others.push(path);
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
            collect(&path, &class, depth + 1, found)?;
        } else if is_image(&path) {
            let files = found.classes.entry(class.to_owned()).or_default();
            files.push(path);
        } else {
            let others = found.others.entry(class.to_owned()).or_default();
            others.push(path);
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

/// What the first reading of a file tells.
struct Seen {
    digest: Sha256Digest,
    /// Absent if it cannot be read.
    header: Option<Header>,
}

/// Reads every file once: only then is it known whether the cache still tells the truth. Also what each file tells; the receipt gets
/// the headers.
fn content_digest(
    classes: &ClassFiles,
    receipt: &mut Receipt,
) -> Result<(String, Vec<Seen>), DataError> {
    let files: Vec<(&String, &PathBuf)> = in_order(classes).collect();
    let seen = files
        .par_iter()
        .map(|(_, file)| {
            let bytes = read(file)?;
            Ok(Seen {
                digest: Sha256::digest(&bytes).into(),
                header: picture::header(&bytes).ok(),
            })
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let mut headers: BTreeMap<Header, usize> = BTreeMap::new();
    let mut hasher = Sha256::new();
    for ((class, _), Seen { digest, header }) in files.iter().zip(&seen) {
        match header {
            Some(header) => *headers.entry(*header).or_default() += 1,
            None => receipt.n_without_header += 1,
        }
        hasher.update((class.len() as u64).to_le_bytes());
        hasher.update(class.as_bytes());
        hasher.update(digest);
    }
    receipt.headers = headers.into_iter().collect();
    Ok((digest::hex(&hasher.finalize()), seen))
}

fn read(file: &Path) -> Result<Vec<u8>, DataError> {
    fs::read(file).map_err(DataError::io("read", file, "repair or remove it"))
}

/// One image file.
struct Image<'a> {
    class: &'a str,
    file: &'a Path,
    /// As the first reading found it.
    header: Option<Header>,
}

impl Entry for Image<'_> {
    fn class(&self) -> &str {
        self.class
    }

    fn header(&self) -> Result<Header, DataError> {
        match self.header {
            Some(header) => Ok(header),
            // Once more, for what is wrong with it.
            None => picture::header(&read(self.file)?).map_err(|error| self.not_readable(&error)),
        }
    }

    fn survey(&self) -> Result<Survey, DataError> {
        picture::survey(&read(self.file)?).map_err(|error| self.not_readable(&error))
    }

    fn picture(&self, channels: usize, on_black: bool) -> Result<Picture, DataError> {
        picture::decode(&read(self.file)?, channels, on_black)
            .map_err(|error| self.not_readable(&error))
    }
}

impl Image<'_> {
    fn not_readable(&self, error: &str) -> DataError {
        DataError::malformed(
            self.file,
            format!("not a readable image: {error}"),
            "repair or remove it",
        )
    }
}

#[cfg(test)]
mod tests;
