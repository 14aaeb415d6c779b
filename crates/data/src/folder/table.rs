//! Classes by tables: one folder of images, and CSV files that say which image is of which class.
//!
//! ```text
//! root/images/*.png  root/train.csv  root/val.csv  root/test.csv      filename,label
//! root/images/*.png  root/labels.csv                                  filename,label[,split]
//! ```
//!
//! The part is the column `split`, else the name of the file where that is the name of a part. Fields may be quoted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::ClassFiles;
use crate::{DataError, split};

const NEXT_STEP: &str =
    "give each CSV file the columns filename,label (and split, if it holds several parts)";

/// The classes that the CSV files directly below `root` list; `None` if none of them has the columns `filename` and `label`.
///
/// # Errors
/// [`DataError`] with file and line for a row that is short, an image that is not there or that is listed twice.
pub(super) fn classes(
    root: &Path,
    tables: &[PathBuf],
    images: &ClassFiles,
) -> Result<Option<ClassFiles>, DataError> {
    let mut by_path = BTreeMap::new();
    let mut by_name: BTreeMap<String, Vec<&PathBuf>> = BTreeMap::new();
    for file in images.values().flatten() {
        let below = super::below(root, file).to_string_lossy().into_owned();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        by_path.insert(below, file);
        by_name.entry(name.into_owned()).or_default().push(file);
    }
    let mut classes = ClassFiles::new();
    let mut listed: BTreeMap<&PathBuf, String> = BTreeMap::new();
    let mut is_table = false;
    for table in tables {
        let text = fs::read_to_string(table).map_err(DataError::io("read", table, NEXT_STEP))?;
        let mut lines = text.trim_start_matches('\u{feff}').lines();
        let header = fields(lines.next().unwrap_or_default());
        let column = |name: &str| header.iter().position(|known| known.to_lowercase() == name);
        let (Some(filename), Some(label)) = (column("filename"), column("label")) else {
            continue;
        };
        is_table = true;
        let of_file = table.file_stem().unwrap_or_default().to_string_lossy();
        let of_file = split::part_of_folder(&format!("{of_file}/")).map(|_| of_file.as_ref());
        for (line_idx, line) in lines.enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let at_line = |problem: String| {
                let problem = format!("line {}: {problem}", line_idx + 2);
                DataError::malformed(table, problem, NEXT_STEP)
            };
            let row = fields(line);
            if row.len() != header.len() {
                let (there, needed) = (row.len(), header.len());
                return Err(at_line(format!(
                    "{there} fields, and the header has {needed}"
                )));
            }
            let (filename, label) = (&row[filename], row[label].trim());
            if label.is_empty() || label.starts_with('/') || label.ends_with('/') {
                return Err(at_line(format!("label `{label}` names no class")));
            }
            let file = match (
                by_path.get(filename),
                by_name.get(filename).map(Vec::as_slice),
            ) {
                (Some(file), _) | (None, Some([file])) => *file,
                (None, Some(several)) => {
                    let n_files = several.len();
                    return Err(at_line(format!("{n_files} images are called `{filename}`")));
                }
                (None, None) => {
                    return Err(at_line(format!("no image `{filename}` below this folder")));
                }
            };
            let part = column("split").map(|column| row[column].trim()).or(of_file);
            let class = match part {
                Some(part) => format!("{part}/{label}"),
                None => label.to_owned(),
            };
            if let Some(other) = listed.insert(file, class.clone()) {
                return Err(at_line(format!("`{filename}` is of `{other}` already")));
            }
            classes.entry(class).or_default().push(file.clone());
        }
    }
    Ok(is_table.then_some(classes))
}

/// The fields of a line of CSV; a quoted one may hold commas, and a quote as two.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[last].push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            c => fields[last].push(c),
        }
    }
    fields
        .iter_mut()
        .for_each(|field| *field = field.trim().to_owned());
    fields
}
