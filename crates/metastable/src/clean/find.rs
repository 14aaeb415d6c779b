//! What may go, and why.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::studies::User;
use crate::campaign::StudyFolder;
use crate::files::BESIDE;
use crate::launcher;
use crate::probe;
use crate::run::{Record, RunFolder};
use crate::store;
use crate::store::claim;
use crate::store::host::Owner;

/// No file is being written for so long.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that may go.
pub(super) struct Find {
    pub(super) path: PathBuf,
    pub(super) why: String,
    pub(super) bytes: usize,
}

impl Find {
    fn new(path: PathBuf, why: &str) -> Result<Self> {
        Ok(Self {
            bytes: bytes(&path)?,
            path,
            why: why.to_owned(),
        })
    }
}

/// All that may go, in order of places.
pub(super) fn all(store: &Path, users: &[User]) -> Result<Vec<Find>> {
    let mut finds = in_store(store, users)?;
    for user in users {
        in_study(user, &mut finds)?;
    }
    Ok(finds)
}

/// Runs that no study has.
fn in_store(store: &Path, users: &[User]) -> Result<Vec<Find>> {
    let runs = users.iter().flat_map(|user| &user.index.runs);
    let wanted: BTreeSet<PathBuf> = runs
        .map(|entry| store::folder(store, &entry.identity))
        .collect();
    let mut finds = Vec::new();
    for path in store::finished_in(store)? {
        if !wanted.contains(&path) {
            let record = Record::read(&RunFolder::new(&path).record());
            let what = record.map_or_else(
                |_| String::from("damaged"),
                |record| {
                    format!(
                        "{}, {}",
                        record.config.learner.name,
                        record.config.setting()
                    )
                },
            );
            finds.push(Find::new(path, &format!("a run of no study ({what})"))?);
        }
    }
    for path in store::unfinished_in(store)? {
        let place = store.join(path.file_name().unwrap_or_default());
        if !wanted.contains(&place) {
            finds.push(Find::new(path, "an unfinished run of no study")?);
        } else if place.join(store::manifest::MANIFEST).exists() {
            finds.push(Find::new(
                path,
                "what a crash left of a run that is finished",
            )?);
        }
    }
    Ok(finds)
}

/// What belongs to runs that the study no longer has, or to other weights; and what a crash left.
fn in_study(user: &User, finds: &mut Vec<Find>) -> Result<()> {
    let User { folder, index } = user;
    let labels: BTreeSet<&str> = index.runs.iter().map(|run| run.label.as_str()).collect();
    let probes = probe::store::folder(folder.path());
    for (place, what) in [(&probes, "answers"), (&folder.events(), "events")] {
        for path in entries(place)? {
            let label = path.file_name().unwrap_or_default().to_string_lossy();
            // A folder in it is a claim on a question; on another machine, nobody can tell whether its holder lives.
            for claims in entries(&path)?.into_iter().filter(|it| it.is_dir()) {
                if claim::living(&claims, &Owner::here()).is_none() {
                    finds.push(Find::new(
                        claims,
                        "a claim on a question that nobody holds",
                    )?);
                }
            }
            let is_at_rest = path.is_dir() && entries(&path)?.iter().all(|it| it.is_file());
            if is_at_rest && !labels.contains(&*label) {
                let why = format!("{what} of a run that the study no longer has");
                finds.push(Find::new(path, &why)?);
            }
        }
    }
    let launch = launcher::folder(folder.path());
    if !probes.exists() && !launch.exists() {
        return half_written(folder, finds);
    }
    let mut n_finished = 0;
    for run in folder.each_finished(index, |_, _| {}) {
        n_finished += 1;
        let checkpoint = run.tested();
        for path in probe::store::outdated(folder.path(), &run.entry.label, &checkpoint)? {
            finds.push(Find::new(path, "answers of other weights")?);
        }
    }
    // Until then `--resume` goes by it.
    let is_done = n_finished == index.runs.len();
    if launch.exists() && is_done && !launcher::is_followed(folder.path()) {
        let why = "what launched a study whose runs are all finished";
        finds.push(Find::new(launch, why)?);
    }
    half_written(folder, finds)
}

/// Files that were being written when a process was killed.
fn half_written(folder: &StudyFolder, finds: &mut Vec<Find>) -> Result<()> {
    let mut folders = vec![folder.path().to_owned()];
    while let Some(place) = folders.pop() {
        for path in entries(&place)? {
            let about = fs::symlink_metadata(&path)
                .with_context(|| format!("while looking at {}", path.display()))?;
            // Links lead to runs, which are the store's.
            if about.is_dir() {
                folders.push(path);
                continue;
            }
            let is_beside = path.to_string_lossy().ends_with(BESIDE);
            let age = about.modified().ok().and_then(|time| time.elapsed().ok());
            if about.is_file() && is_beside && age.is_some_and(|age| age > A_DAY) {
                finds.push(Find::new(path, "a file that was never finished")?);
            }
        }
    }
    Ok(())
}

/// What is in a folder, in order; nothing if there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.with_context(|| format!("while reading {}", folder.display()))?,
    };
    let mut paths = Vec::new();
    for entry in found {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Size of a file, or of everything in a folder.
fn bytes(path: &Path) -> Result<usize> {
    let about = fs::symlink_metadata(path)
        .with_context(|| format!("while looking at {}", path.display()))?;
    if !about.is_dir() {
        return Ok(usize::try_from(about.len())?);
    }
    entries(path)?.iter().map(|inner| bytes(inner)).sum()
}
