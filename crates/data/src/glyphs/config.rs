//! The settings of glyphs, checked, and read from the text after `glyphs:`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// What glyphs to make, and how hard they are to tell apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlyphsConfig {
    /// Everything is drawn from this.
    pub seed: u64,
    /// Number of alphabets, 1 to 1,000.
    pub n_alphabets: usize,
    /// Characters of each alphabet, 1 to 200.
    pub n_characters: usize,
    /// Drawers, each of whom draws every character once, 1 to 1,000.
    pub n_drawers: usize,
    /// Within-class spread, 0 to 4. At 0 all drawings of a character are alike, 1 is about as varied as Omniglot,
    /// more is harder. It scales the drawers' habits and the chance of each drawing.
    pub spread: f64,
    /// Width of the pen as a share of the frame's side, 0.01 to 0.2.
    pub pen_width: f64,
    /// Height and width of an image in pixels, 8 to 256.
    pub side: usize,
}

/// Names of the settings, in the order of the fields.
const SETTINGS: [&str; 7] = [
    "seed",
    "n_alphabets",
    "n_characters",
    "n_drawers",
    "spread",
    "pen_width",
    "side",
];

/// Most pixels of a data set; far more than Omniglot's 25 million, and within the memory of a small machine.
const MOST_BYTES: usize = 1 << 30;

impl Default for GlyphsConfig {
    /// 30 alphabets of 20 characters by 20 drawers, 12,000 images of 28x28, about as hard as Omniglot.
    fn default() -> Self {
        Self {
            seed: 0,
            n_alphabets: 30,
            n_characters: 20,
            n_drawers: 20,
            spread: 1.0,
            pen_width: 0.049,
            side: 28,
        }
    }
}

impl GlyphsConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for the first one out of its range.
    pub fn validate(&self) -> Result<(), DataError> {
        check("n_alphabets", &self.n_alphabets, &(1..=1000))?;
        check("n_characters", &self.n_characters, &(1..=200))?;
        check("n_drawers", &self.n_drawers, &(1..=1000))?;
        check("side", &self.side, &(8..=256))?;
        check("spread", &self.spread, &(0.0..=4.0))?;
        check("pen_width", &self.pen_width, &(0.01..=0.2))?;
        let n_bytes = self.n_images() * self.side * self.side;
        if n_bytes > MOST_BYTES {
            return Err(DataError::Invalid {
                setting: "n_alphabets x n_characters x n_drawers x side x side",
                value: n_bytes.to_string(),
                problem: format!("more than {MOST_BYTES} bytes of pixels"),
                next_step: "choose fewer alphabets, characters or drawers, or smaller images"
                    .into(),
            });
        }
        Ok(())
    }

    /// These settings with some replaced, as in `seed=7,spread=1.5`.
    ///
    /// # Errors
    /// [`DataError::UnknownName`] with the nearest setting, or [`DataError::Invalid`] for a value that is not one.
    pub fn with_text(mut self, text: &str) -> Result<Self, DataError> {
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "seed" => self.seed = parse("seed", value)?,
                "n_alphabets" => self.n_alphabets = parse("n_alphabets", value)?,
                "n_characters" => self.n_characters = parse("n_characters", value)?,
                "n_drawers" => self.n_drawers = parse("n_drawers", value)?,
                "spread" => self.spread = parse("spread", value)?,
                "pen_width" => self.pen_width = parse("pen_width", value)?,
                "side" => self.side = parse("side", value)?,
                _ => {
                    return Err(DataError::unknown_name(
                        "setting of glyphs",
                        name,
                        &SETTINGS,
                    ));
                }
            }
        }
        Ok(self)
    }

    /// `n_alphabets * n_characters * n_drawers`.
    pub(crate) fn n_images(&self) -> usize {
        self.n_alphabets * self.n_characters * self.n_drawers
    }
}

/// Accepts what lies within the range, so that NaN is refused.
fn check<T: PartialOrd + Display>(
    setting: &'static str,
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), DataError> {
    if range.contains(value) {
        return Ok(());
    }
    Err(DataError::Invalid {
        setting,
        value: value.to_string(),
        problem: "out of range".into(),
        next_step: format!("choose {} to {}", range.start(), range.end()),
    })
}

fn parse<T: FromStr>(setting: &'static str, text: &str) -> Result<T, DataError> {
    text.parse().map_err(|_| DataError::Invalid {
        setting,
        value: text.to_owned(),
        problem: "not a number of the kind that it takes".into(),
        next_step: format!("write `glyphs:{setting}=NUMBER`, pairs separated by commas"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(text: &str, expected: &[&str]) {
        let answer = GlyphsConfig::default()
            .with_text(text)
            .and_then(|config| config.validate());
        let message = answer.unwrap_err().to_string();
        for part in expected {
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn invalid_settings_are_answered_with_value_and_next_step() {
        check_refused("n_alphabets=0", &["n_alphabets = 0", "choose 1 to 1000"]);
        check_refused("n_characters=201", &["n_characters = 201", "1 to 200"]);
        check_refused("n_drawers=0", &["n_drawers = 0", "1 to 1000"]);
        check_refused("spread=-0.1", &["spread = -0.1", "choose 0 to 4"]);
        check_refused("spread=NaN", &["spread = NaN", "choose 0 to 4"]);
        check_refused("spread=inf", &["spread = inf"]);
        check_refused("pen_width=0.5", &["pen_width = 0.5", "0.01 to 0.2"]);
        check_refused("side=4", &["side = 4", "8 to 256"]);
        check_refused("spread=wild", &["wild", "glyphs:spread=NUMBER"]);
        check_refused("seed", &["seed", "glyphs:seed=NUMBER"]);
        check_refused("spraed=1", &["did you mean `spread`"]);
        check_refused(
            "n_alphabets=1000,n_characters=200,n_drawers=1000",
            &["156800000000", "fewer"],
        );
    }

    #[test]
    fn text_replaces_settings() {
        let config = GlyphsConfig::default()
            .with_text("seed=7,spread=1.5,side=32")
            .unwrap();
        let expected = GlyphsConfig {
            seed: 7,
            spread: 1.5,
            side: 32,
            ..GlyphsConfig::default()
        };
        assert_eq!(config, expected);
        assert_eq!(config.clone().with_text("").unwrap(), config);
    }

    #[test]
    fn every_setting_can_be_written() {
        for name in SETTINGS {
            let answer = GlyphsConfig::default().with_text(&format!("{name}=9"));
            assert!(answer.is_ok(), "{name}");
        }
    }
}
