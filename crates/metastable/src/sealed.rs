//! A JSON file that holds the checksum of itself: any changed byte of it is an error.

use anyhow::{Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

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
