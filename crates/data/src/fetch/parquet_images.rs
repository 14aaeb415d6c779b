//! Images and labels out of a parquet file, as data set repositories keep them: a column that is a group with the
//! encoded image in `bytes`, and a column of integers called `label`.

use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};

use super::FetchError;
use super::parquet_pages::check_dictionaries;
use crate::contained;

/// A row of a parquet file.
pub(crate) struct Example<'a> {
    /// The encoded image (PNG).
    pub(crate) image: &'a [u8],
    /// Its label, where there is one.
    pub(crate) label: Option<i64>,
}

/// Calls `each` for every row that has an image; returns the number of rows.
///
/// # Errors
/// [`FetchError::Parquet`] for a damaged file, another compression than Snappy or none, or no column with images.
pub(crate) fn for_each(
    path: &Path,
    file: &str,
    mut each: impl FnMut(&Example<'_>),
) -> Result<usize, FetchError> {
    let refuse = |problem: String| FetchError::Parquet {
        file: file.to_owned(),
        problem,
    };
    let reader = File::open(path).map_err(FetchError::io("open", path))?;
    // The library panics on some damaged files, in its header as in its rows.
    let say = |error: parquet::errors::ParquetError| error.to_string();
    let reader = contained::run(|| SerializedFileReader::new(reader).map_err(say));
    let reader = reader.flatten().map_err(refuse)?;
    let is_sound = contained::run(|| check_dictionaries(&reader));
    is_sound.flatten().map_err(refuse)?;
    let rows = contained::run(|| reader.get_row_iter(None).map_err(say));
    let mut rows = rows.flatten().map_err(refuse)?;
    let (mut n_rows, mut n_images) = (0, 0);
    while let Some(row) = contained::run(|| rows.next()).map_err(refuse)? {
        let row = row.map_err(|error| refuse(error.to_string()))?;
        n_rows += 1;
        if let Some(image) = image_of(&row) {
            n_images += 1;
            each(&Example {
                image,
                label: label_of(&row),
            });
        }
    }
    if n_images == 0 {
        return Err(refuse(format!(
            "none of its {n_rows} rows has a group with image bytes"
        )));
    }
    Ok(n_rows)
}

/// The field `bytes` of the first group that has one.
fn image_of(row: &Row) -> Option<&[u8]> {
    row.get_column_iter().find_map(|(_, field)| match field {
        Field::Group(group) => group
            .get_column_iter()
            .find_map(|(name, field)| match field {
                Field::Bytes(bytes) if name == "bytes" => Some(bytes.data()),
                _ => None,
            }),
        _ => None,
    })
}

fn label_of(row: &Row) -> Option<i64> {
    row.get_column_iter()
        .find(|(name, _)| *name == "label")
        .and_then(|(_, field)| match *field {
            Field::Long(label) => Some(label),
            Field::Int(label) => Some(label.into()),
            Field::Short(label) => Some(label.into()),
            Field::Byte(label) => Some(label.into()),
            _ => None,
        })
}
