//! Height and width of images.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::DataError;

/// Height and width of images, in pixels.
///
/// Written as one number where they are square, `28`, else as text, `"64x96"`: 64 pixels high and 96 wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageSize {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl ImageSize {
    /// As high as wide.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self {
            height: side,
            width: side,
        }
    }

    /// The side, where height and width are the same.
    #[must_use]
    pub fn side(self) -> Option<usize> {
        (self.height == self.width).then_some(self.height)
    }

    /// Pixels of an image.
    #[must_use]
    pub const fn n_pixels(self) -> usize {
        self.height * self.width
    }

    /// Refuses a length of 0 and one that is surely a typing error.
    pub(crate) fn check(self) -> Result<(), DataError> {
        if [self.height, self.width]
            .iter()
            .all(|it| (1..=MOST).contains(it))
        {
            return Ok(());
        }
        Err(DataError::Invalid {
            setting: "size",
            value: self.to_string(),
            problem: "not a size for an image".into(),
            next_step: format!("choose 1 to {MOST} pixels for height and width; 28 is usual"),
        })
    }

    /// The side of a square.
    ///
    /// # Errors
    /// [`DataError::Invalid`], with what takes only squares.
    pub(crate) fn require_square(self, whose: &str) -> Result<usize, DataError> {
        self.side().ok_or_else(|| DataError::Invalid {
            setting: "size",
            value: self.to_string(),
            problem: format!("images of {whose} are square"),
            next_step: "give one number, e.g. size = 28".into(),
        })
    }
}

/// Largest height and width that a loader resizes to: a guard against a typing error, not a limit of the method.
const MOST: usize = 4096;

impl From<usize> for ImageSize {
    fn from(side: usize) -> Self {
        Self::square(side)
    }
}

/// One number where they are the same, else `HEIGHTxWIDTH`.
impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side() {
            Some(side) => write!(f, "{side}"),
            None => write!(f, "{}x{}", self.height, self.width),
        }
    }
}

impl FromStr for ImageSize {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let lengths = text.split_once('x').unwrap_or((text, text));
        match (lengths.0.parse(), lengths.1.parse()) {
            (Ok(height), Ok(width)) => Ok(Self { height, width }),
            _ => Err(DataError::Invalid {
                setting: "size",
                value: text.into(),
                problem: "neither a number of pixels nor height and width".into(),
                next_step: "write a number, e.g. 28, or \"HEIGHTxWIDTH\", e.g. \"64x96\"".into(),
            }),
        }
    }
}

/// As it is displayed; a square is a number, as it was before there were others.
impl Serialize for ImageSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.side() {
            Some(side) => side.serialize(serializer),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for ImageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = ImageSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of pixels, or \"HEIGHTxWIDTH\"")
            }

            fn visit_u64<E: Error>(self, side: u64) -> Result<ImageSize, E> {
                usize::try_from(side)
                    .map(ImageSize::square)
                    .map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, side: i64) -> Result<ImageSize, E> {
                usize::try_from(side)
                    .map(ImageSize::square)
                    .map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ImageSize, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_numbers_and_others_are_text() {
        let oblong = ImageSize {
            height: 64,
            width: 96,
        };
        for (size, json) in [(ImageSize::square(28), "28"), (oblong, "\"64x96\"")] {
            assert_eq!(serde_json::to_string(&size).unwrap(), json);
            assert_eq!(serde_json::from_str::<ImageSize>(json).unwrap(), size);
            assert_eq!(size.to_string().parse::<ImageSize>().unwrap(), size);
        }
        assert_eq!("28x28".parse::<ImageSize>().unwrap(), ImageSize::square(28));
        assert_eq!(
            serde_json::from_str::<ImageSize>("\"28\"").unwrap().side(),
            Some(28)
        );
        assert_eq!(oblong.n_pixels(), 6144);
        for wrong in [
            "\"64*96\"",
            "\"x\"",
            "\"64x\"",
            "\"-1x3\"",
            "\"1x2x3\"",
            "-1",
            "2.5",
            "true",
        ] {
            assert!(serde_json::from_str::<ImageSize>(wrong).is_err(), "{wrong}");
        }
        for (height, width) in [(0, 28), (28, 0), (28, 4097)] {
            assert!(
                ImageSize { height, width }.check().is_err(),
                "{height}x{width}"
            );
        }
    }
}
