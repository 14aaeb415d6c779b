//! From bytes to text: gzip, byte-order marks, UTF-16.

use std::io::Read;

use anyhow::{Result, bail};
use flate2::read::MultiGzDecoder;

/// Most bytes of an unpacked table: a few kilobytes of gzip can hold far more.
const MOST_UNPACKED: u64 = 4 << 30;

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
/// For bytes that are neither UTF-8 nor UTF-16 with a mark, with the line of the first.
pub(super) fn text(file: &str, bytes: Vec<u8>) -> Result<(String, &'static str)> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        match char::decode_utf16(units).collect::<Result<String, _>>() {
            Ok(text) if bytes.len().is_multiple_of(2) => Ok((text, "UTF-16")),
            _ => bail!("{file}: damaged UTF-16; write the table again as UTF-8"),
        }
    };
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return wide(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return wide(rest, u16::from_be_bytes);
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
