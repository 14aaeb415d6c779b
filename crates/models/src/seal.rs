//! The digest of a checkpoint: of its metadata and of every tensor, wherever in the file the tensor lies.
//!
//! `SHA-256(metadata, then for every tensor in order of names: name, type, rank, lengths, bytes)`. Texts and bytes are
//! preceded by their length in eight bytes, numbers are eight bytes, all little-endian, so that no two files with
//! different content give the same input.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

/// One tensor of a file.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<'f> {
    pub(crate) name: &'f str,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: &'f [u8],
}

/// The digest; `metadata` is without it, `tensors` are in order of their names.
pub(crate) fn digest<'f>(
    metadata: &BTreeMap<String, String>,
    tensors: impl IntoIterator<Item = Tensor<'f>>,
) -> String {
    let mut hasher = Sha256::new();
    add_metadata(&mut hasher, metadata);
    for tensor in tensors {
        add(&mut hasher, tensor.name.as_bytes());
        add(&mut hasher, tensor.dtype.to_string().as_bytes());
        hasher.update((tensor.shape.len() as u64).to_le_bytes());
        for length in tensor.shape {
            hasher.update((length as u64).to_le_bytes());
        }
        add(&mut hasher, tensor.bytes);
    }
    hex(hasher)
}

/// The digest of format 1: the metadata and the bytes end to end, without names, types, shapes and offsets.
pub(crate) fn old_digest(metadata: &BTreeMap<String, String>, data: &[u8]) -> String {
    let mut hasher = Sha256::new();
    add_metadata(&mut hasher, metadata);
    hasher.update(data);
    hex(hasher)
}

/// The tensors of a file, in order of their names.
pub(crate) fn tensors_of<'f>(file: &'f SafeTensors<'f>) -> Vec<Tensor<'f>> {
    let mut tensors: Vec<Tensor<'f>> = file
        .iter()
        .map(|(name, view)| Tensor {
            name,
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data(),
        })
        .collect();
    tensors.sort_unstable_by_key(|tensor| tensor.name);
    tensors
}

/// Whether a key is another that was damaged: as long, and all but two bytes alike.
pub(crate) fn looks_like(key: &str, other: &str) -> bool {
    let differing = key.bytes().zip(other.bytes()).filter(|(a, b)| a != b);
    key.len() == other.len() && differing.count() <= 2
}

fn add_metadata(hasher: &mut Sha256, metadata: &BTreeMap<String, String>) {
    for text in metadata.iter().flat_map(|(key, value)| [key, value]) {
        add(hasher, text.as_bytes());
    }
}

/// With its length first: no two sequences give the same bytes.
fn add(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn hex(hasher: Sha256) -> String {
    let hash = hasher.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
