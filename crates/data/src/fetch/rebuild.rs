//! A data set from a repository of loose images on the hub: parquet files are staged, read, and forgotten again.

use hf_hub::RepoType;

use super::dataset::{
    MAX_HUB_FILE, check_sha256, describe, download_and_check, missing, not_there, prove,
};
use super::hub::Hub;
use super::restore::{ImageTable, Restored};
use super::transfer::Request;
use super::{
    Event, FetchError, Fetched, FetchedFile, How, Manifest, Options, Progress, parquet_images, part,
};

/// Rebuilds the missing archives from a repository of images.
pub(crate) fn from_hub(
    manifest: &Manifest,
    repo: &str,
    files: &mut [Option<FetchedFile>],
    fetched: &mut Fetched,
    options: &Options,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let Some(table) = &manifest.image_table else {
        let problem = "there is no image table, so its images cannot be recognised".to_owned();
        return Err(FetchError::Manifest {
            name: manifest.name.clone(),
            problem,
        });
    };
    let table = ImageTable::parse(table)?;
    let hub = Hub::open(options)?;
    let listing = hub.list(repo, RepoType::Dataset, options, progress)?;
    let staging = fetched
        .dir
        .join(".hub")
        .join(repo.replace('/', "--"))
        .join(&listing.commit);
    let mut restored = Restored::new(&table);
    let mut staged_files = Vec::new();
    for file in listing
        .files
        .iter()
        .filter(|file| file.path.ends_with(".parquet"))
    {
        let staged = staging.join(&file.path);
        part::create_folder_of(&staged)?;
        if !staged.is_file() {
            let part = part::path(&staged);
            let url = hub.url(&listing, &file.path);
            let request = Request {
                file: &file.path,
                url: &url,
                bytes: file.bytes,
                max_bytes: MAX_HUB_FILE,
                hash_known: file.sha256.is_some(),
                token: hub.token.as_deref(),
            };
            download_and_check(&request, &part, options, progress, |part| {
                check_sha256(&file.path, part, file.sha256.as_deref())
            })?;
            part::promote(&part, &staged)?;
            progress.event(&Event::Done { file: &file.path });
        }
        staged_files.push((file.path.as_str(), staged));
    }
    let source_name = format!("hf:{repo}");
    if staged_files.is_empty() {
        return Err(FetchError::NotThere {
            file: "a parquet file".to_owned(),
            source_name,
        });
    }
    let read_all = |restored: &mut Restored<'_>| {
        for (file, path) in &staged_files {
            parquet_images::for_each(path, file, |example| {
                restored.add(example.image, example.label)
            })?;
        }
        restored.check_complete(&source_name)
    };
    let staging_root = fetched.dir.join(".hub");
    let remove_staging =
        || std::fs::remove_dir_all(&staging_root).map_err(FetchError::io("remove", &staging_root));
    if let Err(error) = read_all(&mut restored) {
        // These files will never do.
        remove_staging()?;
        return Err(error);
    }
    let how = How::Restored {
        repo: repo.to_owned(),
        commit: listing.commit.clone(),
    };
    for (entry, file) in manifest.files.iter().zip(files.iter_mut()) {
        if file.is_some() || entry.pixels_sha256.is_none() {
            continue;
        }
        let target = fetched.dir.join(&entry.name);
        let part = part::path(&target);
        restored.write_archive(&entry.name, &part)?;
        progress.event(&Event::Verify { file: &entry.name });
        let proof = prove(entry, &part, true)?;
        part::promote(&part, &target)?;
        progress.event(&Event::Done { file: &entry.name });
        *file = Some(describe(entry, &target, how.clone(), proof)?);
    }
    fetched.notes.push(format!(
        "{source_name}: {} rows, {} of them none of the data set's images, {} under a label that it also gives to another character",
        restored.n_rows, restored.n_unknown, restored.n_label_conflicts
    ));
    remove_staging()?;
    match missing(manifest, files).find(|entry| !entry.optional) {
        Some(entry) => Err(not_there(entry, &source_name)),
        None => Ok(()),
    }
}
