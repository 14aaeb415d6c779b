//! Quarter turns: as new classes, as augmentation, or off.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DataError, ImageSize, choice};

/// What is done with rotations by 90 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotations {
    /// Each class counts four times, once for each turn (Vinyals et al. 2016 and most Omniglot figures since).
    AsClasses,
    /// Each class of each episode is turned by an angle drawn from the `augment` stream.
    Augment,
    /// Images stay upright.
    #[default]
    Off,
}

impl Rotations {
    /// Every choice with its written name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("as-classes", Self::AsClasses),
        ("augment", Self::Augment),
        ("off", Self::Off),
    ];

    /// How many classes one class of the data set counts for: 4 or 1.
    #[must_use]
    pub fn n_variants(self) -> u32 {
        match self {
            Self::AsClasses => 4,
            Self::Augment | Self::Off => 1,
        }
    }

    /// Refuses turns of images that are not square: a quarter turn exchanges height and width. The half turn, which does not, is one
    /// of the four and is not offered alone.
    ///
    /// # Errors
    /// [`DataError::Invalid`] with the size.
    pub fn check(self, size: ImageSize) -> Result<(), DataError> {
        if self == Self::Off || size.side().is_some() {
            return Ok(());
        }
        Err(DataError::Invalid {
            setting: "rotations",
            value: format!("\"{self}\""),
            problem: format!(
                "a quarter turn exchanges height and width, and images of {size} are not square"
            ),
            next_step: "set rotations = \"off\" and test_rotations = \"off\", or give the size as one number".into(),
        })
    }
}

impl fmt::Display for Rotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(choice::name_of(&Self::ALL, self))
    }
}

impl FromStr for Rotations {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        choice::named("rotations", &Self::ALL, name)
    }
}

/// Appends an image turned counter-clockwise by `quarter_turns`, as numbers in `[0, 1]` (`byte / 255`).
///
/// One turn: `out[r][c] = image[c][side - 1 - r]`, as `numpy.rot90`. Images that are not square are not turned: the sampler refuses
/// that ([`Rotations::check`]).
/// # Shapes
/// `image`: height and width of `size` and `channels`, row-major; as many values are appended to `out`.
pub(crate) fn append_turned<T: Intensity>(
    image: &[u8],
    size: ImageSize,
    channels: usize,
    quarter_turns: u8,
    out: &mut Vec<T>,
) {
    let side = size.height;
    let last = side - 1;
    match quarter_turns % 4 {
        0 => out.extend(image.iter().map(|&byte| T::of(byte))),
        1 => append_from(image, side, channels, out, |r, c| c * side + last - r),
        2 => append_from(image, side, channels, out, |r, c| {
            (last - r) * side + last - c
        }),
        _ => append_from(image, side, channels, out, |r, c| (last - c) * side + r),
    }
}

/// Appends pixel `from(row, column)` of an image at each row and column.
fn append_from<T: Intensity>(
    image: &[u8],
    side: usize,
    channels: usize,
    out: &mut Vec<T>,
    from: impl Fn(usize, usize) -> usize,
) {
    for row in 0..side {
        for column in 0..side {
            let pixel = &image[from(row, column) * channels..][..channels];
            out.extend(pixel.iter().map(|&byte| T::of(byte)));
        }
    }
}

/// A number type that pixels are gathered into: `f32` for training, `f64` for tests of derivatives.
pub trait Intensity: Copy + Send + Sync + 'static {
    /// `byte / 255`, in `[0, 1]`.
    fn of(byte: u8) -> Self;
}

impl Intensity for f32 {
    #[inline]
    fn of(byte: u8) -> Self {
        Self::from(byte) / 255.0
    }
}

impl Intensity for f64 {
    #[inline]
    fn of(byte: u8) -> Self {
        Self::from(byte) / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_agree_with_a_hand_written_case() {
        // 0 51 102        102 255 0         0 204 255       0   153 0
        // 153 204 255      51 204 0         255 204 153     0   204 51
        // 0 0 0            0 153 0          102 51 0        0   255 102
        let image = [0, 51, 102, 153, 204, 255, 0, 0, 0];
        let expected: [[u8; 9]; 4] = [
            image,
            [102, 255, 0, 51, 204, 0, 0, 153, 0],
            [0, 0, 0, 255, 204, 153, 102, 51, 0],
            [0, 153, 0, 0, 204, 51, 0, 255, 102],
        ];
        for (turns, expected) in (0_u8..).zip(expected) {
            let mut out: Vec<f64> = Vec::new();
            append_turned(&image, 3.into(), 1, turns, &mut out);
            let wanted = expected.map(|byte| f64::from(byte) / 255.0);
            assert_eq!(out, wanted, "{turns}");
            // The channels of a pixel move together.
            let coloured: Vec<u8> = image
                .iter()
                .flat_map(|&byte| [byte, 7, 255 - byte])
                .collect();
            let mut out: Vec<f64> = Vec::new();
            append_turned(&coloured, 3.into(), 3, turns, &mut out);
            for (pixel, wanted) in out.chunks_exact(3).zip(expected) {
                let wanted = [wanted, 7, 255 - wanted].map(f64::from);
                assert_eq!(pixel, wanted.map(|byte| byte / 255.0), "{turns}");
            }
        }
    }
}
