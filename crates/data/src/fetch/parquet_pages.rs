//! Dictionary pages of a parquet file, looked at before they are decoded: the library reserves as many values as a page's header
//! declares, and a file of a few kilobytes can declare two billion. No catch would help, since memory that is not there ends
//! the process.

use parquet::column::page::Page;
use parquet::file::reader::FileReader;

/// Values a page may declare for each of its bytes: a Boolean takes a bit.
const MOST_A_BYTE: u64 = 8;

/// Whether every dictionary holds as many values as it can.
///
/// # Errors
/// The library's, and a sentence on the page that declares too much.
pub fn check_dictionaries(reader: &dyn FileReader) -> Result<(), String> {
    let say = |error: parquet::errors::ParquetError| error.to_string();
    for group in 0..reader.num_row_groups() {
        let columns = reader.get_row_group(group).map_err(say)?;
        for column in 0..columns.num_columns() {
            let mut pages = columns.get_column_page_reader(column).map_err(say)?;
            // A dictionary is the first page of its column, or there is none.
            let is_dictionary = pages
                .peek_next_page()
                .map_err(say)?
                .is_some_and(|it| it.is_dict);
            if !is_dictionary {
                continue;
            }
            if let Some(Page::DictionaryPage {
                buf, num_values, ..
            }) = pages.get_next_page().map_err(say)?
                && u64::from(num_values) > MOST_A_BYTE * (1 + buf.len() as u64)
            {
                return Err(format!(
                    "a dictionary of column {column} declares {num_values} values in {} bytes",
                    buf.len()
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    /// Found by the fuzz target `parquet-images`: 1,532 bytes for which the library reserves 64 GB, and ends the process.
    #[test]
    fn a_dictionary_that_declares_billions_is_refused() {
        let sample = "tests/fetch/sample/dictionary_of_billions.parquet";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(sample);
        let error = super::super::read_parquet(&path).unwrap_err();
        assert!(error.to_string().contains("values in"), "{error}");
    }
}
