//! Images in arrays: NPZ archives, the few-shot field's pickles, and parquet files with image bytes.
//!
//! ```text
//! x.npz      {images, labels}, or {train,val,test}_{images,labels}, or x_train, y_train, ... (MedMNIST, Keras)
//! x.pkl      {image_data, class_dict: name -> indices} (mini-ImageNet's cache), {data, labels} (CIFAR-FS, FC100)
//! x.parquet  a group with `bytes` and a column `label`, a row an image
//! root/*     several such files, the part in the name: mini-imagenet-cache-train.pkl, val.parquet, novel.npz
//! ```
//!
//! Images are bytes, `(n, height, width)`, `(n, height, width, channels)` or `(n, channels, height, width)`; in pickles also lists of
//! encoded pictures. Labels are whole numbers or, in pickles, text.
//!
//! Labels of two *files* are classes of their own, since each file counts from 0: `train/3` and `val/3` by the part in the name,
//! `animals/3` and `plants/3` where the names tell no part, `train/animals/3` and `train/plants/3` where two files are of one part.
//! Only files whose names differ in nothing but numbers, `train-00000-of-00002` and `train-00001-of-00002`, are pieces of one and
//! share their classes. Labels of two parts of one file are the same classes, unless no label is in two parts. A pickle is read by a
//! reader that knows arrays, lists and dicts, and runs nothing (`pickle`), and that leaves the pixels in the file until each image is
//! decoded (`source`).

mod forward;
mod meaning;
mod npz;
mod pickle;
mod source;
mod stored;
mod value;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::gather::{self, Entry};
use crate::picture::{self, Picture, Reading, Survey};
use crate::receipt::{Header, Place, Receipt};
use crate::{DataError, Dataset, digest, guard, split};
use source::{Source, Stamp};
use stored::{Labelled, Stored};

const NEXT_STEP: &str = "give an .npz, .pkl or .parquet file with images and labels, or a folder of such files with train, val or test in their names";

/// One image on its way into a data set.
struct Image {
    class: String,
    place: PathBuf,
    stored: Stored,
}

impl Entry for Image {
    fn class(&self) -> &str {
        &self.class
    }

    fn header(&self) -> Result<Header, DataError> {
        match &self.stored {
            Stored::Raw(_, layout) => Ok(Header {
                width: layout.width as u32,
                height: layout.height as u32,
                channels: layout.channels as u8,
                depth: 8,
                has_alpha: false,
                is_turned: false,
            }),
            Stored::Encoded(piece) => {
                let header = piece.bytes().and_then(|bytes| picture::header(&bytes));
                header.map_err(|error| self.not_readable(&error))
            }
        }
    }

    fn survey(&self) -> Result<Survey, DataError> {
        match &self.stored {
            Stored::Raw(..) => {
                let has_colour = self.picture(3, false)?.has_colour;
                Ok(Survey {
                    has_colour,
                    ..Survey::default()
                })
            }
            Stored::Encoded(piece) => {
                let survey = piece.bytes().and_then(|bytes| picture::survey(&bytes));
                survey.map_err(|error| self.not_readable(&error))
            }
        }
    }

    fn picture(&self, channels: usize, on_black: bool) -> Result<Picture, DataError> {
        let bytes = self.bytes()?;
        match &self.stored {
            Stored::Raw(_, layout) => Ok(layout.picture(&bytes, channels)),
            Stored::Encoded(_) => picture::decode(&bytes, channels, on_black)
                .map_err(|error| self.not_readable(&error)),
        }
    }
}

impl Image {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, DataError> {
        let bytes = self.stored.piece().bytes();
        bytes.map_err(|error| self.not_readable(&error))
    }

    fn not_readable(&self, error: &str) -> DataError {
        DataError::malformed(
            &self.place,
            format!("not a readable image: {error}"),
            NEXT_STEP,
        )
    }
}

/// Loads a file, or all such files directly below a folder.
///
/// The digest is SHA-256 over the bytes of each file in order of the names, each with its length before it.
///
/// # Errors
/// [`DataError::Io`] or [`DataError::Malformed`], naming the file, if one cannot be read, has no images with labels, or changes
/// while it is read.
pub fn load(path: &Path, reading: Reading) -> Result<Dataset, DataError> {
    reading.size.check()?;
    let files = files(path)?;
    let mut hasher = Sha256::new();
    let mut images = Vec::new();
    let mut stamps = Vec::new();
    for (file, name) in files.iter().zip(names(&files)) {
        stamps.push(Stamp::of(file).map_err(DataError::io("read", file, NEXT_STEP))?);
        let tables = read(file, &mut hasher)?;
        images.extend(named(file, &name, tables));
    }
    // Images of a class stay in the order of their files.
    images.sort_by(|a, b| a.class.cmp(&b.class));
    let source: u64 = images.iter().map(|image| image.stored.n_bytes()).sum();
    // How many channels there will be is not known yet; there is one at the least.
    guard::dataset(images.len(), reading.size, 1, source)
        .map_err(|problem| DataError::malformed(path, problem, "choose a smaller data.size"))?;
    let name = path
        .file_stem()
        .map_or("arrays".into(), |name| name.to_string_lossy());
    let mut dataset = gather::dataset(&name, &images, reading)?;
    dataset.digest = digest::hex(&hasher.finalize());
    dataset.receipt = Some(Box::new(receipt(path, &images, &dataset)?));
    for (file, stamp) in files.iter().zip(stamps) {
        if !Stamp::of(file).is_ok_and(|now| now == stamp) {
            return Err(DataError::malformed(
                file,
                "it changed while it was read",
                "start again once nobody writes it",
            ));
        }
    }
    Ok(dataset)
}

/// Whether a file is one that [`load`] reads, by its ending.
#[must_use]
pub fn is_known(file: &Path) -> bool {
    matches!(ending(file).as_str(), "npz" | "pkl" | "pickle" | "parquet")
}

fn ending(file: &Path) -> String {
    let ending = file.extension().unwrap_or_default();
    ending.to_string_lossy().to_lowercase()
}

fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let metadata = fs::metadata(path).map_err(DataError::io("open", path, NEXT_STEP))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(DataError::io("list", path, NEXT_STEP))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry
            .map_err(DataError::io("list", path, NEXT_STEP))?
            .path();
        if is_known(&file) && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(DataError::malformed(
            path,
            "no .npz, .pkl or .parquet file in this folder",
            NEXT_STEP,
        ));
    }
    files.sort();
    Ok(files)
}

/// The images and labels of a file; `hasher` gets its length and its bytes.
fn read(file: &Path, hasher: &mut Sha256) -> Result<Vec<Labelled>, DataError> {
    let source = Source::open(file).map_err(DataError::io("read", file, NEXT_STEP))?;
    let source = Arc::new(source);
    let ending = ending(file);
    let tables = if matches!(ending.as_str(), "pkl" | "pickle") {
        meaning::of_pickle(&source, hasher)
    } else {
        let hashed = source.stream(hasher, |_, _| Ok(()));
        hashed.and_then(|()| match ending.as_str() {
            "npz" => File::open(file)
                .map_err(|error| error.to_string())
                .and_then(|file| npz::read(BufReader::new(file))),
            "parquet" => parquet(file),
            other => Err(format!(
                "files of type `{other}` hold no arrays that are known"
            )),
        })
    };
    let tables = tables.map_err(|problem| DataError::malformed(file, problem, NEXT_STEP))?;
    for table in &tables {
        let (n_images, n_labels) = (table.images.len(), table.labels.len());
        if n_images != n_labels || n_images == 0 {
            let problem = format!("{n_images} images with {n_labels} labels");
            return Err(DataError::malformed(file, problem, NEXT_STEP));
        }
    }
    Ok(tables)
}

#[cfg(feature = "fetch")]
fn parquet(file: &Path) -> Result<Vec<Labelled>, String> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    crate::fetch::images_of_parquet(file, |image, label| {
        images.push(Stored::Encoded(stored::Piece::whole(image.to_vec())));
        labels.extend(label.map(|label| label.to_string()));
    })
    .map_err(|error| error.to_string())?;
    Ok(vec![Labelled {
        part: None,
        images,
        labels,
    }])
}

#[cfg(not(feature = "fetch"))]
fn parquet(_: &Path) -> Result<Vec<Labelled>, String> {
    Err("parquet is read by the crate's feature `fetch`, which this build lacks".into())
}

/// The names of the files, the rest of each only where files of one part differ in it.
fn names(files: &[PathBuf]) -> Vec<Name> {
    let names: Vec<Name> = files.iter().map(|file| Name::of(file)).collect();
    let mut rests: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    for Name { part, rest } in &names {
        let of_part = rests.entry(part.clone()).or_default();
        of_part.insert(rest.clone());
    }
    let names = names.into_iter().map(|Name { part, rest }| {
        let is_needed = rests[&part].len() > 1;
        Name {
            // A single file has its classes as it calls them.
            part: part.filter(|_| files.len() > 1),
            rest: if is_needed { rest } else { String::new() },
        }
    });
    names.collect()
}

/// What the name of a file tells.
struct Name {
    /// The part that one of its words is: `mini-imagenet-cache-train` is `train`.
    part: Option<String>,
    /// Its other words but those that count pieces.
    rest: String,
}

impl Name {
    fn of(file: &Path) -> Self {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let mut words: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
        let is_part = |word: &&str| split::part_of_folder(&format!("{word}/")).is_some();
        let part = words.iter().rposition(is_part);
        let part = part.map(|at| words.remove(at).to_lowercase());
        words.retain(|word| !word.chars().all(|c| c.is_ascii_digit()) && *word != "of");
        Self {
            part,
            rest: words.join("-"),
        }
    }
}

/// The images of a file under the names of their classes: `part/rest/label`, as far as there is a part and a rest.
fn named(file: &Path, name: &Name, tables: Vec<Labelled>) -> Vec<Image> {
    let mut parts_of: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for table in &tables {
        for label in &table.labels {
            let parts = parts_of.entry(label.clone()).or_default();
            parts.insert(table.part.clone());
        }
    }
    let is_disjoint = tables.len() > 1 && parts_of.values().all(|parts| parts.len() == 1);
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    let mut images = Vec::new();
    for table in tables {
        let own = table.part.as_deref().filter(|_| is_disjoint);
        let part = name.part.as_deref().or(own);
        let rest = Some(name.rest.as_str()).filter(|rest| !rest.is_empty());
        let folders = [part, rest].into_iter().flatten();
        let folders: String = folders.map(|folder| format!("{folder}/")).collect();
        let array = table.part.as_deref().unwrap_or_default();
        let rows = table.images.into_iter().zip(table.labels).enumerate();
        images.extend(rows.map(|(row, (stored, label))| Image {
            class: format!("{folders}{label}"),
            place: format!("{file}:{array}[{row}]").into(),
            stored,
        }));
    }
    images
}

fn receipt(path: &Path, images: &[Image], dataset: &Dataset) -> Result<Receipt, DataError> {
    let mut headers: BTreeMap<Header, usize> = BTreeMap::new();
    for image in images {
        *headers.entry(image.header()?).or_default() += 1;
    }
    let classes = dataset.classes.iter();
    let mut receipt = Receipt {
        root: path.to_owned(),
        classes: classes.map(|it| (it.name.clone(), it.n_images)).collect(),
        headers: headers.into_iter().collect(),
        decoding: dataset.decoding.unwrap_or_default(),
        ..Receipt::default()
    };
    let places: Vec<Place> = images
        .iter()
        .map(|image| Place {
            class: image.class.clone(),
            file: image.place.clone(),
        })
        .collect();
    receipt.look_at(dataset, &places, |image| {
        Ok(Sha256::digest(images[image].bytes()?).into())
    })?;
    Ok(receipt)
}

#[cfg(test)]
mod tests;
