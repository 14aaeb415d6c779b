//! JSON files that hold the checksum of themselves: any changed byte of one is an error.

use anyhow::{Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::sha256;

/// A value and its seal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sealed<T> {
    #[serde(flatten)]
    value: T,
    /// Of this file with an empty text here.
    sha256: String,
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Seals the value.
    pub(crate) fn new(value: T) -> Result<Self> {
        let mut sealed = Self {
            value,
            sha256: String::new(),
        };
        sealed.sha256 = sha256(&sealed.to_bytes()?);
        Ok(sealed)
    }

    /// What the file holds.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(json.into_bytes())
    }

    /// Reads a file, and breaks the seal if it is whole.
    pub(crate) fn open(bytes: &[u8]) -> Result<T> {
        let read: Self = serde_json::from_slice(bytes)?;
        let again = Self::new(read.value)?;
        ensure!(
            read.sha256 == again.sha256 && again.to_bytes()? == bytes,
            "it does not have its own checksum"
        );
        Ok(again.value)
    }
}

/// What is wrong with the file of a sealed value that cannot be opened: with its own checksum, whatever fields it has, it is whole, and
/// of a version with other fields.
pub(crate) fn fault(bytes: &[u8]) -> &'static str {
    if has_own_sum(bytes) {
        "was written by another version of this program"
    } else {
        "is damaged"
    }
}

fn has_own_sum(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let json = serde_json::from_str::<Value>(text).unwrap_or_default();
    let Some(sum) = json["sha256"].as_str() else {
        return false;
    };
    let unsealed = text.replace(&format!("\"sha256\": \"{sum}\""), "\"sha256\": \"\"");
    sha256(unsealed.as_bytes()) == sum
}

/// How a sealed text begins; then the checksum in hexadecimal digits, and the rest.
const BEGIN: &str = "{\"sha256\":\"";
const DIGITS: usize = 64;

/// A JSON object with the checksum of its own text as first field. For values that need not be written alike when they are
/// written again: the seal is that of the bytes.
pub(crate) fn seal(object: &str) -> Result<String> {
    let Some(rest) = object.strip_prefix('{') else {
        bail!("only an object can be sealed");
    };
    let rest = format!("\",{rest}");
    let sum = sha256(rest.as_bytes());
    Ok(format!("{BEGIN}{sum}{rest}"))
}

/// Whether a text has its own checksum, to the last bit.
pub(crate) fn is_whole(text: &str) -> bool {
    let Some(after) = text.strip_prefix(BEGIN) else {
        return false;
    };
    let parts = after.split_at_checked(DIGITS);
    parts.is_some_and(|(sum, rest)| sum == sha256(rest.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_sealed_text_is_noticed() {
        let text = seal("{\"a\":1e-3,\"b\":[null]}\n").unwrap();
        assert!(is_whole(&text));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"], 0.001);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut flipped = text.clone().into_bytes();
                flipped[at] ^= 1 << bit;
                let noticed = String::from_utf8(flipped).is_ok_and(|text| is_whole(&text));
                assert!(!noticed, "byte {at}, bit {bit}");
            }
            assert!(!is_whole(&text[..at]), "{at} bytes");
        }
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        name: String,
        levels: Vec<serde_json::Value>,
        size: f64,
    }

    #[test]
    fn a_value_comes_back_and_any_change_is_noticed() {
        let note = Note {
            name: String::from("a"),
            levels: vec![0.1.into(), "b".into(), 3.into()],
            size: 1.0 / 3.0,
        };
        let bytes = Sealed::new(note.clone()).unwrap().to_bytes().unwrap();
        assert_eq!(Sealed::<Note>::open(&bytes).unwrap(), note);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(
                    Sealed::<Note>::open(&flipped).is_err(),
                    "byte {at}, bit {bit}"
                );
            }
            assert!(Sealed::<Note>::open(&bytes[..at]).is_err(), "{at} bytes");
        }
    }
}
