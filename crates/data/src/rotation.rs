//! Quarter turns: as new classes, as augmentation, or off.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DataError, choice};

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

/// Appends a square image turned counter-clockwise by `quarter_turns`, as numbers in `[0, 1]` (`byte / 255`).
///
/// One turn: `out[r][c] = image[c][side - 1 - r]`, as `numpy.rot90`.
/// # Shapes
/// `image`: `(side, side)` row-major; as many values are appended to `out`.
pub(crate) fn append_turned<T: Intensity>(
    image: &[u8],
    side: usize,
    quarter_turns: u8,
    out: &mut Vec<T>,
) {
    let last = side - 1;
    match quarter_turns % 4 {
        0 => out.extend(image.iter().map(|&byte| T::of(byte))),
        1 => (0..side).for_each(|r| {
            out.extend((0..side).map(|c| T::of(image[c * side + last - r])));
        }),
        2 => out.extend(image.iter().rev().map(|&byte| T::of(byte))),
        _ => (0..side).for_each(|r| {
            out.extend((0..side).map(|c| T::of(image[(last - c) * side + r])));
        }),
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
            append_turned(&image, 3, turns, &mut out);
            assert_eq!(out, expected.map(|byte| f64::from(byte) / 255.0), "{turns}");
        }
    }
}
