//! A data set: which of its files are here, and the sources for those that are not.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::rebuild::from_hub;
use super::transfer::{self, Request};
use super::{
    Event, FetchError, Fetched, FetchedFile, FileEntry, How, Manifest, Options, Progress, Proof,
    Source, content, hash, part,
};

/// Largest file that is taken from a hub which does not tell sizes.
pub(crate) const MAX_HUB_FILE: u64 = 16 << 30;

/// Brings a data set with a manifest of the caller's own; see [`super::dataset`].
///
/// # Errors
/// As [`super::dataset`].
pub fn dataset_of(
    manifest: &Manifest,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Fetched, FetchError> {
    let dir = options.data_dir.join(&manifest.name);
    // Without the lock first: a complete data set may lie in a folder that cannot be written.
    let mut files = present(manifest, &dir);
    let mut fetched = Fetched {
        name: manifest.name.clone(),
        dir,
        files: Vec::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    };
    if files.iter().any(Option::is_none) {
        let needs_required = missing(manifest, &files).any(|entry| !entry.optional);
        match part::Lock::acquire(&fetched.dir, &manifest.name, progress) {
            Ok(lock) => {
                files = present(manifest, &fetched.dir);
                fetch_missing(manifest, &mut files, &mut fetched, options, progress)?;
                drop(lock);
            }
            // Nothing that matters is missing: not being able to write is no reason to fail.
            Err(error) if !needs_required => {
                let why = error.to_string();
                fetched.skipped = missing(manifest, &files)
                    .map(|entry| (entry.name.clone(), why.clone()))
                    .collect();
            }
            Err(error) => return Err(error),
        }
    }
    fetched.files = files.into_iter().flatten().collect();
    Ok(fetched)
}

/// The files that are in place and proven, in the manifest's order.
fn present(manifest: &Manifest, dir: &Path) -> Vec<Option<FetchedFile>> {
    let check = |entry: &FileEntry| {
        let path = dir.join(&entry.name);
        let proof = path.is_file().then(|| prove(entry, &path, true))?.ok()?;
        describe(entry, &path, How::Present, proof).ok()
    };
    manifest.files.iter().map(check).collect()
}

pub(crate) fn missing<'a>(
    manifest: &'a Manifest,
    files: &'a [Option<FetchedFile>],
) -> impl Iterator<Item = &'a FileEntry> {
    manifest
        .files
        .iter()
        .zip(files)
        .filter(|(_, file)| file.is_none())
        .map(|(entry, _)| entry)
}

fn fetch_missing(
    manifest: &Manifest,
    files: &mut [Option<FetchedFile>],
    fetched: &mut Fetched,
    options: &Options,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let mut causes = Vec::new();
    for (entry, file) in manifest.files.iter().zip(files.iter_mut()) {
        if file.is_some() {
            continue;
        }
        let target = fetched.dir.join(&entry.name);
        match fetch_one(entry, &manifest.name, &target, options, progress) {
            Ok(done) => *file = Some(done),
            Err(error) if entry.optional => fetched
                .skipped
                .push((entry.name.clone(), error.to_string())),
            // A full disk or a refused write would fail the same way with any other source.
            Err(error @ (FetchError::DiskFull { .. } | FetchError::Io { .. })) => {
                return Err(error);
            }
            Err(error) if options.source == Source::Auto => causes.push(error.to_string()),
            Err(error) if matches!(options.source, Source::Hub(_)) => {
                causes.push(error.to_string())
            }
            Err(error) => return Err(error),
        }
    }
    if !missing(manifest, files).any(|entry| !entry.optional) {
        return Ok(());
    }
    let repos: Vec<&str> = match &options.source {
        Source::Auto => manifest.hub.iter().map(String::as_str).collect(),
        Source::Hub(repo) => {
            causes.clear();
            vec![repo]
        }
        Source::Folder(_) | Source::Mirror(_) => Vec::new(),
    };
    for repo in repos {
        if let Some(cause) = causes.last() {
            progress.event(&Event::NextSource {
                file: &manifest.name,
                cause,
            });
        }
        match from_hub(manifest, repo, files, fetched, options, progress) {
            Ok(()) => return Ok(()),
            Err(error @ (FetchError::DiskFull { .. } | FetchError::Io { .. })) => {
                return Err(error);
            }
            Err(error) if options.source == Source::Auto => causes.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Err(FetchError::AllSources {
        name: manifest.name.clone(),
        causes,
    })
}

/// One file from the source that the options name.
fn fetch_one(
    entry: &FileEntry,
    set_name: &str,
    target: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    part::create_folder_of(target)?;
    match &options.source {
        Source::Auto => {
            let mut last = None;
            for url in [&entry.url].into_iter().chain(&entry.mirrors) {
                if let Some(FetchError::DiskFull { .. } | FetchError::Io { .. }) = last {
                    break;
                }
                if let Some(cause) = &last {
                    progress.event(&Event::NextSource {
                        file: &entry.name,
                        cause: &cause.to_string(),
                    });
                }
                match from_url(entry, url, true, target, options, progress) {
                    Ok(file) => return Ok(file),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or_else(|| not_there(entry, "the manifest")))
        }
        Source::Mirror(prefix) => from_url(
            entry,
            &format!("{prefix}/{}", entry.name),
            false,
            target,
            options,
            progress,
        ),
        Source::Folder(folder) => from_folder(entry, set_name, folder, target, progress),
        // The hub gives whole data sets, not single files.
        Source::Hub(repo) => Err(not_there(entry, repo)),
    }
}

pub(crate) fn not_there(entry: &FileEntry, source_name: &str) -> FetchError {
    FetchError::NotThere {
        file: entry.name.clone(),
        source_name: source_name.to_owned(),
    }
}

/// Downloads and proves; a resumed part that proves wrong may be a mixture, so it gets one fresh start.
fn from_url(
    entry: &FileEntry,
    url: &str,
    is_origin: bool,
    target: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    let part = part::path(target);
    let request = Request {
        file: &entry.name,
        url,
        bytes: is_origin.then_some(entry.bytes),
        max_bytes: entry.bytes.saturating_mul(4).saturating_add(1 << 20),
        hash_known: true,
        token: None,
    };
    let (resumed_from, proof) = download_and_check(&request, &part, options, progress, |part| {
        prove(entry, part, !is_origin)
    })?;
    part::promote(&part, target)?;
    progress.event(&Event::Done { file: &entry.name });
    describe(
        entry,
        target,
        How::Downloaded {
            url: url.to_owned(),
            resumed_from,
        },
        proof,
    )
}

/// A transfer and the check of what came; a wrong part is removed, and fetched once more if it had been resumed.
pub(crate) fn download_and_check<T>(
    request: &Request<'_>,
    part: &Path,
    options: &Options,
    progress: &dyn Progress,
    check: impl Fn(&Path) -> Result<T, FetchError>,
) -> Result<(u64, T), FetchError> {
    let mut is_second = false;
    loop {
        let resumed_from = transfer::download(request, part, options, progress)?;
        progress.event(&Event::Verify { file: request.file });
        match check(part) {
            Ok(value) => return Ok((resumed_from, value)),
            Err(error @ (FetchError::Io { .. } | FetchError::DiskFull { .. })) => {
                return Err(error);
            }
            Err(error) => {
                part::discard(part)?;
                if resumed_from == 0 || is_second {
                    return Err(error);
                }
                is_second = true;
            }
        }
    }
}

/// Copies a file from `folder`, where it may lie by its full name, by its last part, or below the data set's name.
fn from_folder(
    entry: &FileEntry,
    set_name: &str,
    folder: &Path,
    target: &Path,
    progress: &dyn Progress,
) -> Result<FetchedFile, FetchError> {
    let last_part = Path::new(&entry.name)
        .file_name()
        .map(PathBuf::from)
        .unwrap_or_default();
    let candidates = [
        folder.join(&entry.name),
        folder.join(last_part),
        folder.join(set_name).join(&entry.name),
    ];
    let Some(found) = candidates.into_iter().find(|path| path.is_file()) else {
        return Err(not_there(entry, &folder.display().to_string()));
    };
    let part = part::path(target);
    part::discard(&part)?;
    progress.event(&Event::Start {
        file: &entry.name,
        resumed_from: 0,
        total: std::fs::metadata(&found)
            .ok()
            .map(|metadata| metadata.len()),
        from: &found.display().to_string(),
    });
    copy(&found, &part)?;
    progress.event(&Event::Verify { file: &entry.name });
    let proof = match prove(entry, &part, true) {
        Ok(proof) => proof,
        Err(error) => {
            part::discard(&part)?;
            return Err(error);
        }
    };
    part::promote(&part, target)?;
    progress.event(&Event::Done { file: &entry.name });
    describe(entry, target, How::Copied { from: found }, proof)
}

/// Copies bytes but not permissions: a part has to stay writable.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), FetchError> {
    let mut input = File::open(from).map_err(FetchError::io("open", from))?;
    let mut output = File::create(to).map_err(FetchError::io("create", to))?;
    std::io::copy(&mut input, &mut output).map_err(FetchError::io("write", to))?;
    Ok(())
}

/// What shows that `path` is the entry's file; with `by_content`, an archive packed anew may show it by its pixels.
pub(crate) fn prove(entry: &FileEntry, path: &Path, by_content: bool) -> Result<Proof, FetchError> {
    let hashes = hash::of_file(path)?;
    let file = entry.name.clone();
    let error = match (&entry.sha256, &entry.md5) {
        (Some(expected), _) if *expected == hashes.sha256 => {
            return Ok(Proof::Sha256(hashes.sha256));
        }
        (None, Some(expected)) if *expected == hashes.md5 && entry.bytes == hashes.bytes => {
            return Ok(Proof::Md5(hashes.md5));
        }
        _ if entry.bytes != hashes.bytes => FetchError::Length {
            file,
            expected: entry.bytes,
            got: hashes.bytes,
        },
        (Some(expected), _) => FetchError::Hash {
            file,
            algorithm: "SHA-256",
            expected: expected.clone(),
            got: hashes.sha256,
        },
        (None, expected) => {
            let expected = expected.clone().unwrap_or_default();
            FetchError::Hash {
                file,
                algorithm: "MD5",
                expected,
                got: hashes.md5,
            }
        }
    };
    match &entry.pixels_sha256 {
        Some(expected) if by_content => {
            let (got, n_images) = content::archive_pixels_sha256(path, &entry.name)?;
            if got == *expected {
                return Ok(Proof::Pixels(got));
            }
            let problem = format!(
                "{error}; nor do its {n_images} images have the pixel digest {expected}, but {got}"
            );
            Err(FetchError::Content {
                file: entry.name.clone(),
                problem,
            })
        }
        _ => Err(error),
    }
}

pub(crate) fn describe(
    entry: &FileEntry,
    path: &Path,
    how: How,
    proof: Proof,
) -> Result<FetchedFile, FetchError> {
    let hashes = hash::of_file(path)?;
    Ok(FetchedFile {
        name: entry.name.clone(),
        path: path.to_owned(),
        bytes: hashes.bytes,
        sha256: hashes.sha256,
        how,
        proof,
    })
}

/// The SHA-256 of a file, compared with the one that is expected, if one is.
pub(crate) fn check_sha256(
    file: &str,
    path: &Path,
    expected: Option<&str>,
) -> Result<String, FetchError> {
    let got = hash::of_file(path)?.sha256;
    match expected {
        Some(expected) if expected != got => Err(FetchError::Hash {
            file: file.to_owned(),
            algorithm: "SHA-256",
            expected: expected.to_owned(),
            got,
        }),
        _ => Ok(got),
    }
}
