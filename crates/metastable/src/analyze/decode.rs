//! From bytes to text: gzip, byte-order marks, UTF-16; other kinds of files are named.

use std::io::Read;

use anyhow::{Result, bail};
use flate2::read::MultiGzDecoder;

/// Most bytes of an unpacked table: a few kilobytes of gzip can hold far more.
const MOST_UNPACKED: u64 = 4 << 30;

/// First bytes of files that are no tables of text, what they are, and how a table is made of them.
const OTHERS: [(&[u8], &str, &str); 14] = [
    (
        b"PK\x03\x04",
        "a zip archive, as Excel workbooks and NumPy's .npz files are",
        "save the sheet as CSV, or write the table with pandas.DataFrame(...).to_csv",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook",
        "save the sheet as CSV",
    ),
    (
        b"\x93NUMPY",
        "a NumPy array",
        "write it with pandas.DataFrame(array).to_csv, a row for each run and a column for each task",
    ),
    (
        b"SQLite format 3",
        "an SQLite database",
        "write its runs with the tool that made it (Optuna: study.trials_dataframe().to_csv, MLflow: mlflow.search_runs().to_csv)",
    ),
    (
        b"\x89HDF",
        "an HDF5 file",
        "write the table with pandas.read_hdf(...).to_csv",
    ),
    (
        b"ARROW1",
        "an Arrow (Feather) file",
        "write the table with pandas.read_feather(...).to_csv",
    ),
    (
        b"FEA1",
        "a Feather file",
        "write the table with pandas.read_feather(...).to_csv",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "packed with zstd",
        "unpack it with unzstd, or pack it with gzip",
    ),
    (
        b"BZh",
        "packed with bzip2",
        "unpack it with bunzip2, or pack it with gzip",
    ),
    (
        b"\xfd7zXZ",
        "packed with xz",
        "unpack it with unxz, or pack it with gzip",
    ),
    (b"%PDF", "a PDF", "write the table as CSV"),
    (b"\x89PNG", "a picture", "write the table as CSV"),
    (
        b"\x80\x04\x95",
        "a Python pickle",
        "write the table with pandas.DataFrame(...).to_csv",
    ),
    (
        b"\x80\x05\x95",
        "a Python pickle",
        "write the table with pandas.DataFrame(...).to_csv",
    ),
];

/// The bytes without gzip around them, and whether there was one.
///
/// # Errors
/// For damaged gzip, and for more than [`MOST_UNPACKED`] bytes.
pub(super) fn unpacked(bytes: Vec<u8>) -> Result<(Vec<u8>, bool)> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok((bytes, false));
    }
    let mut inner = Vec::new();
    let decoder = MultiGzDecoder::new(bytes.as_slice());
    decoder.take(MOST_UNPACKED + 1).read_to_end(&mut inner)?;
    if inner.len() as u64 > MOST_UNPACKED {
        bail!(
            "unpacks to more than {} GiB; give a smaller table, or the means by task",
            MOST_UNPACKED >> 30
        );
    }
    Ok((inner, true))
}

/// The text, and the name of its encoding if that is not UTF-8.
///
/// # Errors
/// For files of another kind, by its name; for bytes that are neither UTF-8 nor UTF-16, with the line of the first.
pub(super) fn text(file: &str, bytes: Vec<u8>) -> Result<(String, &'static str)> {
    if let Some((_, what, remedy)) = OTHERS.iter().find(|(start, ..)| bytes.starts_with(start)) {
        bail!("{file}: this is {what}, not a table of text; {remedy}");
    }
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        match char::decode_utf16(units).collect::<Result<String, _>>() {
            Ok(text) if bytes.len().is_multiple_of(2) => Ok((text, "UTF-16")),
            _ => bail!("{file}: damaged UTF-16; write the table again as UTF-8"),
        }
    };
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        bail!("{file}: this is UTF-32; save the table as UTF-8 (`iconv -f utf-32 -t utf-8`)");
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return wide(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return wide(rest, u16::from_be_bytes);
    }
    match unmarked(&bytes) {
        Some(Unmarked::Little) => return wide(&bytes, u16::from_le_bytes),
        Some(Unmarked::Big) => return wide(&bytes, u16::from_be_bytes),
        None => {}
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok((text, ""))
        }
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..good];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            bail!(
                "{file}:{line}: byte 0x{:02x} is not UTF-8; save the table as UTF-8 (`iconv -f latin1 -t utf-8`)",
                error.as_bytes()[good]
            )
        }
    }
}

/// UTF-16 without a mark, by its order of bytes.
enum Unmarked {
    Little,
    Big,
}

/// Whether a text is UTF-16 that does not say so: separators, digits and ends of lines have a zero byte each, always on one side.
fn unmarked(bytes: &[u8]) -> Option<Unmarked> {
    let start = &bytes[..bytes.len().min(4096)];
    let zeros = |side: usize| {
        let bytes = start.iter().skip(side).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let enough = start.len() / 8;
    match (zeros(0), zeros(1)) {
        (0, right) if right > enough => Some(Unmarked::Little),
        (left, 0) if left > enough => Some(Unmarked::Big),
        _ => None,
    }
}
