//! What identifies images whatever they are wrapped in: their pixels at 1 bit.
//!
//! An image is *packed*: row by row, 8 pixels a byte, most significant bit first, each row filled with zeros to a
//! whole byte; 1 is paper, 0 is ink (as in Omniglot's own files). The digest of an archive is the SHA-256 over the
//! packed pixels of all its PNG entries in byte order of their path.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::FetchError;
use crate::archive::{self, Limits};
use crate::{contained, digest};

/// Largest side of an image that is looked at: a PNG header may promise any size.
const MAX_SIDE: u32 = 4096;

/// A black-and-white image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Packed rows.
    pub bits: Vec<u8>,
}

impl Packed {
    /// SHA-256 of the packed rows.
    #[must_use]
    pub fn sha256(&self) -> String {
        digest::sha256(&self.bits)
    }

    /// Decodes a PNG of any color type. Brighter than the middle is paper; where that leaves more ink than paper the
    /// image was stored inverted and is turned round.
    ///
    /// # Errors
    /// A sentence on what is wrong: not a PNG, damaged, or larger than 4096 pixels a side.
    pub fn from_png(bytes: &[u8]) -> Result<Self, String> {
        contained::run(|| Self::decode(bytes)).flatten()
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
        let (width, height) = (reader.info().width, reader.info().height);
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(format!(
                "the image is {width}x{height}, larger than {MAX_SIDE} a side"
            ));
        }
        let size = reader
            .output_buffer_size()
            .ok_or("the image is too large")?;
        let mut pixels = vec![0_u8; size];
        let frame = reader
            .next_frame(&mut pixels)
            .map_err(|error| error.to_string())?;
        let n_samples = frame.color_type.samples();
        let n_colors = if n_samples >= 3 { 3 } else { 1 };
        let row_bytes = width.div_ceil(8) as usize;
        let mut bits = vec![0_u8; row_bytes * height as usize];
        let mut n_paper = 0_usize;
        let rows = pixels
            .chunks_exact(frame.line_size)
            .zip(bits.chunks_exact_mut(row_bytes));
        for (row, packed) in rows {
            for (x, pixel) in row.chunks_exact(n_samples).take(width as usize).enumerate() {
                let sum: usize = pixel[..n_colors]
                    .iter()
                    .map(|&sample| usize::from(sample))
                    .sum();
                if sum >= 128 * n_colors {
                    packed[x / 8] |= 0x80 >> (x % 8);
                    n_paper += 1;
                }
            }
        }
        let mut image = Self {
            width,
            height,
            bits,
        };
        if 2 * n_paper < width as usize * height as usize {
            image.invert();
        }
        Ok(image)
    }

    fn invert(&mut self) {
        let row_bytes = self.width.div_ceil(8) as usize;
        let last_mask = match self.width % 8 {
            0 => 0xff,
            n_used => 0xff_u8 << (8 - n_used),
        };
        for row in self.bits.chunks_exact_mut(row_bytes) {
            for byte in row.iter_mut() {
                *byte = !*byte;
            }
            if let Some(last) = row.last_mut() {
                *last &= last_mask;
            }
        }
    }

    /// Encodes as a grey PNG of 1 bit.
    pub(crate) fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bits)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// The pixel digest of a zip archive of PNG images, and how many there are.
///
/// # Errors
/// [`FetchError::Archive`] for an archive that breaks the rules, [`FetchError::Content`] for an entry that is no image.
pub fn archive_pixels_sha256(path: &Path, file: &str) -> Result<(String, usize), FetchError> {
    let refuse = |source| FetchError::Archive {
        file: file.to_owned(),
        source,
    };
    let reader = BufReader::new(File::open(path).map_err(FetchError::io("open", path))?);
    let mut zip = archive::open(reader, &Limits::default()).map_err(refuse)?;
    let mut names = Vec::new();
    for entry_idx in 0..zip.len() {
        let entry = zip
            .by_index_raw(entry_idx)
            .map_err(|error| refuse(error.into()))?;
        let name = entry.name_raw().to_vec();
        if name.ends_with(b".png") {
            names.push((name, entry_idx));
        }
    }
    names.sort();
    let mut hasher = Sha256::new();
    for (name, entry_idx) in &names {
        let bytes = archive::read(&mut zip, *entry_idx).map_err(refuse)?;
        let image = Packed::from_png(&bytes).map_err(|problem| FetchError::Content {
            file: file.to_owned(),
            problem: format!("entry {}: {problem}", String::from_utf8_lossy(name)),
        })?;
        hasher.update(&image.bits);
    }
    Ok((digest::hex(&hasher.finalize()), names.len()))
}

#[cfg(test)]
mod tests {
    use super::Packed;

    fn png(width: u32, height: u32, color: png::ColorType, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(data)
            .unwrap();
        bytes
    }

    #[test]
    fn every_wrapping_of_an_image_packs_to_the_same_bits() {
        // 10 x 2, ink at (0, 0) and (9, 1).
        let mut grey = [255_u8; 20];
        grey[0] = 0;
        grey[19] = 10;
        let expected = Packed {
            width: 10,
            height: 2,
            bits: vec![0x7f, 0xc0, 0xff, 0x80],
        };
        let rgb: Vec<u8> = grey.iter().flat_map(|&g| [g, g, g]).collect();
        let rgba: Vec<u8> = grey.iter().flat_map(|&g| [g, g, g, 255]).collect();
        let inverted: Vec<u8> = grey.iter().map(|&g| 255 - g).collect();
        for (color, data) in [
            (png::ColorType::Grayscale, &grey[..]),
            (png::ColorType::Rgb, &rgb),
            (png::ColorType::Rgba, &rgba),
            (png::ColorType::Grayscale, &inverted),
        ] {
            assert_eq!(
                Packed::from_png(&png(10, 2, color, data)).unwrap(),
                expected
            );
        }
        assert_eq!(
            Packed::from_png(&expected.to_png().unwrap()).unwrap(),
            expected
        );
    }

    #[test]
    fn damage_and_monsters_are_refused() {
        assert!(Packed::from_png(b"GIF89a").is_err());
        let good = png(10, 2, png::ColorType::Grayscale, &[255; 20]);
        assert!(Packed::from_png(&good[..good.len() / 2]).is_err());
        let wide = png(5000, 1, png::ColorType::Grayscale, &[255; 5000]);
        assert!(Packed::from_png(&wide).unwrap_err().contains("5000x1"));
    }
}
