//! Weights on disk: safetensors with PyTorch's names and shapes, so that they load into an `nn.Module`.
//!
//! One file holds parameters and running statistics. Its metadata carries the network's configuration, whatever the
//! caller adds (the fingerprint of a protocol, say) and a SHA-256 of all that and of the tensors' bytes. Files are
//! written beside their place and renamed, so a reader never sees half of one; they are the same bytes for the same
//! values. Files of other software, without our metadata, load as well if names and shapes fit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Architecture, Layout, ModelError, NetworkConfig, Params, Real};

/// Prefix of the metadata that this module writes.
const OURS: &str = "metastable.";
const FORMAT_KEY: &str = "metastable.format";
const NETWORK_KEY: &str = "metastable.network";
const DIGEST_KEY: &str = "metastable.sha256";
/// Changes when an old reader would misread a new file.
const FORMAT: &str = "1";
/// PyTorch counts batches in its norms; the count has no part in any output.
const IGNORED_SUFFIX: &str = ".num_batches_tracked";

/// A checkpoint that was read and whose digest, if it has one, is right.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    origin: String,
    bytes: Vec<u8>,
    config: Option<NetworkConfig>,
    metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Writes weights to `path`, replacing what was there at once or not at all.
    ///
    /// `metadata`: anything to keep with the weights; keys that begin with `metastable.` are taken.
    ///
    /// # Errors
    /// [`ModelError::Io`] of the file system, [`ModelError::Length`] if weights and architecture differ,
    /// [`ModelError::Config`] for a key that is taken.
    pub fn save<T: Real>(
        path: &Path,
        architecture: &Architecture,
        params: &Params<T>,
        buffers: &Params<T>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), ModelError> {
        let bytes = Self::to_bytes(architecture, params, buffers, metadata)?;
        write_atomically(path, &bytes).map_err(|source| ModelError::Io {
            path: path.display().to_string(),
            source,
        })
    }

    /// The bytes that [`Checkpoint::save`] writes.
    ///
    /// # Errors
    /// As there, but for the file system's.
    pub fn to_bytes<T: Real>(
        architecture: &Architecture,
        params: &Params<T>,
        buffers: &Params<T>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, ModelError> {
        expect_length("params", architecture.layout(), params)?;
        expect_length("buffers", architecture.buffers(), buffers)?;
        if let Some(key) = metadata.keys().find(|key| key.starts_with(OURS)) {
            return Err(ModelError::Config {
                what: "checkpoint metadata",
                got: key.clone(),
                advice: format!("keys that begin with {OURS} are written by the checkpoint itself"),
            });
        }
        let (dtype, size) = match size_of::<T>() {
            4 => ("F32", 4),
            _ => ("F64", 8),
        };
        let mut data = Vec::with_capacity(size * (params.values().len() + buffers.values().len()));
        let mut header = BTreeMap::new();
        for part in [params, buffers] {
            let base = data.len();
            for entry in part.layout().entries() {
                let start = base + size * entry.offset;
                let info = json!({
                    "data_offsets": [start, start + size * entry.len()],
                    "dtype": dtype,
                    "shape": entry.shape,
                });
                header.insert(entry.name.clone(), info);
            }
            for value in part.values() {
                match size {
                    // Exact: the value is an f32.
                    4 => data.extend((value.wide() as f32).to_le_bytes()),
                    _ => data.extend(value.wide().to_le_bytes()),
                }
            }
        }
        let mut metadata = metadata.clone();
        metadata.insert(FORMAT_KEY.to_owned(), FORMAT.to_owned());
        metadata.insert(NETWORK_KEY.to_owned(), config_json(architecture.config()));
        metadata.insert(DIGEST_KEY.to_owned(), digest(&metadata, &data));
        header.insert("__metadata__".to_owned(), json!(metadata));
        let header: Value = header.into_iter().collect::<serde_json::Map<_, _>>().into();
        let mut header = header.to_string().into_bytes();
        // The format asks for alignment and allows spaces.
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(data);
        Ok(bytes)
    }

    /// Reads a checkpoint and verifies it.
    ///
    /// # Errors
    /// [`ModelError::Io`] if it cannot be read, [`ModelError::Checkpoint`] if it is not a whole safetensors file or its
    /// digest is wrong.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let origin = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => Self::from_bytes(bytes, &origin),
            Err(source) => Err(ModelError::Io {
                path: origin,
                source,
            }),
        }
    }

    /// A checkpoint from bytes; `origin` names it in errors.
    ///
    /// # Errors
    /// [`ModelError::Checkpoint`] as for [`Checkpoint::open`].
    pub fn from_bytes(bytes: Vec<u8>, origin: &str) -> Result<Self, ModelError> {
        let refuse = |reason: String| ModelError::Checkpoint {
            path: origin.to_owned(),
            reason,
        };
        let (header_len, header) = SafeTensors::read_metadata(&bytes).map_err(|error| {
            refuse(format!(
                "not a whole safetensors file ({error}); it may be cut short or damaged"
            ))
        })?;
        let mut metadata: BTreeMap<String, String> =
            header.metadata().clone().into_iter().flatten().collect();
        let mut config = None;
        if let Some(stated) = metadata.remove(DIGEST_KEY) {
            let found = digest(&metadata, &bytes[8 + header_len..]);
            if found != stated {
                return Err(refuse(format!(
                    "its sha256 is {found} where its header says {stated}; the file is damaged, fetch or make it anew"
                )));
            }
            let format = metadata.remove(FORMAT_KEY).unwrap_or_default();
            if format != FORMAT {
                return Err(refuse(format!(
                    "format {format}, where this program reads {FORMAT}"
                )));
            }
            let text = metadata.remove(NETWORK_KEY).unwrap_or_default();
            let network: NetworkConfig = serde_json::from_str(&text)
                .map_err(|error| refuse(format!("network {text:?} in its metadata: {error}")))?;
            config = Some(network);
        } else if let Some(key) = metadata.keys().find(|key| key.starts_with(OURS)) {
            return Err(refuse(format!(
                "it has {key} but no {DIGEST_KEY}; the header is damaged"
            )));
        }
        Ok(Self {
            origin: origin.to_owned(),
            bytes,
            config,
            metadata,
        })
    }

    /// The network that was saved; absent in files of other software.
    #[must_use]
    pub fn config(&self) -> Option<&NetworkConfig> {
        self.config.as_ref()
    }

    /// What the saver added.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Parameters and running statistics for a network, in the precision asked for.
    ///
    /// Every tensor of the network has to be there in its shape, and no other; PyTorch's `num_batches_tracked` is passed
    /// over.
    ///
    /// # Errors
    /// [`ModelError::Checkpoint`] naming the first tensor that is missing, superfluous or of another shape or type.
    pub fn load<T: Real>(
        &self,
        architecture: &Architecture,
    ) -> Result<(Params<T>, Params<T>), ModelError> {
        let tensors = SafeTensors::deserialize(&self.bytes)
            .map_err(|error| self.refuse(error.to_string()))?;
        let parts = [architecture.layout(), architecture.buffers()];
        let mut names = tensors.names();
        names.sort_unstable();
        let superfluous = names.into_iter().find(|name| {
            parts.iter().all(|layout| layout.find(name).is_none())
                && !name.ends_with(IGNORED_SUFFIX)
        });
        let [params, buffers] = parts.map(|layout| self.read_part(&tensors, layout));
        let loaded = (params?, buffers?);
        match superfluous {
            Some(name) => Err(self.refuse(format!(
                "tensor {name} is not part of the network {}",
                config_json(architecture.config())
            ))),
            None => Ok(loaded),
        }
    }

    fn read_part<T: Real>(
        &self,
        tensors: &SafeTensors<'_>,
        layout: &std::sync::Arc<Layout>,
    ) -> Result<Params<T>, ModelError> {
        let mut params = Params::zeros(layout);
        for entry in layout.entries() {
            let name = &entry.name;
            let tensor = tensors
                .tensor(name)
                .map_err(|_| self.refuse(format!("tensor {name} is missing")))?;
            if tensor.shape() != entry.shape {
                return Err(self.refuse(format!(
                    "tensor {name} has shape {:?} where the network has {:?}",
                    tensor.shape(),
                    entry.shape
                )));
            }
            let values = &mut params.values_mut()[entry.offset..][..entry.len()];
            match tensor.dtype() {
                Dtype::F32 => {
                    let (chunks, _) = tensor.data().as_chunks();
                    for (value, bytes) in values.iter_mut().zip(chunks) {
                        *value = T::of(f64::from(f32::from_le_bytes(*bytes)));
                    }
                }
                Dtype::F64 => {
                    let (chunks, _) = tensor.data().as_chunks();
                    for (value, bytes) in values.iter_mut().zip(chunks) {
                        *value = T::of(f64::from_le_bytes(*bytes));
                    }
                }
                other => {
                    return Err(self.refuse(format!(
                        "tensor {name} is of type {other:?}; convert it to F32 or F64"
                    )));
                }
            }
        }
        Ok(params)
    }

    fn refuse(&self, reason: String) -> ModelError {
        ModelError::Checkpoint {
            path: self.origin.clone(),
            reason,
        }
    }
}

/// The configuration as it stands in the metadata.
fn config_json(config: &NetworkConfig) -> String {
    json!(config).to_string()
}

/// SHA-256 of the metadata (but for the digest itself) and of the tensors' bytes.
fn digest(metadata: &BTreeMap<String, String>, data: &[u8]) -> String {
    let mut hasher = Sha256::new();
    for text in metadata.iter().flat_map(|(key, value)| [key, value]) {
        // Lengths first: no two maps give the same bytes.
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.update(data);
    let hash = hasher.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expect_length<T: Real>(
    what: &'static str,
    layout: &Layout,
    params: &Params<T>,
) -> Result<(), ModelError> {
    if params.layout().as_ref() == layout {
        return Ok(());
    }
    Err(ModelError::Length {
        what,
        expected: layout.n_values(),
        got: params.values().len(),
    })
}

/// Writes beside the target, waits until the bytes are on the disk, and renames.
fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The process number keeps two writers of the same file out of each other's way.
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, path)?;
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            // The rename itself is an entry of the folder, and has to reach the disk too.
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().inspect_err(|_| {
        // The error being reported is the one that matters; a left-over is harmless.
        let _ = fs::remove_file(&beside);
    })
}
