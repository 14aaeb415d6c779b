//! Parquet files with flat columns, as `export`, pandas and polars write them.

use std::fs::File;
use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use anyhow::{Context, Result, anyhow, bail};
use metastable_data::contained;
use metastable_data::fetch::check_dictionaries;

use super::sheet::Sheet;

/// Reads all rows; a row's number stands for its line.
pub(super) fn sheet(path: &Path) -> Result<Sheet> {
    let file = path.display();
    let reading =
        || format!("while reading {file} as Parquet; only snappy and no compression are known");
    let opened = File::open(path).with_context(reading)?;
    // The library panics on some damaged files, in its header as in its rows.
    let panicked = |message: String| anyhow!(message);
    let reader = contained::run(|| SerializedFileReader::new(opened)).map_err(panicked);
    let reader = reader.and_then(|it| Ok(it?)).with_context(reading)?;
    let is_sound = contained::run(|| check_dictionaries(&reader));
    is_sound.flatten().map_err(panicked).with_context(reading)?;
    let rows = contained::run(|| reader.get_row_iter(None)).map_err(panicked);
    let mut rows = rows.and_then(|it| Ok(it?)).with_context(reading)?;
    let mut sheet: Option<Sheet> = None;
    for at in 0.. {
        let row = contained::run(|| rows.next()).map_err(panicked);
        let Some(row) = row.with_context(reading)? else {
            break;
        };
        let row = row.with_context(reading)?;
        let sheet = sheet.get_or_insert_with(|| {
            let header = row
                .get_column_iter()
                .map(|(name, _)| name.clone())
                .collect();
            let mut new = Sheet::new(String::from("Parquet"), header);
            new.counts_rows = true;
            new
        });
        let mut cells = Vec::new();
        for (name, field) in row.get_column_iter() {
            cells.push(match field {
                Field::Null => String::new(),
                Field::Str(text) => text.clone(),
                Field::Float(value) => value.to_string(),
                Field::Double(value) => value.to_string(),
                Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
                    bail!(
                        "{file}: row {}: column `{name}` holds a list; write one value a cell",
                        at + 1
                    )
                }
                other => other.to_string(),
            });
        }
        sheet.push(at + 1, cells.iter().map(String::as_str));
    }
    match sheet {
        Some(sheet) => Ok(sheet),
        None => bail!("{file}: no row"),
    }
}
