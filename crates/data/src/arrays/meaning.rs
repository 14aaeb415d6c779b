//! What arrays of a file mean: which are images, which are their labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::Sha256;

use super::pickle::{LONGEST_NAME, Pickle};
use super::source::Source;
use super::stored::{Labelled, Layout, Piece, Stored};
use super::value::{Array, Bytes, Id, Value, whole};

/// An array of numbers as it is stored.
pub(super) struct Numbers {
    /// As numpy writes it, e.g. `|u1`.
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) data: Piece,
}

/// What images are called, the likeliest first.
const IMAGES: [&str; 5] = ["image_data", "images", "image", "data", "x"];
/// What labels are called.
const LABELS: [&str; 6] = [
    "labels",
    "label",
    "targets",
    "fine_labels",
    "y",
    "label_specific",
];

/// Pairs of images and labels by their names: what is left of both names is the part.
pub(super) fn of_arrays(mut arrays: BTreeMap<String, Numbers>) -> Result<Vec<Labelled>, String> {
    let names: Vec<String> = arrays.keys().cloned().collect();
    let mut pairs = Vec::new();
    for name in &names {
        let Some(part) = IMAGES.iter().find_map(|word| without(name, word)) else {
            continue;
        };
        let is_label = |other: &&String| {
            LABELS
                .iter()
                .any(|word| without(other, word).as_ref() == Some(&part))
        };
        if let Some(labels) = names.iter().find(is_label) {
            pairs.push((name.clone(), labels.clone(), part));
        }
    }
    if pairs.is_empty() {
        return Err(format!(
            "no array of images with one of labels among {names:?}; expected e.g. images and labels, train_images and train_labels, or x_train and y_train"
        ));
    }
    let mut tables = Vec::new();
    for (images, labels, part) in pairs {
        let (Some(numbers), Some(of_labels)) = (arrays.remove(&images), arrays.get(&labels)) else {
            continue;
        };
        let in_array = |name: &str, problem: String| format!("array `{name}`: {problem}");
        tables.push(Labelled {
            part: Some(part).filter(|part| !part.is_empty()),
            images: images_of(&numbers).map_err(|problem| in_array(&images, problem))?,
            labels: labels_of(of_labels).map_err(|problem| in_array(&labels, problem))?,
        });
    }
    Ok(tables)
}

/// A name without one of its words, `train_images` without `images`; none if it is no word of it.
fn without(name: &str, word: &str) -> Option<String> {
    let name = name.to_lowercase();
    if name == word {
        return Some(String::new());
    }
    let rest = name
        .strip_suffix(word)
        .and_then(|rest| rest.strip_suffix('_'))
        .or_else(|| {
            name.strip_prefix(word)
                .and_then(|rest| rest.strip_prefix('_'))
        });
    rest.map(str::to_owned)
}

/// The images of an array of bytes.
fn images_of(numbers: &Numbers) -> Result<Vec<Stored>, String> {
    let Numbers { dtype, shape, data } = numbers;
    if dtype.trim_start_matches(['<', '|', '=']) != "u1" {
        return Err(format!(
            "its numbers are of type {dtype}, and images are bytes: save them as (255 * x).round().astype(\"uint8\") if they are fractions"
        ));
    }
    let (n_images, layout) = match shape[..] {
        [n, height, width] => (n, layout(height, width, 1, false)),
        [n, height, width, channels @ (1 | 3)] => (n, layout(height, width, channels, false)),
        [n, channels @ (1 | 3), height, width] => (n, layout(height, width, channels, true)),
        _ => {
            return Err(format!(
                "its shape is {shape:?}; expected (n, height, width), (n, height, width, 1 or 3) or (n, 1 or 3, height, width)"
            ));
        }
    };
    let n_there = data.n_bytes();
    let n_needed = shape
        .iter()
        .try_fold(1_usize, |product, length| product.checked_mul(*length));
    if n_there == 0 || n_needed != Some(n_there) {
        return Err(format!("{n_there} bytes do not fill the shape {shape:?}"));
    }
    let n_bytes = n_there / n_images;
    let image = |at: usize| Stored::Raw(data.part(at * n_bytes, n_bytes), layout);
    Ok((0..n_images).map(image).collect())
}

fn layout(height: usize, width: usize, channels: usize, is_planar: bool) -> Layout {
    Layout {
        height,
        width,
        channels,
        is_planar,
    }
}

/// Whole numbers as names of classes.
fn labels_of(numbers: &Numbers) -> Result<Vec<String>, String> {
    let dtype = numbers.dtype.as_str();
    let bytes = numbers.data.bytes()?;
    let width: usize = dtype
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .parse()
        .unwrap_or(0);
    if width == 0 || !bytes.len().is_multiple_of(width) {
        return Err(format!("labels of type {dtype}; whole numbers are read"));
    }
    bytes
        .chunks_exact(width)
        .map(|value| {
            let number = whole(dtype, value);
            let number =
                number.ok_or_else(|| format!("labels of type {dtype}; whole numbers are read"));
            Ok(number?.to_string())
        })
        .collect()
}

/// Images and labels of a pickle: a dict of both, or a pair. `hasher` gets the length of the file and its bytes.
pub(super) fn of_pickle(file: &Arc<Source>, hasher: &mut Sha256) -> Result<Vec<Labelled>, String> {
    let pickle = file.stream(hasher, Pickle::read)?;
    let reader = OfPickle {
        pickle: &pickle,
        file,
    };
    let (images, labels) = match pickle.get(pickle.root) {
        Value::Dict(pairs) => reader.dict(pairs)?,
        Value::List(items) if items.len() == 2 => {
            (reader.images(items[0])?, reader.labels(items[1])?)
        }
        Value::None
        | Value::Int(_)
        | Value::Float
        | Value::Bytes(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Array(_)
        | Value::Dtype(_)
        | Value::Global(_)
        | Value::Mark => {
            return Err("it holds neither a dict nor a pair of images and labels".into());
        }
    };
    Ok(vec![Labelled {
        part: None,
        images,
        labels,
    }])
}

struct OfPickle<'p> {
    pickle: &'p Pickle,
    file: &'p Arc<Source>,
}

impl OfPickle<'_> {
    fn dict(&self, pairs: &[(Id, Id)]) -> Result<(Vec<Stored>, Vec<String>), String> {
        let mut by_key: BTreeMap<String, Id> = BTreeMap::new();
        for (key, value) in pairs {
            by_key.insert(self.pickle.text(*key).unwrap_or_default(), *value);
        }
        let find = |words: &[&str]| words.iter().find_map(|word| by_key.get(*word));
        let Some(images) = find(&IMAGES) else {
            let keys: Vec<&String> = by_key.keys().collect();
            return Err(format!(
                "none of its keys {keys:?} is that of images ({})",
                IMAGES.join(", ")
            ));
        };
        let images = self.images(*images)?;
        if let Some(classes) = by_key.get("class_dict") {
            return self.by_class(&images, *classes);
        }
        let Some(labels) = find(&LABELS) else {
            let keys: Vec<&String> = by_key.keys().collect();
            return Err(format!(
                "none of its keys {keys:?} is that of labels (class_dict, {})",
                LABELS.join(", ")
            ));
        };
        Ok((images, self.labels(*labels)?))
    }

    /// mini-ImageNet's cache: names of classes with the places of their images.
    fn by_class(
        &self,
        images: &[Stored],
        classes: Id,
    ) -> Result<(Vec<Stored>, Vec<String>), String> {
        let Value::Dict(classes) = self.pickle.get(classes) else {
            return Err("class_dict is no dict".into());
        };
        let (mut sorted, mut labels) = (Vec::new(), Vec::new());
        for (name, places) in classes {
            let name = self.pickle.text(*name).ok_or("a class without a name")?;
            for place in self.labels(*places)? {
                let place: Option<usize> = place.parse().ok();
                let image = place.and_then(|place| images.get(place));
                let image = image.ok_or_else(|| {
                    format!(
                        "class {name} has an image beyond the {} there are",
                        images.len()
                    )
                })?;
                if sorted.len() == images.len() {
                    return Err("class_dict lists an image twice".into());
                }
                sorted.push(image.clone());
                labels.push(name.clone());
            }
        }
        Ok((sorted, labels))
    }

    fn piece(&self, bytes: &Bytes) -> Result<Piece, String> {
        match bytes {
            Bytes::InFile { start, n_bytes } => Ok(Piece::InFile {
                file: Arc::clone(self.file),
                start: *start,
                n_bytes: usize::try_from(*n_bytes).map_err(|error| error.to_string())?,
            }),
            Bytes::Kept(kept) => Ok(Piece::owned(Arc::clone(kept))),
        }
    }

    fn images(&self, id: Id) -> Result<Vec<Stored>, String> {
        match self.pickle.get(id) {
            Value::Array(array) if array.objects.is_none() => images_of(&self.numbers(array)?),
            Value::Array(Array {
                objects: Some(items),
                ..
            })
            | Value::List(items) => items.iter().map(|item| self.encoded(*item)).collect(),
            _ => Err("images that are neither an array of bytes nor a list of pictures".into()),
        }
    }

    fn numbers(&self, array: &Array) -> Result<Numbers, String> {
        let data = array.data.as_ref().ok_or("an array without data")?;
        Ok(Numbers {
            dtype: array.dtype.clone(),
            shape: array.shape.clone(),
            data: self.piece(data)?,
        })
    }

    /// A picture of a list: encoded bytes, as they are or as an array of one dimension; or an array of pixels.
    fn encoded(&self, id: Id) -> Result<Stored, String> {
        match self.pickle.get(id) {
            Value::Bytes(bytes) => Ok(Stored::Encoded(self.piece(bytes)?)),
            Value::Array(array) if array.shape.len() == 1 => {
                Ok(Stored::Encoded(self.numbers(array)?.data))
            }
            Value::Array(array) => {
                let mut numbers = self.numbers(array)?;
                numbers.shape.insert(0, 1);
                let image = images_of(&numbers)?.pop();
                image.ok_or_else(|| "an image without pixels".into())
            }
            _ => Err("a list of something that is no picture".into()),
        }
    }

    fn labels(&self, id: Id) -> Result<Vec<String>, String> {
        match self.pickle.get(id) {
            Value::Array(array) if array.objects.is_none() => {
                labels_of(&self.numbers(array)?)
            }
            Value::Array(Array {
                objects: Some(items),
                ..
            })
            | Value::List(items) => items
                .iter()
                .map(|item| match self.pickle.get(*item) {
                    Value::Int(label) => Ok(label.to_string()),
                    _ => self.pickle.text(*item).ok_or_else(|| {
                        format!("a label that is neither a whole number nor text of at most {LONGEST_NAME} bytes")
                    }),
                })
                .collect(),
            _ => Err("labels that are neither an array nor a list".into()),
        }
    }
}
