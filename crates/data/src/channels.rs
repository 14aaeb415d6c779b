//! One channel or three: what becomes of colour.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// How many channels the images of a data set get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Channels {
    /// Three if the red, green and blue of any image differ by more than 16 of 255 somewhere, else one.
    #[default]
    Auto,
    /// One: colour becomes luma (Rec. 709: `0.2126 R + 0.7152 G + 0.0722 B`).
    One,
    /// Three: red, green, blue; grey is repeated.
    Three,
}

impl Channels {
    /// What a setting may say.
    const ADVICE: &'static str = "write \"auto\", 1 (grey) or 3 (red, green, blue)";

    /// The number, unless the images decide.
    #[must_use]
    pub fn number(self) -> Option<usize> {
        match self {
            Self::Auto => None,
            Self::One => Some(1),
            Self::Three => Some(3),
        }
    }
}

/// As a setting has it: a word or a number.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "write \"auto\", 1 (grey) or 3 (red, green, blue)"
)]
enum Written {
    Number(u64),
    Word(String),
}

impl TryFrom<Written> for Channels {
    type Error = DataError;

    fn try_from(written: Written) -> Result<Self, DataError> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Word(word) => word.parse(),
        }
    }
}

impl From<Channels> for Written {
    fn from(channels: Channels) -> Self {
        match channels {
            Channels::Auto => Self::Word(String::from("auto")),
            Channels::One => Self::Number(1),
            Channels::Three => Self::Number(3),
        }
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::One => "1",
            Self::Three => "3",
        })
    }
}

impl FromStr for Channels {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "auto" => Ok(Self::Auto),
            "1" => Ok(Self::One),
            "3" => Ok(Self::Three),
            _ => Err(DataError::Invalid {
                setting: "channels",
                value: text.to_owned(),
                problem: "no number of channels that images can get".into(),
                next_step: Self::ADVICE.into(),
            }),
        }
    }
}

/// Luma of a colour, as the `image` crate has it: Rec. 709 weights in whole numbers, rounded.
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
    u8::try_from((sum + 5_000) / 10_000).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_the_word_are_read_and_written() {
        for (json, value) in [
            (serde_json::json!("auto"), Channels::Auto),
            (1.into(), Channels::One),
            (3.into(), Channels::Three),
        ] {
            assert_eq!(serde_json::to_value(value).unwrap(), json);
            assert_eq!(serde_json::from_value::<Channels>(json).unwrap(), value);
            assert_eq!(value.to_string().parse::<Channels>().unwrap(), value);
        }
        for wrong in [serde_json::json!(4), "rgb".into(), 1.5.into()] {
            let error = serde_json::from_value::<Channels>(wrong).unwrap_err();
            assert!(error.to_string().contains("1 (grey) or 3"), "{error}");
        }
    }

    #[test]
    fn luma_is_that_of_the_image_crate() {
        for colour in [
            [255, 255, 255],
            [255, 0, 0],
            [0, 255, 0],
            [12, 200, 99],
            [3, 2, 1],
        ] {
            let image = image::RgbImage::from_pixel(1, 1, image::Rgb(colour));
            let theirs = image::DynamicImage::ImageRgb8(image).into_luma8();
            assert_eq!(luma(colour), theirs.as_raw()[0], "{colour:?}");
        }
    }
}
