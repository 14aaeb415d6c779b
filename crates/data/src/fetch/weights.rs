//! Trained weights: safetensors from the hub, a folder or a mirror, checked before they get their name.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hf_hub::RepoType;

use super::dataset::{MAX_HUB_FILE, check_sha256, copy, download_and_check};
use super::hub::{Hub, HubFile};
use super::shipped::{SHIPPED, Shipped};
use super::transfer::Request;
use super::{
    Event, FetchError, FetchedFile, How, Options, Progress, Proof, Source, WeightsEntry,
    WeightsManifest, hash, part,
};
use crate::archive;

/// Brings weights with a list of the caller's own; see [`super::weights`].
///
/// # Errors
/// As [`super::weights`].
pub fn weights_of(
    list: &WeightsManifest,
    spec: &str,
    options: &Options,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    let folder = options.data_dir.join("weights");
    if let Some((entry, shipped)) = shipped(list, spec) {
        return copy_out(shipped, &entry.sha256, &folder, progress);
    }
    let wanted = Wanted::parse(list, spec)?;
    let target = folder.join(&wanted.repo).join(&wanted.path);
    if let (Some(expected), true) = (&wanted.sha256, target.is_file())
        && check_sha256(spec, &target, Some(expected)).is_ok()
    {
        return describe(spec, &target, How::Present, true);
    }
    let _lock = part::Lock::acquire(&folder, "weights", progress)?;
    part::create_folder_of(&target)?;
    let how = match &options.source {
        Source::Auto => from_hub(&wanted, spec, &target, options, progress)?,
        Source::Hub(_) => {
            let problem =
                "weights name their repository themselves: `hf:owner/repo/file`".to_owned();
            return Err(FetchError::NotThere {
                file: spec.to_owned(),
                source_name: problem,
            });
        }
        Source::Folder(from) => from_folder(&wanted, spec, from, &target)?,
        Source::Mirror(prefix) => {
            let url = format!("{prefix}/{}/{}", wanted.repo, wanted.path);
            let request = Request {
                file: spec,
                url: &url,
                bytes: None,
                max_bytes: MAX_HUB_FILE,
                hash_known: wanted.sha256.is_some(),
                token: None,
            };
            from_url(&wanted, &request, None, &target, options, progress)?
        }
    };
    progress.event(&Event::Done { file: spec });
    describe(spec, &target, how, wanted.sha256.is_some())
}

/// The weights of a name that come with the program.
fn shipped<'l>(
    list: &'l WeightsManifest,
    spec: &str,
) -> Option<(&'l WeightsEntry, &'static Shipped)> {
    let entry = list.weights.iter().find(|entry| entry.name == spec)?;
    let shipped = SHIPPED.iter().find(|it| it.name == spec)?;
    entry.hub.is_none().then_some((entry, shipped))
}

/// Puts weights that come with the program, and their card, into the folder.
fn copy_out(
    shipped: &Shipped,
    sha256: &str,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    let (spec, target) = (
        shipped.name,
        folder.join(format!("{}.safetensors", shipped.name)),
    );
    let _lock = part::Lock::acquire(folder, "weights", progress)?;
    place(
        &folder.join(format!("{spec}.toml")),
        shipped.card.as_bytes(),
        |_| Ok(()),
    )?;
    if target.is_file() && check_sha256(spec, &target, Some(sha256)).is_ok() {
        return describe(spec, &target, How::Present, true);
    }
    place(&target, shipped.weights, |part| {
        check_sha256(spec, part, Some(sha256))?;
        check_safetensors(spec, part)
    })?;
    progress.event(&Event::Done { file: spec });
    describe(spec, &target, How::Shipped, true)
}

/// Writes a file, which gets its name once `check` has seen it.
fn place(
    target: &Path,
    bytes: &[u8],
    check: impl FnOnce(&Path) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
    part::create_folder_of(target)?;
    let part = part::path(target);
    part::discard(&part)?;
    std::fs::write(&part, bytes).map_err(FetchError::io("write", &part))?;
    if let Err(error) = check(&part) {
        part::discard(&part)?;
        return Err(error);
    }
    part::promote(&part, target)
}

/// What a request for weights asks for.
struct Wanted {
    /// `owner/repo`.
    repo: String,
    /// Path of the file in it.
    path: String,
    /// Its hash, where the manifest lists it.
    sha256: Option<String>,
}

impl Wanted {
    /// `NAME`, or `hf:owner/repo/path/to/file`.
    fn parse(list: &WeightsManifest, spec: &str) -> Result<Self, FetchError> {
        let unknown = || {
            let mut known: Vec<&str> = list
                .weights
                .iter()
                .map(|entry| entry.name.as_str())
                .collect();
            known.push("hf:owner/repo/file.safetensors");
            FetchError::UnknownName {
                kind: "weights",
                name: spec.to_owned(),
                known: known.join(", "),
            }
        };
        let named = list.weights.iter().find(|entry| entry.name == spec);
        let address = match named {
            Some(entry) => entry.hub.as_deref().ok_or_else(unknown)?,
            None => spec.strip_prefix("hf:").ok_or_else(unknown)?,
        };
        // A file that is listed keeps its hash however it is asked for.
        let listed = named.or_else(|| {
            list.weights
                .iter()
                .find(|entry| entry.hub.as_deref() == Some(address))
        });
        let mut parts = address.splitn(3, '/');
        let (Some(owner), Some(repo), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(unknown());
        };
        for name in [owner, repo, path] {
            archive::check_name(name).map_err(|source| FetchError::Archive {
                file: spec.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            repo: format!("{owner}/{repo}"),
            path: path.to_owned(),
            sha256: listed.map(|entry| entry.sha256.clone()),
        })
    }

    fn check(&self, spec: &str, path: &Path, hub_sha256: Option<&str>) -> Result<(), FetchError> {
        check_sha256(spec, path, self.sha256.as_deref())?;
        check_sha256(spec, path, hub_sha256)?;
        check_safetensors(spec, path)
    }
}

fn from_hub(
    wanted: &Wanted,
    spec: &str,
    target: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<How, FetchError> {
    let hub = Hub::open(options)?;
    let listing = hub.list(&wanted.repo, RepoType::Model, options, progress)?;
    let Some(file) = listing.files.iter().find(|file| file.path == wanted.path) else {
        return Err(FetchError::UnknownName {
            kind: "file in that repository",
            name: wanted.path.clone(),
            known: safetensors_in(&listing.files),
        });
    };
    let is_here =
        |sha256: &str| target.is_file() && wanted.check(spec, target, Some(sha256)).is_ok();
    if file.sha256.as_deref().is_some_and(is_here) {
        return Ok(How::Present);
    }
    let url = hub.url(&listing, &file.path);
    let request = Request {
        file: spec,
        url: &url,
        bytes: file.bytes,
        max_bytes: MAX_HUB_FILE,
        hash_known: file.sha256.is_some() || wanted.sha256.is_some(),
        token: hub.token.as_deref(),
    };
    from_url(
        wanted,
        &request,
        file.sha256.as_deref(),
        target,
        options,
        progress,
    )
}

fn safetensors_in(files: &[HubFile]) -> String {
    let names: Vec<&str> = files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| path.ends_with(".safetensors"))
        .collect();
    if names.is_empty() {
        "no safetensors file".to_owned()
    } else {
        names.join(", ")
    }
}

fn from_url(
    wanted: &Wanted,
    request: &Request<'_>,
    hub_sha256: Option<&str>,
    target: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<How, FetchError> {
    let part = part::path(target);
    let (resumed_from, ()) = download_and_check(request, &part, options, progress, |part| {
        wanted.check(request.file, part, hub_sha256)
    })?;
    part::promote(&part, target)?;
    Ok(How::Downloaded {
        url: request.url.to_owned(),
        resumed_from,
    })
}

/// From `folder/owner/repo/path`, or `folder` and the last part of the path.
fn from_folder(
    wanted: &Wanted,
    spec: &str,
    folder: &Path,
    target: &Path,
) -> Result<How, FetchError> {
    let last_part = Path::new(&wanted.path)
        .file_name()
        .map(PathBuf::from)
        .unwrap_or_default();
    let candidates = [
        folder.join(&wanted.repo).join(&wanted.path),
        folder.join(last_part),
    ];
    let Some(found) = candidates.into_iter().find(|path| path.is_file()) else {
        let source_name = folder.display().to_string();
        return Err(FetchError::NotThere {
            file: wanted.path.clone(),
            source_name,
        });
    };
    let part = part::path(target);
    part::discard(&part)?;
    copy(&found, &part)?;
    if let Err(error) = wanted.check(spec, &part, None) {
        part::discard(&part)?;
        return Err(error);
    }
    part::promote(&part, target)?;
    Ok(How::Copied { from: found })
}

fn describe(spec: &str, path: &Path, how: How, is_listed: bool) -> Result<FetchedFile, FetchError> {
    let hashes = hash::of_file(path)?;
    let proof = if is_listed {
        Proof::Sha256(hashes.sha256.clone())
    } else {
        Proof::Unlisted
    };
    Ok(FetchedFile {
        name: spec.to_owned(),
        path: path.to_owned(),
        bytes: hashes.bytes,
        sha256: hashes.sha256,
        how,
        proof,
    })
}

/// Refuses what is not safetensors: the header must parse, its tensors must lie end to end, and their bytes must fill
/// the file exactly. Only the header is read, so the size of the weights does not matter.
///
/// # Errors
/// [`FetchError::NotSafetensors`].
pub fn check_safetensors(file: &str, path: &Path) -> Result<(), FetchError> {
    const MAX_HEADER: u64 = 100_000_000;
    let refuse = |problem: String| FetchError::NotSafetensors {
        file: file.to_owned(),
        problem,
    };
    let mut reader = File::open(path).map_err(FetchError::io("open", path))?;
    let n_bytes = reader
        .metadata()
        .map_err(FetchError::io("read", path))?
        .len();
    let mut prefix = [0_u8; 8];
    reader
        .read_exact(&mut prefix)
        .map_err(|_| refuse(format!("it has only {n_bytes} bytes")))?;
    let n_header = u64::from_le_bytes(prefix);
    if n_header > MAX_HEADER || n_header + 8 > n_bytes {
        return Err(refuse(format!(
            "its first 8 bytes promise a header of {n_header} bytes in a file of {n_bytes}"
        )));
    }
    let mut header = Vec::new();
    reader
        .take(n_header)
        .read_to_end(&mut header)
        .map_err(FetchError::io("read", path))?;
    // Reading the metadata checks that the tensors lie end to end and have the sizes of their shapes.
    let metadata: safetensors::tensor::Metadata =
        serde_json::from_slice(&header).map_err(|error| refuse(error.to_string()))?;
    let promised = metadata.data_len() as u64 + n_header + 8;
    if promised == n_bytes {
        Ok(())
    } else {
        Err(refuse(format!(
            "its header describes a file of {promised} bytes, but it has {n_bytes}"
        )))
    }
}
