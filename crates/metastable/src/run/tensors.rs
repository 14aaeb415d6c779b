//! Named tensors and text in one safetensors file, with equal bytes for equal content.
//!
//! The library's writer takes its metadata from a hash map, whose order differs from process to process; the header
//! is written here instead, in order. Reading is the library's. A checksum over the whole file, header included, finds
//! every damage.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::files::{sha256, write_whole};

/// Metadata key of the checksum: of the file as it is with zeros in the checksum's place.
const CHECKSUM: &str = "sha256";

/// What stands in the checksum's place while it is taken.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TensorFile {
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: Vec<Tensor>,
}

/// One tensor as bytes, row-major, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// A number that a tensor can hold.
pub(crate) trait Element: Copy {
    const DTYPE: Dtype;
    const WIDTH: usize;
    fn put(self, bytes: &mut Vec<u8>);
    fn take(bytes: &[u8]) -> Self;
}

macro_rules! element {
    ($number:ty, $dtype:ident) => {
        impl Element for $number {
            const DTYPE: Dtype = Dtype::$dtype;
            const WIDTH: usize = size_of::<$number>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn take(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$number>()];
                array.copy_from_slice(bytes);
                Self::from_le_bytes(array)
            }
        }
    };
}

element!(u8, U8);
element!(u32, U32);
element!(f32, F32);
element!(f64, F64);

impl TensorFile {
    /// Appends a tensor.
    pub(crate) fn push<E: Element>(&mut self, name: &str, shape: &[usize], values: &[E]) {
        assert_eq!(
            shape.iter().product::<usize>(),
            values.len(),
            "shape and values of {name} differ"
        );
        let mut bytes = Vec::with_capacity(values.len() * E::WIDTH);
        for value in values {
            value.put(&mut bytes);
        }
        self.tensors.push(Tensor {
            name: name.to_owned(),
            dtype: E::DTYPE,
            shape: shape.to_vec(),
            bytes,
        });
    }

    /// Shape and values of a tensor; absent if there is none of that name.
    pub(crate) fn get<E: Element>(&self, name: &str) -> Result<Option<(Vec<usize>, Vec<E>)>> {
        let Some(tensor) = self.tensors.iter().find(|tensor| tensor.name == name) else {
            return Ok(None);
        };
        ensure!(
            tensor.dtype == E::DTYPE,
            "tensor {name} is {:?} where {:?} is expected",
            tensor.dtype,
            E::DTYPE
        );
        let values = tensor.bytes.chunks_exact(E::WIDTH).map(E::take).collect();
        Ok(Some((tensor.shape.clone(), values)))
    }

    /// Shape and values of a tensor that has to be there.
    pub(crate) fn need<E: Element>(&self, name: &str) -> Result<(Vec<usize>, Vec<E>)> {
        self.get(name)?
            .ok_or_else(|| anyhow!("tensor {name} is missing"))
    }

    /// A piece of text that has to be there.
    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| anyhow!("metadata {key} is missing"))
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = self.with_checksum(ZEROS)?;
        self.with_checksum(&sha256(&bytes))
    }

    fn with_checksum(&self, checksum: &str) -> Result<Vec<u8>> {
        let mut metadata = self.metadata.clone();
        metadata.insert(CHECKSUM.to_owned(), checksum.to_owned());
        let mut header = Map::new();
        header.insert(String::from("__metadata__"), json!(metadata));
        let mut start = 0;
        for tensor in &self.tensors {
            let end = start + tensor.bytes.len();
            let dtype = serde_json::to_value(tensor.dtype)?;
            let entry =
                json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end] });
            header.insert(tensor.name.clone(), entry);
            start = end;
        }
        let mut header = serde_json::to_vec(&Value::Object(header))?;
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        for tensor in &self.tensors {
            bytes.extend_from_slice(&tensor.bytes);
        }
        Ok(bytes)
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// Reads a file; a truncated or damaged one is refused by name.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("while reading {}", path.display()))?;
        Self::from_bytes(&bytes).with_context(|| format!("{} is damaged", path.display()))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let file = SafeTensors::deserialize(bytes)?;
        let mut metadata: BTreeMap<String, String> = header
            .metadata()
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let tensors = header
            .offset_keys()
            .into_iter()
            .map(|name| {
                let view = file.tensor(&name)?;
                Ok(Tensor {
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                    bytes: view.data().to_vec(),
                    name,
                })
            })
            .collect::<Result<_>>()?;
        metadata.remove(CHECKSUM);
        let file = Self { metadata, tensors };
        // Written again, checksum included, it has to come out byte for byte.
        ensure!(
            file.to_bytes()? == bytes,
            "it does not have the checksum in its header"
        );
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> TensorFile {
        let mut file = TensorFile::default();
        file.metadata.insert("step".into(), "3".into());
        file.metadata
            .insert("name".into(), "a \"quoted\" one".into());
        file.push("b", &[2, 2], &[1.0_f64, f64::NAN, -0.0, 1e-300]);
        file.push("a", &[3], &[1_u8, 2, 255]);
        file
    }

    #[test]
    fn what_is_written_is_read_and_equal_content_has_equal_bytes() {
        let bytes = example().to_bytes().unwrap();
        assert_eq!(bytes, example().to_bytes().unwrap());
        let file = TensorFile::from_bytes(&bytes).unwrap();
        assert_eq!(file.text("name").unwrap(), "a \"quoted\" one");
        let (shape, values) = file.need::<f64>("b").unwrap();
        assert_eq!(shape, [2, 2]);
        assert!(values[1].is_nan());
        assert_eq!(values[3].to_bits(), 1e-300_f64.to_bits());
        assert_eq!(file.need::<u8>("a").unwrap().1, [1, 2, 255]);
        assert!(file.need::<f32>("a").is_err());
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_are_found() {
        let bytes = example().to_bytes().unwrap();
        for n in 0..bytes.len() {
            assert!(TensorFile::from_bytes(&bytes[..n]).is_err(), "{n} bytes");
        }
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[i] ^= 1 << bit;
                assert!(TensorFile::from_bytes(&flipped).is_err(), "byte {i}");
            }
        }
    }
}
