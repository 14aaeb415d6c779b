//! Pictures in files: decoded to grey bytes, and which end of the scale is ink.

use std::fmt;
use std::io::Cursor;
use std::str::FromStr;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader};
use serde::{Deserialize, Serialize};

use crate::receipt::Header;
use crate::{DataError, choice, contained, guard};

/// Which end of the grey scale is ink. What is dark is inverted on loading: in a [`crate::Dataset`] ink is bright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ink {
    /// Decided once for the whole data set: the outermost ring of pixels of all images is taken to be paper, and if
    /// its mean is above the middle of the scale (127.5), ink is dark.
    #[default]
    Auto,
    /// Ink is bright on dark paper, as in MNIST: bytes are kept.
    Bright,
    /// Ink is dark on bright paper, as on a scan: bytes are inverted.
    Dark,
}

impl Ink {
    /// Every choice with its written name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("bright", Self::Bright),
        ("dark", Self::Dark),
    ];

    /// Whether images have to be inverted, given the rings of all of them.
    pub(crate) fn is_dark(self, rings: impl IntoIterator<Item = Ring>) -> bool {
        match self {
            Self::Bright => false,
            Self::Dark => true,
            Self::Auto => {
                let (sum, n_pixels) = rings
                    .into_iter()
                    .fold((0, 0), |(sum, n), ring| (sum + ring.sum, n + ring.n_pixels));
                2 * sum > 255 * n_pixels
            }
        }
    }
}

impl fmt::Display for Ink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(choice::name_of(&Self::ALL, self))
    }
}

impl FromStr for Ink {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        choice::named("ink", &Self::ALL, name)
    }
}

/// Sum and number of the outermost pixels of an image, whole numbers so that no order of adding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ring {
    pub(crate) sum: u64,
    pub(crate) n_pixels: u64,
}

impl Ring {
    /// The ring of a row-major image.
    pub(crate) fn of(pixels: &[u8], height: usize, width: usize) -> Self {
        let mut ring = Self::default();
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            let mut add = |byte: u8| {
                ring.sum += u64::from(byte);
                ring.n_pixels += 1;
            };
            if y == 0 || y == height - 1 {
                row.iter().for_each(|&byte| add(byte));
            } else {
                add(row[0]);
                if width > 1 {
                    add(row[width - 1]);
                }
            }
        }
        ring
    }
}

/// What the header of an image file says; its pixels are not decoded.
///
/// # Errors
/// The decoder's message.
pub(crate) fn header(bytes: &[u8]) -> Result<Header, String> {
    contained::run(|| read_header(bytes).map_err(|error| error.to_string())).flatten()
}

fn read_header(bytes: &[u8]) -> Result<Header, image::ImageError> {
    let mut decoder = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    Ok(Header {
        width,
        height,
        channels: colour.channel_count(),
        depth: colour.bits_per_pixel() / u16::from(colour.channel_count()),
        has_alpha: colour.has_alpha(),
        is_turned: decoder.orientation()? != Orientation::NoTransforms,
    })
}

/// Decodes PNG, JPEG, BMP, TIFF or WebP bytes (by content, not by name) to grey, and tells whether colour was lost.
///
/// Colour becomes luma (Rec. 709 weights, as the `image` crate has them); transparent pixels are laid over white,
/// since scanned and drawn images mean paper by them; the orientation tag of EXIF is followed.
///
/// # Errors
/// The decoder's message, or what [`guard`] says.
pub(crate) fn decode_upright(bytes: &[u8]) -> Result<(GrayImage, bool), String> {
    contained::run(|| upright(bytes)).flatten()
}

/// A decoder within the bounds of [`guard`]; nothing but the header is read.
fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.limits(guard::limits());
    reader.with_guessed_format()?.into_decoder()
}

fn upright(bytes: &[u8]) -> Result<(GrayImage, bool), String> {
    let say = |error: image::ImageError| error.to_string();
    let mut decoder = decoder(bytes).map_err(say)?;
    let _seat = seat(&decoder, bytes)?;
    let orientation = decoder.orientation().map_err(say)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(say)?;
    image.apply_orientation(orientation);
    let has_colour = image.color().has_color()
        && image.to_rgba8().pixels().any(|pixel| {
            let [red, green, blue, alpha] = pixel.0;
            alpha > 0 && (red != green || green != blue)
        });
    Ok((grey(image), has_colour))
}

/// As [`decode_upright`], without a look at EXIF and colour: for archives that have neither.
///
/// # Errors
/// The decoder's message, or what [`guard`] says.
pub(crate) fn decode_grey(bytes: &[u8]) -> Result<GrayImage, String> {
    let decode = || {
        let say = |error: image::ImageError| error.to_string();
        let decoder = decoder(bytes).map_err(say)?;
        let _seat = seat(&decoder, bytes)?;
        Ok(grey(DynamicImage::from_decoder(decoder).map_err(say)?))
    };
    contained::run(decode).flatten()
}

/// Room for a picture.
fn seat(decoder: &impl ImageDecoder, bytes: &[u8]) -> Result<guard::Seat, String> {
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    guard::picture(decoder.total_bytes(), n_pixels, bytes.len() as u64)
}

fn grey(image: DynamicImage) -> GrayImage {
    if !image.color().has_alpha() {
        return image.into_luma8();
    }
    let mut image = image.into_rgba8();
    for pixel in image.pixels_mut() {
        let alpha = u32::from(pixel[3]);
        for channel in 0..3 {
            let over_white = u32::from(pixel[channel]) * alpha + 255 * (255 - alpha);
            pixel[channel] = ((over_white + 127) / 255) as u8;
        }
        pixel[3] = 255;
    }
    DynamicImage::ImageRgba8(image).into_luma8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_is_told_by_the_ring() {
        // A dark dot on bright paper, and a bright dot on dark paper.
        let scan = Ring::of(&[255, 255, 255, 255, 0, 255, 255, 255, 255], 3, 3);
        let screen = Ring::of(&[0, 0, 0, 0, 255, 0, 0, 0, 0], 3, 3);
        assert_eq!(
            scan,
            Ring {
                sum: 8 * 255,
                n_pixels: 8
            }
        );
        assert!(Ink::Auto.is_dark([scan]));
        assert!(!Ink::Auto.is_dark([screen]));
        assert!(
            !Ink::Auto.is_dark([screen, screen, scan]),
            "the majority decides"
        );
        assert!(Ink::Dark.is_dark([screen]) && !Ink::Bright.is_dark([scan]));
    }

    /// A PNG whose header says how large it is, and that holds nothing.
    fn empty_png(side: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8], content: &[u8]| {
            bytes.extend((content.len() as u32).to_be_bytes());
            let body = [kind, content].concat();
            bytes.extend(&body);
            bytes.extend(crc32fast::hash(&body).to_be_bytes());
        };
        let lengths = [side.to_be_bytes(), side.to_be_bytes()].concat();
        // 16 bits, colour and transparency.
        chunk(b"IHDR", &[&lengths[..], &[16, 6, 0, 0, 0]].concat());
        chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
        chunk(b"IEND", b"");
        bytes
    }

    #[test]
    fn pictures_that_are_all_size_are_refused_before_they_are_decoded() {
        for (side, expected) in [
            (8_000, "decompression bomb"),
            (30_000, "more than the limit"),
            (1_000_000, ""),
        ] {
            let bytes = empty_png(side);
            for problem in [
                decode_upright(&bytes).unwrap_err(),
                decode_grey(&bytes).unwrap_err(),
            ] {
                assert!(problem.contains(expected), "{side}: {problem}");
            }
        }
    }

    #[test]
    fn transparent_pixels_are_paper() {
        let mut rgba = image::RgbaImage::new(2, 1);
        rgba.put_pixel(1, 0, image::Rgba([0, 0, 0, 255]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        rgba.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        assert_eq!(decode_grey(bytes.get_ref()).unwrap().into_raw(), [255, 0]);
    }
}
