//! What a guest has learnt, as it wrote it itself: `best.safetensors` and `last.safetensors` of its run.

use std::path::Path;

use anyhow::Result;

use crate::run::Record;
use crate::run::tensors::TensorFile;

/// Name of the bytes that the guest wrote.
const STATE: &str = "guest.state";

/// A state of a guest; without bytes for one that learns nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Saved {
    /// Steps made.
    pub(crate) step: usize,
    /// On the validation episodes; 0 for one that was not validated.
    pub(crate) accuracy: f64,
    /// What it wrote.
    pub(crate) bytes: Vec<u8>,
}

/// Writes it, with what is needed to ask it again.
pub(super) fn write(path: &Path, record: &Record, saved: &Saved) -> Result<()> {
    let mut file = TensorFile::default();
    let mut note = |key: &str, value: String| file.metadata.insert(key.to_owned(), value);
    note("config", serde_json::to_string(&record.config)?);
    note("identity", record.identity.clone());
    note(
        "fingerprint",
        serde_json::to_string(&record.fingerprint()?)?,
    );
    note("step", saved.step.to_string());
    file.push(STATE, &[saved.bytes.len()], &saved.bytes);
    file.write(path)
}

/// The bytes that [`write()`] wrote.
pub(crate) fn read(file: &TensorFile) -> Result<Vec<u8>> {
    Ok(file.need::<u8>(STATE)?.1)
}
