//! From loose images back to the archives: each image is recognised by its pixels and given its path again.
//!
//! Repositories of the hub hold the images in any order, under numbers that need not be the original ones, in splits
//! that may repeat images. The image table (`datasets/omniglot.images.tsv`) knows the first 8 hex digits of every
//! image's SHA-256; an image that it does not know is counted and left out. The archives written here have other
//! bytes than the originals; their pixel digest proves them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::content::Packed;
use super::{FetchError, part};

/// Hex digits of a hash in the table.
const N_DIGITS: usize = 8;

/// Which image is which.
#[derive(Debug)]
pub(crate) struct ImageTable {
    /// Paths in the table's order, which is byte order.
    paths: Vec<String>,
    /// Where each image belongs; two places for the pair that is the same.
    places: BTreeMap<String, Vec<usize>>,
    /// The character (line of the table) of each path.
    characters: Vec<usize>,
}

impl ImageTable {
    /// Reads lines `folder TAB number TAB hashes`.
    pub(crate) fn parse(text: &str) -> Result<Self, FetchError> {
        let mut table = Self {
            paths: Vec::new(),
            places: BTreeMap::new(),
            characters: Vec::new(),
        };
        for (line_idx, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split('\t').collect();
            let (&[folder, number, hashes], true) = (&fields[..], line.is_ascii()) else {
                let problem = format!("line {} has not three fields of ASCII", line_idx + 1);
                return Err(FetchError::Manifest {
                    name: "image table".to_owned(),
                    problem,
                });
            };
            for start in (0..hashes.len()).step_by(N_DIGITS) {
                let hash = &hashes[start..(start + N_DIGITS).min(hashes.len())];
                table
                    .places
                    .entry(hash.to_owned())
                    .or_default()
                    .push(table.paths.len());
                table
                    .paths
                    .push(format!("{folder}/{number}_{:02}.png", start / N_DIGITS + 1));
                table.characters.push(line_idx);
            }
        }
        Ok(table)
    }
}

/// Images put back in their places, as far as they were found.
pub(crate) struct Restored<'a> {
    table: &'a ImageTable,
    images: Vec<Option<Packed>>,
    labels: BTreeMap<i64, usize>,
    pub(crate) n_rows: usize,
    pub(crate) n_unknown: usize,
    /// Rows whose label was seen with another character.
    pub(crate) n_label_conflicts: usize,
    /// Why the first unknown image is unknown.
    first_unknown: Option<String>,
}

impl<'a> Restored<'a> {
    pub(crate) fn new(table: &'a ImageTable) -> Self {
        Self {
            table,
            images: vec![None; table.paths.len()],
            labels: BTreeMap::new(),
            n_rows: 0,
            n_unknown: 0,
            n_label_conflicts: 0,
            first_unknown: None,
        }
    }

    /// Puts an encoded image where it belongs.
    pub(crate) fn add(&mut self, png: &[u8], label: Option<i64>) {
        self.n_rows += 1;
        let image = match Packed::from_png(png) {
            Ok(image) => image,
            Err(problem) => return self.unknown(problem),
        };
        let hash = image.sha256();
        let Some(places) = self.table.places.get(&hash[..N_DIGITS]) else {
            return self.unknown(format!(
                "{}x{} pixels with an unknown hash",
                image.width, image.height
            ));
        };
        for &place in places {
            let character = self.table.characters[place];
            let known = label.map(|label| *self.labels.entry(label).or_insert(character));
            self.n_label_conflicts += usize::from(known.is_some_and(|known| known != character));
            self.images[place] = Some(image.clone());
        }
    }

    fn unknown(&mut self, problem: String) {
        self.n_unknown += 1;
        self.first_unknown.get_or_insert(problem);
    }

    /// Refuses an incomplete set.
    pub(crate) fn check_complete(&self, source_name: &str) -> Result<(), FetchError> {
        let n_found = self.images.iter().flatten().count();
        let n_all = self.images.len();
        if n_found == n_all {
            return Ok(());
        }
        let first = self
            .first_unknown
            .as_ref()
            .map_or_else(String::new, |why| format!(" (the first: {why})"));
        let problem = format!(
            "{n_found} of {n_all} images are there; {} of its {} rows are none of them{first}",
            self.n_unknown, self.n_rows
        );
        Err(FetchError::Content {
            file: source_name.to_owned(),
            problem,
        })
    }

    /// Writes the archive `name.zip` of all images below the folder `name`.
    pub(crate) fn write_archive(&self, file_name: &str, part: &Path) -> Result<(), FetchError> {
        part::discard(part)?;
        let refuse = |source: zip::result::ZipError| match source {
            zip::result::ZipError::Io(error) => FetchError::io("write", part)(error),
            source => FetchError::Archive {
                file: file_name.to_owned(),
                source: source.into(),
            },
        };
        let folder = format!("{}/", file_name.trim_end_matches(".zip"));
        let file = File::create(part).map_err(FetchError::io("create", part))?;
        let mut writer = ZipWriter::new(BufWriter::new(file));
        // PNG files are compressed already.
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (path, image) in self.table.paths.iter().zip(&self.images) {
            if let (true, Some(image)) = (path.starts_with(&folder), image) {
                let png = image.to_png().map_err(|error| FetchError::Content {
                    file: path.clone(),
                    problem: error.to_string(),
                })?;
                writer.start_file(path.as_str(), stored).map_err(refuse)?;
                writer
                    .write_all(&png)
                    .map_err(FetchError::io("write", part))?;
            }
        }
        let mut buffered = writer.finish().map_err(refuse)?;
        buffered.flush().map_err(FetchError::io("write", part))
    }
}
