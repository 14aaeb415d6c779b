//! A percentage as it is printed, digits included: `98.90` is known to a hundredth.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Digits, at most one point, 0 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Percent {
    printed: String,
    /// In units of the last digit.
    units: u32,
    /// Digits behind the point.
    decimals: u32,
}

impl Percent {
    /// The value as a fraction.
    pub(super) fn fraction(&self) -> f64 {
        f64::from(self.units) * self.digit()
    }

    /// One unit of the last printed digit, as a fraction: 0.001 for `98.7`.
    pub(super) fn digit(&self) -> f64 {
        0.01 / 10_f64.powi(self.decimals.cast_signed())
    }
}

impl TryFrom<String> for Percent {
    type Error = String;

    fn try_from(printed: String) -> Result<Self, String> {
        let refused = || format!("{printed:?} is not a percentage as printed, e.g. \"98.70\"");
        let (whole, rest) = match printed.split_once('.') {
            None => (printed.as_str(), ""),
            Some((_, "")) => return Err(refused()),
            Some(parts) => parts,
        };
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || rest.len() > 4 || !is_plain(whole) || !is_plain(rest) {
            return Err(refused());
        }
        let units: u32 = format!("{whole}{rest}").parse().map_err(|_| refused())?;
        let decimals = u32::try_from(rest.len()).map_err(|_| refused())?;
        if units > 100 * 10_u32.pow(decimals) {
            return Err(refused());
        }
        Ok(Self {
            units,
            decimals,
            printed,
        })
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.printed
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.printed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_and_nonsense_is_refused() {
        let read = |text: &str| Percent::try_from(text.to_owned());
        let value = read("98.90").unwrap();
        assert_eq!(value.to_string(), "98.90");
        assert!((value.fraction() - 0.989).abs() < 1e-15);
        assert!((value.digit() - 1e-4).abs() < 1e-18);
        assert_eq!(read("100").unwrap().decimals, 0);
        for wrong in [
            "", ".", "98.", ".5", "-1", "1e1", "100.1", "98,7", "98.7 %", "12.34567",
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains("percentage"), "{wrong}: {said}");
        }
    }
}
