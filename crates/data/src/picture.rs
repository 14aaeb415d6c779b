//! Pictures in files: decoded to grey or coloured bytes, what transparency lies on, and which end of the scale is ink.

use std::fmt;
use std::io::Cursor;
use std::str::FromStr;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::channels::luma;
use crate::receipt::Header;
use crate::{Channels, DataError, ImageSize, choice, contained, guard, resize};

/// What pictures of files are made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Height and width to resize to.
    pub size: ImageSize,
    /// One channel or three.
    pub channels: Channels,
    /// Which end of the grey scale is ink.
    pub ink: Ink,
    /// What transparent pixels lie on.
    pub paper: Paper,
}

impl Default for Reading {
    /// 28x28, everything else as the pictures tell.
    fn default() -> Self {
        Self {
            size: ImageSize::square(28),
            channels: Channels::Auto,
            ink: Ink::Auto,
            paper: Paper::Auto,
        }
    }
}

/// What transparent pixels lie on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paper {
    /// White, as drawings mean it, unless more pictures of the data set would vanish on white than on black.
    #[default]
    Auto,
    /// White (255).
    White,
    /// Black (0).
    Black,
}

impl Paper {
    /// Every choice with its written name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("white", Self::White),
        ("black", Self::Black),
    ];

    /// Whether the paper is black, given how many pictures vanish on white and on black.
    pub(crate) fn is_black(self, [on_white, on_black]: [usize; 2]) -> bool {
        match self {
            Self::Auto => on_white > on_black,
            Self::White => false,
            Self::Black => true,
        }
    }
}

impl fmt::Display for Paper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(choice::name_of(&Self::ALL, self))
    }
}

impl FromStr for Paper {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        choice::named("paper", &Self::ALL, name)
    }
}

/// Which end of the grey scale is ink. What is dark is inverted on loading: in a [`crate::Dataset`] ink is bright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ink {
    /// Decided once for the whole data set: the outermost ring of pixels of all images is taken to be paper, and if
    /// its mean is above the middle of the scale (127.5), ink is dark. Images of three channels are kept: colours are no ink.
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

    /// Whether images have to be inverted, given their channels and the rings of all of them.
    pub(crate) fn is_dark(self, channels: usize, rings: impl IntoIterator<Item = Ring>) -> bool {
        match self {
            Self::Bright => false,
            Self::Dark => true,
            Self::Auto if channels > 1 => false,
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

/// Sum and number of the outermost values of an image, one for each channel of a pixel; whole numbers, so that no order of adding
/// matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ring {
    pub(crate) sum: u64,
    pub(crate) n_pixels: u64,
}

impl Ring {
    /// The ring of a row-major image, of all its channels together: `(height, width)` or `(height, width, channels)`.
    pub(crate) fn of(pixels: &[u8], height: usize, width: usize) -> Self {
        let channels = pixels.len() / (height * width);
        let mut ring = Self::default();
        let mut add = |bytes: &[u8]| {
            ring.sum += bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
            ring.n_pixels += bytes.len() as u64;
        };
        for (y, row) in pixels.chunks_exact(width * channels).enumerate() {
            if y == 0 || y == height - 1 {
                add(row);
            } else {
                add(&row[..channels]);
                if width > 1 {
                    add(&row[row.len() - channels..]);
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

/// A decoded picture.
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// `(height, width, channels)`, row-major.
    pub(crate) pixels: Vec<u8>,
    /// Whether red, green and blue of the file differ by more than 16 of 255 somewhere.
    pub(crate) has_colour: bool,
}

impl Picture {
    /// The picture in another size, with its channels.
    pub(crate) fn resize(&self, to: ImageSize, out: &mut [u8]) {
        resize::each_channel(&self.pixels, self.height, self.width, to, out);
    }
}

/// Decodes PNG, JPEG, BMP, TIFF or WebP bytes (by content, not by name) to one channel or three.
///
/// For one, colour becomes luma (Rec. 709 weights, as the `image` crate has them); for three, grey is repeated. Transparent pixels
/// are laid over the paper; the orientation tag of EXIF is followed.
///
/// # Errors
/// The decoder's message, or what [`guard`] says.
pub(crate) fn decode(bytes: &[u8], channels: usize, on_black: bool) -> Result<Picture, String> {
    contained::run(|| {
        let (image, _seat) = upright(bytes)?;
        let has_colour = has_colour(&image);
        let (height, width) = (image.height() as usize, image.width() as usize);
        let image = opaque(image, on_black);
        let pixels = match channels {
            1 => image.into_luma8().into_raw(),
            _ => image.into_rgb8().into_raw(),
        };
        Ok(Picture {
            height,
            width,
            pixels,
            has_colour,
        })
    })
    .flatten()
}

/// What has to be known of all pictures before any of them is made part of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Whether red, green and blue differ by more than 16 of 255 somewhere.
    pub(crate) has_colour: bool,
    /// Whether some pixel is transparent and the picture cannot be seen on white; on black.
    pub(crate) vanishes: [bool; 2],
}

/// A drawing that is nowhere further from its paper than this, of 255, cannot be seen on it.
const MOST_FAINT: u8 = 25;

/// Looks at a picture.
///
/// # Errors
/// As for [`decode`].
pub(crate) fn survey(bytes: &[u8]) -> Result<Survey, String> {
    contained::run(|| {
        let (image, _seat) = upright(bytes)?;
        let mut survey = Survey {
            has_colour: has_colour(&image),
            vanishes: [false; 2],
        };
        if !image.color().has_alpha() {
            return Ok(survey);
        }
        let image = image.into_rgba8();
        if image.pixels().any(|pixel| pixel.0[3] < u8::MAX) {
            survey.vanishes = [u8::MAX, 0].map(|paper| {
                let distance = |pixel: &image::Rgba<u8>| luma(over(*pixel, paper)).abs_diff(paper);
                image.pixels().all(|pixel| distance(pixel) <= MOST_FAINT)
            });
        }
        Ok(survey)
    })
    .flatten()
}

/// Red, green and blue that are nowhere further apart than this, of 255, are grey: lossy formats leave a trace of colour in grey.
const MOST_GREY: u8 = 16;

/// Whether a colour can be told from grey.
pub(crate) fn is_coloured([red, green, blue]: [u8; 3]) -> bool {
    red.max(green).max(blue) - red.min(green).min(blue) > MOST_GREY
}

fn has_colour(image: &DynamicImage) -> bool {
    image.color().has_color()
        && image.to_rgba8().pixels().any(|pixel| {
            let [red, green, blue, alpha] = pixel.0;
            alpha > 0 && is_coloured([red, green, blue])
        })
}

/// A decoder within the bounds of [`guard`]; nothing but the header is read.
fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.limits(guard::limits());
    reader.with_guessed_format()?.into_decoder()
}

/// The picture as its EXIF tag turns it, and its seat.
fn upright(bytes: &[u8]) -> Result<(DynamicImage, guard::Seat), String> {
    let say = |error: image::ImageError| error.to_string();
    let mut decoder = decoder(bytes).map_err(say)?;
    let seat = seat(&decoder, bytes)?;
    let orientation = decoder.orientation().map_err(say)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(say)?;
    image.apply_orientation(orientation);
    Ok((image, seat))
}

/// As [`decode`] to grey on white, without a look at EXIF: for archives that have none.
///
/// # Errors
/// The decoder's message, or what [`guard`] says.
pub(crate) fn decode_grey(bytes: &[u8]) -> Result<GrayImage, String> {
    let decode = || {
        let say = |error: image::ImageError| error.to_string();
        let decoder = decoder(bytes).map_err(say)?;
        let _seat = seat(&decoder, bytes)?;
        let image = DynamicImage::from_decoder(decoder).map_err(say)?;
        Ok(opaque(image, false).into_luma8())
    };
    contained::run(decode).flatten()
}

/// Room for a picture.
fn seat(decoder: &impl ImageDecoder, bytes: &[u8]) -> Result<guard::Seat, String> {
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    guard::picture(decoder.total_bytes(), n_pixels, bytes.len() as u64)
}

/// The picture over its paper.
fn opaque(image: DynamicImage, on_black: bool) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let paper = if on_black { 0 } else { u8::MAX };
    let mut image: RgbaImage = image.into_rgba8();
    for pixel in image.pixels_mut() {
        let [red, green, blue] = over(*pixel, paper);
        pixel.0 = [red, green, blue, u8::MAX];
    }
    DynamicImage::ImageRgba8(image)
}

/// The colour of a pixel that lies on paper.
fn over(pixel: image::Rgba<u8>, paper: u8) -> [u8; 3] {
    let [red, green, blue, alpha] = pixel.0.map(u32::from);
    [red, green, blue].map(|value| {
        let over = value * alpha + u32::from(paper) * (255 - alpha);
        ((over + 127) / 255) as u8
    })
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
        assert!(Ink::Auto.is_dark(1, [scan]));
        assert!(!Ink::Auto.is_dark(1, [screen]));
        assert!(
            !Ink::Auto.is_dark(1, [screen, screen, scan]),
            "the majority decides"
        );
        assert!(Ink::Dark.is_dark(3, [screen]) && !Ink::Bright.is_dark(1, [scan]));
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
                decode(&bytes, 3, false).map(|_| ()).unwrap_err(),
                survey(&bytes).unwrap_err(),
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
        let bytes = bytes.get_ref();
        assert_eq!(decode_grey(bytes).unwrap().into_raw(), [255, 0]);
        assert_eq!(decode(bytes, 1, false).unwrap().pixels, [255, 0]);
        assert_eq!(survey(bytes).unwrap().vanishes, [false, true]);
        assert!(!Paper::Auto.is_black([0, 1]) && Paper::Auto.is_black([1, 0]));
        assert!(Paper::Black.is_black([0, 1]) && !Paper::White.is_black([1, 0]));
    }

    #[test]
    fn colours_stay_where_three_channels_are_asked_for() {
        let half_red = image::RgbaImage::from_pixel(1, 1, image::Rgba([255, 0, 0, 128]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        half_red
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        let pixels = |channels, on_black| {
            let picture = decode(bytes.get_ref(), channels, on_black).unwrap();
            assert!(picture.has_colour);
            picture.pixels
        };
        // 0 * 128/255 + 255 * 127/255 on white, 255 * 128/255 on black.
        assert_eq!(pixels(3, false), [255, 127, 127]);
        assert_eq!(pixels(3, true), [128, 0, 0]);
        assert_eq!(pixels(1, true), [luma([128, 0, 0])]);
    }
}
