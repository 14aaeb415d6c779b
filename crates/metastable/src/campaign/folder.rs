//! The folder of a study: what was asked for, where each run of it is, and the report.
//!
//! ```text
//! runs/quick/
//!   .metastable  that the folder is this program's
//!   study.toml   the study as it was run
//!   runs.json    its runs: label, learner, seed, identity
//!   runs/LABEL   the run of that name: a link into the store
//! ```

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use metastable_analysis::Options;
use metastable_analysis::factors::table::Factor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::{make_folder, read_bytes, remove_if_there, sha256, write_whole};
use crate::mark;
use crate::plan::Planned;
use crate::run::{Record, RunConfig, RunFolder};
use crate::sealed::{Sealed, fault};
use crate::store::{self, Stored, studies};
use crate::study::streams::name;
use crate::study::{ProbeSettings, Study};

/// The store beside a study's folder: the studies of one folder share it.
const BESIDE: &str = "../.store";

/// What was understood of a user's images, for people.
pub(crate) const DATA_TEXT: &str = "data.txt";
/// The same for the report.
pub(crate) const DATA_SEALED: &str = "data.json";
/// The list of all images, for who wants to know which files an episode held.
pub(crate) const DATA_IMAGES: &str = "images.csv";

/// What this program writes into the folder of a study.
const OUTPUTS: [&str; 16] = [
    "study.toml",
    "runs.json",
    "runs",
    "probes",
    DATA_TEXT,
    DATA_SEALED,
    DATA_IMAGES,
    "tensorboard",
    "slurm",
    "figures",
    "tables",
    "export",
    "reproduction",
    "report.html",
    "report.md",
    "report.json",
];

/// What `runs.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    /// Name of the study.
    pub(crate) study: String,
    /// Folder of the store, from that of the study unless it is absolute.
    store: PathBuf,
    /// Settings that were varied on purpose.
    pub(crate) factors: Vec<Factor>,
    /// Streams of chance that have seeds of their own.
    pub(crate) streams: Vec<String>,
    /// What the report is made with.
    pub(crate) analysis: Options,
    /// What the trained learners are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probe: Option<ProbeSettings>,
    /// In the order of the report.
    pub(crate) runs: Vec<Entry>,
    /// Of `study.toml`.
    study_sha256: String,
}

/// One run of a study.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) learner: String,
    /// Seed of the bundle, or its number where streams have seeds of their own.
    pub(crate) seed: u64,
    /// Value of each factor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) levels: Vec<Value>,
    /// For each stream with seeds of its own, which of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) streams: Vec<u64>,
    pub(crate) identity: String,
}

/// A study's folder.
#[derive(Clone, Debug)]
pub(crate) struct StudyFolder {
    out: PathBuf,
}

impl StudyFolder {
    pub(crate) fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.out
    }

    pub(crate) fn study(&self) -> PathBuf {
        self.out.join("study.toml")
    }

    /// Where the store of a study is that says nothing else.
    pub(crate) fn store_beside(&self) -> PathBuf {
        // Without `..`, so that it can be made before the study's folder is.
        match self.out.components().next_back() {
            Some(Component::Normal(_)) => self.out.with_file_name(".store"),
            _ => self.out.join(BESIDE),
        }
    }

    /// What `runs.json` will say of a study whose file has that text. `store` is absent for the one beside it.
    pub(crate) fn index(
        &self,
        study: &Study,
        text: &str,
        store: Option<&Path>,
        runs: &[Planned],
    ) -> Result<Index> {
        let store = match store {
            None => PathBuf::from(BESIDE),
            Some(store) => store
                .canonicalize()
                .with_context(|| format!("while looking for {}", store.display()))?,
        };
        Ok(Index {
            study: study.head.name.clone(),
            store,
            factors: study
                .design
                .factors
                .iter()
                .map(|factor| Factor {
                    name: factor.path.clone(),
                    scale: factor.scale.clone(),
                })
                .collect(),
            streams: study
                .design
                .streams
                .names
                .iter()
                .map(|it| name(*it))
                .collect(),
            analysis: study.design.analysis.clone(),
            probe: study.probe.clone(),
            runs: runs
                .iter()
                .map(|run| Entry {
                    label: run.label.clone(),
                    learner: run.learner.clone(),
                    seed: run.seed,
                    levels: run.levels.clone(),
                    streams: run.streams.clone(),
                    identity: run.identity.clone(),
                })
                .collect(),
            study_sha256: sha256(text.as_bytes()),
        })
    }

    /// That nothing would be replaced but what this program wrote: the folder has its mark, or the list of runs of a
    /// version that put none, or no file of a name that is written.
    pub(crate) fn refuse_strangers(&self) -> Result<()> {
        let is_older = || {
            let bytes = fs::read(self.out.join("runs.json")).unwrap_or_default();
            let json = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
            ["study_sha256", "sha256"]
                .iter()
                .all(|key| json[key].is_string())
        };
        if is_older() {
            return Ok(());
        }
        mark::refuse_strangers(&self.out, &OUTPUTS)
    }

    /// That the study's own file is not replaced by another text.
    pub(crate) fn refuse_input(&self, input: &Path, text: &str) -> Result<()> {
        let output = self.study();
        let is_same = match (input.canonicalize(), output.canonicalize()) {
            (Ok(input), Ok(output)) => input == output,
            _ => false,
        };
        ensure!(
            !is_same || fs::read(&output).is_ok_and(|bytes| bytes == text.as_bytes()),
            "{} would be replaced by its own results; choose another folder with --out",
            output.display()
        );
        Ok(())
    }

    /// Makes the folder and marks it as this program's, before the first file goes in.
    pub(crate) fn make(&self) -> Result<()> {
        self.refuse_strangers()?;
        make_folder(&self.out)?;
        mark::put(&self.out)
    }

    /// Writes what the study is: its file, and the list of its runs.
    pub(crate) fn write(&self, index: &Index, text: &str) -> Result<()> {
        self.make()?;
        make_folder(&self.out.join("runs"))?;
        if let Some(store) = self.other_store(index) {
            studies::note(store, &self.out)?;
        }
        write_whole(&self.study(), text.as_bytes())?;
        let sealed = Sealed::new(index.clone())?;
        write_whole(&self.out.join("runs.json"), &sealed.to_bytes()?)?;
        self.unlink_strangers(index)
    }

    /// Reads what the study is, and checks both files.
    pub(crate) fn read(&self) -> Result<Index> {
        let path = self.out.join("runs.json");
        let bytes = fs::read(&path).with_context(|| {
            format!(
                "{} is not the folder of a study; give one, e.g. runs/quick",
                self.out.display()
            )
        })?;
        mark::check(&self.out)?;
        let index = Sealed::<Index>::open(&bytes).with_context(|| {
            format!(
                "{} {}; the command that runs the study writes it again",
                path.display(),
                fault(&bytes)
            )
        })?;
        ensure!(
            sha256(&read_bytes(&self.study())?) == index.study_sha256,
            "{} is damaged or was edited: it does not have the checksum that runs.json says; run the study again",
            self.study().display()
        );
        Ok(index)
    }

    /// Folder of the store that an index names.
    pub(crate) fn store_of(&self, index: &Index) -> PathBuf {
        if index.store == Path::new(BESIDE) {
            self.store_beside()
        } else {
            index.store.clone()
        }
    }

    /// The same as the user would give it; absent for the store beside the folder.
    pub(crate) fn other_store<'i>(&self, index: &'i Index) -> Option<&'i Path> {
        (index.store != Path::new(BESIDE)).then_some(index.store.as_path())
    }

    /// Folder of the event files for TensorBoard.
    pub(crate) fn events(&self) -> PathBuf {
        self.out.join("tensorboard")
    }

    fn link(&self, label: &str) -> PathBuf {
        self.out.join("runs").join(label)
    }

    /// The folder of a finished run: in the store, or here if the study's folder was copied with its runs.
    pub(crate) fn run(&self, index: &Index, entry: &Entry) -> (PathBuf, Stored) {
        let here = self.link(&entry.label);
        if is_real_folder(&here) {
            let stored = store::stored(&here, &entry.identity);
            return (here, stored);
        }
        let folder = store::folder(&self.store_of(index), &entry.identity);
        let stored = store::stored(&folder, &entry.identity);
        (folder, stored)
    }

    /// What the run of that entry was configured as, if it is finished.
    pub(crate) fn config(&self, index: &Index, entry: &Entry) -> Option<RunConfig> {
        let (folder, _) = self.run(index, entry);
        let record = Record::read(&RunFolder::new(folder).record()).ok()?;
        Some(record.config)
    }

    /// Puts the link of a finished run. A system without links does without: `runs.json` says the same.
    pub(crate) fn put_link(&self, index: &Index, entry: &Entry) -> Result<()> {
        let link = self.link(&entry.label);
        if is_real_folder(&link) {
            bail!(
                "{} is a folder of another version of this program, or a copy; move it away, or choose another folder with --out",
                link.display()
            );
        }
        let target = link_target(index, entry);
        if self.is_linked(index, entry) {
            return Ok(());
        }
        remove_if_there(&link)?;
        match symlink(&target, &link) {
            // Another process puts the same link.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) if cfg!(unix) => {
                Err(error).with_context(|| format!("while making the link {}", link.display()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the link of a finished run is there, which says that the run was finished once.
    pub(crate) fn is_linked(&self, index: &Index, entry: &Entry) -> bool {
        fs::read_link(self.link(&entry.label)).is_ok_and(|there| there == link_target(index, entry))
    }

    /// Removes links to runs that are no longer of this study; the runs stay in the store.
    fn unlink_strangers(&self, index: &Index) -> Result<()> {
        let runs = self.out.join("runs");
        let entries =
            fs::read_dir(&runs).with_context(|| format!("while reading {}", runs.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_ours = index.runs.iter().any(|run| run.label == name);
            if !is_ours && fs::read_link(&path).is_ok() {
                remove_if_there(&path)?;
            }
        }
        Ok(())
    }
}

/// What the link of a run says: its place in the store, from the folder of the links unless it is absolute.
fn link_target(index: &Index, entry: &Entry) -> PathBuf {
    if index.store == Path::new(BESIDE) {
        Path::new("..").join(store::folder(Path::new(BESIDE), &entry.identity))
    } else {
        store::folder(&index.store, &entry.identity)
    }
}

/// A finished run of a study, its files checked.
pub(crate) struct Finished {
    pub(crate) entry: Entry,
    pub(crate) folder: RunFolder,
    pub(crate) record: Record,
}

impl Finished {
    /// Whether it is a training by itself: no task of its pool exchanged, made for the first time.
    pub(crate) fn is_original(&self) -> bool {
        self.record.config == self.record.config.original()
    }

    /// The weights that were tested.
    pub(crate) fn tested(&self) -> PathBuf {
        self.folder.tested(&self.record.config.test)
    }
}

impl StudyFolder {
    /// Every finished run, in order, read side by side; what is not finished or damaged is handed to `missing` with the reason.
    pub(crate) fn finished(
        &self,
        index: &Index,
        mut missing: impl FnMut(&Entry, &Stored),
    ) -> Vec<Finished> {
        let read = |entry| (entry, self.finished_run(index, entry));
        let runs: Vec<_> = index.runs.par_iter().map(read).collect();
        let runs = runs.into_iter().filter_map(|(entry, run)| match run {
            Ok(record) => Some(record),
            Err(stored) => {
                missing(entry, &stored);
                None
            }
        });
        runs.collect()
    }

    /// The same one by one: records of many runs with many classes are large.
    pub(crate) fn each_finished(
        &self,
        index: &Index,
        mut missing: impl FnMut(&Entry, &Stored),
    ) -> impl Iterator<Item = Finished> {
        index.runs.iter().filter_map(move |entry| {
            let run = self.finished_run(index, entry);
            run.map_err(|stored| missing(entry, &stored)).ok()
        })
    }

    /// A run whose files are whole, or what there is of it instead.
    fn finished_run(&self, index: &Index, entry: &Entry) -> std::result::Result<Finished, Stored> {
        let (path, stored) = self.run(index, entry);
        if !matches!(stored, Stored::Whole) {
            return Err(stored);
        }
        let folder = RunFolder::new(path);
        match read_record(&folder) {
            Ok(record) => Ok(Finished {
                entry: entry.clone(),
                folder,
                record,
            }),
            Err(error) => Err(Stored::Damaged(error)),
        }
    }
}

/// The record of a finished run, whose settings have to have its identity as this program reads them: one that it lacks would be dropped
/// without a word, and one that the file lacks filled in.
pub(super) fn read_record(folder: &RunFolder) -> Result<Record> {
    let path = folder.record();
    let record = Record::read(&path)?;
    ensure!(
        record.config.identity()? == record.identity,
        "{} was written by another version of this program: as this version reads its settings, they have another identity. That version can read it; the command that runs the study makes the run again",
        path.display()
    );
    Ok(record)
}

fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_another_version_is_not_called_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let folder = StudyFolder::new(dir.path());
        let refusal = |bytes: &[u8]| {
            fs::write(dir.path().join("runs.json"), bytes).unwrap();
            format!("{:#}", folder.read().unwrap_err())
        };
        // A list without most of the fields of today, and with one that is no more.
        let other = serde_json::json!({ "study": "quick", "of_old": 3, "runs": [] });
        let bytes = Sealed::new(other).unwrap().to_bytes().unwrap();
        let said = refusal(&bytes);
        assert!(
            said.contains("another version of this program") && said.contains("writes it again"),
            "{said}"
        );
        assert!(!said.contains("damaged"), "{said}");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let said = refusal(&flipped);
            assert!(said.contains("runs.json is damaged"), "byte {at}: {said}");
        }
    }
}
