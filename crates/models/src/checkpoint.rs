//! Weights on disk: safetensors with PyTorch's names and shapes, so that they load into an `nn.Module`.
//!
//! One file holds parameters and running statistics. Its metadata carries the network's configuration, whatever the
//! caller adds (the fingerprint of a protocol, say) and a SHA-256 of all that and of every tensor (`seal.rs`). Files
//! are written beside their place and renamed, so a reader never sees half of one; they are the same bytes for the same
//! values. Files of other software, without our metadata or without its digest, load as well if names and shapes fit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use serde_json::{Value, json};

use crate::seal::{Tensor, digest, looks_like, old_digest, tensors_of};
use crate::{Architecture, Layout, ModelError, NetworkConfig, Params, Real};

/// Prefix of the metadata that this module writes.
const OURS: &str = "metastable.";
const FORMAT_KEY: &str = "metastable.format";
const NETWORK_KEY: &str = "metastable.network";
const DIGEST_KEY: &str = "metastable.sha256";
/// Changes when an old reader would misread a new file.
const FORMAT: &str = "2";
/// The format whose digest left out names, types, shapes and offsets.
const OLD_FORMAT: &str = "1";
/// PyTorch counts batches in its norms; the count has no part in any output.
const IGNORED_SUFFIX: &str = ".num_batches_tracked";

/// A checkpoint that was read and whose digest, if it has one, is right.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    origin: String,
    bytes: Vec<u8>,
    config: Option<NetworkConfig>,
    is_sealed: bool,
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
            4 => (Dtype::F32, 4),
            _ => (Dtype::F64, 8),
        };
        let mut data = Vec::with_capacity(size * (params.values().len() + buffers.values().len()));
        let mut header = BTreeMap::new();
        let mut places = BTreeMap::new();
        for part in [params, buffers] {
            let base = data.len();
            for entry in part.layout().entries() {
                let start = base + size * entry.offset;
                let end = start + size * entry.len();
                places.insert(entry.name.as_str(), (entry.shape.clone(), start..end));
                let info = json!({
                    "data_offsets": [start, end],
                    "dtype": dtype.to_string(),
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
        let tensors = places.into_iter().map(|(name, (shape, place))| Tensor {
            name,
            dtype,
            shape,
            bytes: &data[place],
        });
        metadata.insert(DIGEST_KEY.to_owned(), digest(&metadata, tensors));
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
        let data = &bytes[8 + header_len..];
        let mut metadata: BTreeMap<String, String> =
            header.metadata().clone().into_iter().flatten().collect();
        let stated = metadata.remove(DIGEST_KEY);
        let format = metadata.get(FORMAT_KEY).cloned();
        let is_old = format.as_deref() == Some(OLD_FORMAT);
        if let Some(stated) = &stated {
            let found = if is_old {
                old_digest(&metadata, data)
            } else {
                let file =
                    SafeTensors::deserialize(&bytes).map_err(|error| refuse(error.to_string()))?;
                digest(&metadata, tensors_of(&file))
            };
            if found != *stated {
                return Err(refuse(format!(
                    "its sha256 is {found} where its header says {stated}; the file is damaged, fetch or make it anew"
                )));
            }
        } else if let Some(key) = metadata.keys().find(|key| looks_like(key, DIGEST_KEY)) {
            return Err(refuse(format!(
                "it has {key} but no {DIGEST_KEY}; the header is damaged, fetch or make the file anew"
            )));
        }
        metadata.remove(FORMAT_KEY);
        let network = metadata.remove(NETWORK_KEY);
        if let Some(key) = metadata.keys().find(|key| key.starts_with(OURS)) {
            return Err(refuse(format!(
                "it has {key}, which no version of this program writes; the header is damaged"
            )));
        }
        let is_known = |format: &str| [FORMAT, OLD_FORMAT].contains(&format);
        if let Some(format) = format.filter(|format| !is_known(format)) {
            return Err(refuse(format!(
                "format {format}, where this program reads {OLD_FORMAT} and {FORMAT}"
            )));
        }
        let config = network
            .map(|text| read_network(&text, data.len()))
            .transpose()
            .map_err(refuse)?;
        if stated.is_some() {
            let Some(config) = &config else {
                return Err(refuse(format!(
                    "it has {DIGEST_KEY} but no {NETWORK_KEY}; the header is damaged"
                )));
            };
            if is_old {
                expect_places(config, &header).map_err(refuse)?;
            }
        }
        Ok(Self {
            origin: origin.to_owned(),
            bytes,
            config,
            is_sealed: stated.is_some(),
            metadata,
        })
    }

    /// Whether the file has a digest, which then was right. One that was saved by other software has none.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.is_sealed
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
        // First that everything is there: then the file itself bounds what is allocated.
        for entry in layout.entries() {
            let name = &entry.name;
            let tensor = self.find(tensors, name)?;
            if tensor.shape() != entry.shape {
                return Err(self.refuse(format!(
                    "tensor {name} has shape {:?} where the network has {:?}",
                    tensor.shape(),
                    entry.shape
                )));
            }
        }
        let mut params = Params::zeros(layout);
        for entry in layout.entries() {
            let name = &entry.name;
            let tensor = self.find(tensors, name)?;
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

    fn find<'t>(
        &self,
        tensors: &SafeTensors<'t>,
        name: &str,
    ) -> Result<TensorView<'t>, ModelError> {
        tensors
            .tensor(name)
            .map_err(|_| self.refuse(format!("tensor {name} is missing")))
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

/// The network of the metadata, which is a stranger's word: it has to fit into the file's own `n_bytes` of tensors.
fn read_network(text: &str, n_bytes: usize) -> Result<NetworkConfig, String> {
    let config: NetworkConfig = serde_json::from_str(text)
        .map_err(|error| format!("network {text:?} in its metadata: {error}"))?;
    config.validate().map_err(|error| error.to_string())?;
    let n_stored = config.n_stored().map_err(|error| error.to_string())?;
    // At least four bytes each.
    if n_stored > n_bytes / 4 {
        return Err(format!(
            "the network in its metadata stores {n_stored} values, and the file has {n_bytes} bytes of them; \
             the file is damaged or forged"
        ));
    }
    Ok(config)
}

/// That the tensors lie where this program laid them. Under the old digest, which covers the configuration and the bytes
/// end to end, this settles names, shapes, types and offsets as well.
fn expect_places(config: &NetworkConfig, header: &Metadata) -> Result<(), String> {
    let architecture = Architecture::new(config).map_err(|error| error.to_string())?;
    let parts = [architecture.layout(), architecture.buffers()];
    let entries = || parts.iter().flat_map(|layout| layout.entries());
    let infos = header.tensors();
    let kind = infos.values().next().map(|info| info.dtype);
    let mut end = 0;
    for entry in entries() {
        let size = if kind == Some(Dtype::F64) { 8 } else { 4 };
        let place = (end, end + size * entry.len());
        let is_there = infos.get(&entry.name).is_some_and(|info| {
            info.shape == entry.shape && Some(info.dtype) == kind && info.data_offsets == place
        });
        if !is_there {
            return Err(format!(
                "tensor {} is not where format {OLD_FORMAT} puts it; the file is damaged, fetch or make it anew",
                entry.name
            ));
        }
        end = place.1;
    }
    if infos.len() == entries().count() {
        Ok(())
    } else {
        Err(String::from(
            "it has more tensors than its network; the file is damaged, fetch or make it anew",
        ))
    }
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
