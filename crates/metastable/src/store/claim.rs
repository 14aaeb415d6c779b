//! Claims: which process works on which run, on a shared file system, without a server.
//!
//! A claim is a file `N.claim` in the run's working folder. Its number only grows, and a number can be created once, so of
//! two processes that want the run one succeeds. The holder beats: it counts up in the file. A claim is *stale*, and may
//! be followed by the next number, when its process on this machine is gone (the system has released its lock), or when
//! the file has not changed for the time of the lease *as seen by the one who waits*: no clock is compared with another.
//!
//! A holder that was only asleep finds a higher number, and stops. Until then it may have written into its own attempt
//! (see [`super::attempt`]), which nobody else reads unchecked; and what it computes has the same bits as what its
//! successor computes. So a wrong guess costs time, never a result.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::host::Owner;
use crate::files::make_folder;

const EXTENSION: &str = "claim";

/// Length of a claim's file: it is overwritten in place, so it may not change its length.
const LENGTH: usize = 512;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    /// Seconds without a beat after which others may take over.
    pub(crate) lease_seconds: u64,
    /// Counts up while the holder lives.
    beat: u64,
    /// Whether the holder has let go of the run.
    released: bool,
}

impl Claim {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.resize(bytes.len().max(LENGTH - 1), b' ');
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// A claim that this process holds; lets go when it is dropped, and when the process dies.
#[derive(Debug)]
pub(crate) struct Lease {
    folder: PathBuf,
    number: u64,
    /// Open, and locked where the file system has locks.
    file: Mutex<(File, Claim)>,
}

/// What earlier looks at claims of others showed, and when.
#[derive(Debug, Default)]
pub(crate) struct Watch(BTreeMap<PathBuf, Seen>);

/// A claim's file.
#[derive(Debug)]
struct Seen {
    content: Vec<u8>,
    /// When it was first seen as it is.
    since: Instant,
    /// Whether it was seen to change.
    beats: bool,
}

impl Watch {
    /// How long the file has been as it is now, as far as this process has seen.
    fn unchanged_for(&mut self, path: &Path, content: &[u8]) -> Duration {
        let now = Instant::now();
        let seen = self.0.entry(path.to_owned()).or_insert_with(|| Seen {
            content: content.to_vec(),
            since: now,
            beats: false,
        });
        if seen.content != content {
            *seen = Seen {
                content: content.to_vec(),
                since: now,
                beats: true,
            };
        }
        now - seen.since
    }

    /// Whether the holder of a run was seen to live, and not to be silent since for the time of a lease.
    pub(crate) fn sees_life(&self, folder: &Path, lease: Duration) -> bool {
        let highest = highest(folder).unwrap_or_default();
        let seen = self.0.get(&path_of(folder, highest));
        seen.is_some_and(|seen| seen.beats && seen.since.elapsed() < lease)
    }
}

/// Claims the run whose working folder this is; nothing if another process holds it.
pub(crate) fn claim(
    folder: &Path,
    owner: &Owner,
    lease: Duration,
    watch: &Mutex<Watch>,
) -> Result<Option<Lease>> {
    make_folder(folder)?;
    let highest = highest(folder)?;
    if highest > 0 && !is_free(&path_of(folder, highest), owner, watch)? {
        return Ok(None);
    }
    let claim = Claim {
        owner: owner.clone(),
        lease_seconds: lease.as_secs().max(1),
        beat: 0,
        released: false,
    };
    let path = path_of(folder, highest + 1);
    let made = match create(&path, &claim) {
        // The working folder was removed in this moment: the run is finished.
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        made => made.with_context(|| format!("while making {}", path.display()))?,
    };
    Ok(made.map(|file| Lease {
        folder: folder.to_owned(),
        number: highest + 1,
        file: Mutex::new((file, claim)),
    }))
}

/// The holder of a run, if its claim has not been let go; whether it still lives is not asked.
pub(crate) fn holder(folder: &Path) -> Option<Claim> {
    let number = highest(folder).ok().filter(|number| *number > 0)?;
    let bytes = fs::read(path_of(folder, number)).ok()?;
    let claim: Claim = serde_json::from_slice(&bytes).ok()?;
    (!claim.released).then_some(claim)
}

/// The holder of a run, unless it is known to be gone: on another machine, only its successor can tell.
pub(crate) fn living(folder: &Path, here: &Owner) -> Option<Claim> {
    let claim = holder(folder)?;
    let path = path_of(folder, highest(folder).ok()?);
    let is_gone = here.is_of_this_machine(&claim.owner) && is_unlocked(&path);
    (!is_gone).then_some(claim)
}

/// When the holder of a run last showed that it lives, by the clock of the file system.
pub(crate) fn last_beat(folder: &Path) -> Option<SystemTime> {
    let number = highest(folder).ok().filter(|number| *number > 0)?;
    fs::metadata(path_of(folder, number)).ok()?.modified().ok()
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.{EXTENSION}"))
}

/// The highest number in the folder; 0 if there is none, or no folder.
fn highest(folder: &Path) -> Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => {
            return Err(error).with_context(|| format!("while reading {}", folder.display()));
        }
    };
    let mut highest = 0;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == EXTENSION)
            && let Some(stem) = path.file_stem()
            && let Ok(number) = stem.to_string_lossy().parse()
        {
            highest = highest.max(number);
        }
    }
    Ok(highest)
}

/// Whether the claim may be followed by another.
fn is_free(path: &Path, owner: &Owner, watch: &Mutex<Watch>) -> Result<bool> {
    let content = match fs::read(path) {
        Ok(content) => content,
        // Removed in this moment, with the whole folder: its run is finished, or will be claimed from the start.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            return Err(error).with_context(|| format!("while reading {}", path.display()));
        }
    };
    let claim: Option<Claim> = serde_json::from_slice(&content).ok();
    if let Some(claim) = &claim {
        if claim.released {
            return Ok(true);
        }
        if owner.is_of_this_machine(&claim.owner) && is_unlocked(path) {
            return Ok(true);
        }
    }
    // A file that cannot be read is one that was cut: its holder's beats would mend it.
    let lease = claim.map_or(60, |claim| claim.lease_seconds);
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(watch.unchanged_for(path, &content) >= Duration::from_secs(lease))
}

/// Whether nobody holds the lock, on a file system that has locks.
fn is_unlocked(path: &Path) -> bool {
    // The lock that succeeds is released at once, with the file.
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Creates the file with its content, locked; nothing if the name is taken.
fn create(path: &Path, claim: &Claim) -> std::io::Result<Option<File>> {
    // Linked to its name only when it is whole, so that nobody sees it empty or unlocked.
    let beside = path.with_extension(format!("{}.new", claim.owner.token));
    let written = File::create(&beside).and_then(|mut file| {
        lock(&file)?;
        file.write_all(&claim.to_bytes().map_err(std::io::Error::other)?)?;
        file.sync_all()?;
        Ok(file)
    });
    let linked = written.and_then(|file| match fs::hard_link(&beside, path) {
        Ok(()) => Ok(Some(file)),
        // Over a network the answer can be lost, and the question asked twice.
        Err(_) if has_two_names(&beside) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error),
        // A file system without links: created under its name, which is atomic too, and filled a moment later.
        Err(_) => create_in_place(path, claim),
    });
    let _ = fs::remove_file(&beside);
    linked
}

fn create_in_place(path: &Path, claim: &Claim) -> std::io::Result<Option<File>> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            lock(&file)?;
            file.write_all(&claim.to_bytes().map_err(std::io::Error::other)?)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks a file of our own. Where there are no locks, beats alone show life.
fn lock(file: &File) -> std::io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => Err(error),
        Err(_) => Ok(()),
    }
}

#[cfg(unix)]
fn has_two_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.nlink() == 2)
}

#[cfg(not(unix))]
fn has_two_names(_: &Path) -> bool {
    false
}

impl Lease {
    /// Shows that the holder lives.
    pub(crate) fn beat(&self) -> Result<()> {
        self.rewrite(|claim| claim.beat += 1)
    }

    fn rewrite(&self, change: impl FnOnce(&mut Claim)) -> Result<()> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, claim) = &mut *guard;
        change(claim);
        let bytes = claim.to_bytes()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)?;
        Ok(())
    }

    /// Whether nobody has taken the run over. Asked before anything is written that others will read.
    pub(crate) fn is_held(&self) -> bool {
        let guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        highest(&self.folder).is_ok_and(|highest| highest == self.number)
            && fs::read(path_of(&self.folder, self.number))
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Claim>(&bytes).ok())
                .is_some_and(|claim| claim.owner.token == guard.1.owner.token)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // If it cannot be written, the lock or the silence says the same.
        if self.is_held() {
            let _ = self.rewrite(|claim| claim.released = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(token: &str, boot: &str) -> Owner {
        Owner {
            token: token.to_owned(),
            host: String::from("h"),
            boot: boot.to_owned(),
            pid: 1,
        }
    }

    fn take(folder: &Path, owner: &Owner, lease: u64, watch: &Mutex<Watch>) -> Option<Lease> {
        claim(folder, owner, Duration::from_secs(lease), watch).unwrap()
    }

    #[test]
    fn one_of_many_threads_gets_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("w");
        let leases: Vec<Option<Lease>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|i| {
                    let work = &work;
                    scope.spawn(move || {
                        take(work, &owner(&i.to_string(), "b"), 60, &Mutex::default())
                    })
                })
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(leases.iter().flatten().count(), 1);
        assert!(leases.iter().flatten().all(Lease::is_held));
        assert_eq!(fs::read_dir(&work).unwrap().count(), 1);
    }

    #[test]
    fn a_released_claim_is_free_at_once_and_numbers_only_grow() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (owner("a", "one"), owner("b", "two"));
        let watch = Mutex::default();
        let lease = take(folder.path(), &a, 60, &watch).unwrap();
        assert!(take(folder.path(), &b, 60, &watch).is_none());
        assert_eq!(holder(folder.path()).unwrap().owner, a);
        drop(lease);
        assert!(holder(folder.path()).is_none());
        let lease = take(folder.path(), &b, 60, &watch).unwrap();
        assert_eq!(lease.number, 2);
        assert!(lease.is_held());
        // The run is finished, and its working folder goes; the holder does not mind.
        fs::remove_dir_all(folder.path()).unwrap();
        drop(lease);
        assert!(!folder.path().exists());
    }

    /// Another machine's silence: what counts is what the waiting one has seen itself.
    #[test]
    fn a_silent_claim_is_taken_over_after_its_lease_and_the_sleeper_notices() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (owner("a", "one"), owner("b", "two"));
        let watch = Mutex::default();
        let sleeper = take(folder.path(), &a, 1, &watch).unwrap();
        let begun = Instant::now();
        assert!(take(folder.path(), &b, 1, &watch).is_none());
        std::thread::sleep(Duration::from_millis(700));
        sleeper.beat().unwrap();
        // The beat starts the wait again.
        let sees_life = || {
            watch
                .lock()
                .unwrap()
                .sees_life(folder.path(), Duration::from_secs(1))
        };
        assert!(!sees_life());
        assert!(take(folder.path(), &b, 1, &watch).is_none());
        assert!(sees_life());
        let taken = loop {
            if let Some(lease) = take(folder.path(), &b, 1, &watch) {
                break lease;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(begun.elapsed() >= Duration::from_millis(1700));
        assert!(!sees_life());
        assert!(!sleeper.is_held());
        assert!(taken.is_held());
        drop(sleeper);
        assert!(taken.is_held());
        assert!(take(folder.path(), &a, 1, &watch).is_none());
    }

    /// Times of files are those of another machine's clock, or of the server's: none of them decides anything.
    #[test]
    fn the_clocks_of_other_machines_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (owner("a", "one"), owner("b", "two"));
        let year = Duration::from_secs(365 * 24 * 3600);
        for skewed in [SystemTime::now() - year, SystemTime::now() + year] {
            let work = folder.path().join(format!("{skewed:?}"));
            let watch = Mutex::default();
            let lease = take(&work, &a, 1, &watch).unwrap();
            let set = || {
                let file = File::options().write(true).open(path_of(&work, 1));
                file.unwrap().set_modified(skewed).unwrap();
            };
            set();
            let begun = Instant::now();
            assert!(take(&work, &b, 1, &watch).is_none());
            lease.beat().unwrap();
            set();
            assert!(take(&work, &b, 1, &watch).is_none(), "it was seen to live");
            while take(&work, &b, 1, &watch).is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(begun.elapsed() >= Duration::from_secs(1));
            assert!(!lease.is_held());
        }
    }

    /// A dead process of this machine: the system has released its lock.
    #[test]
    fn a_dead_neighbour_is_followed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (owner("a", "same"), owner("b", "same"));
        let watch = Mutex::default();
        let lease = take(folder.path(), &a, 60, &watch).unwrap();
        assert!(take(folder.path(), &b, 60, &watch).is_none());
        // What kill -9 leaves: the file as it is, its lock gone.
        let path = path_of(folder.path(), 1);
        let content = fs::read(&path).unwrap();
        drop(lease);
        fs::write(&path, content).unwrap();
        assert!(take(folder.path(), &b, 60, &watch).is_some());
    }

    #[test]
    fn a_cut_claim_is_waited_for_like_a_silent_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(path_of(folder.path(), 3), "{").unwrap();
        let watch = Mutex::default();
        assert!(take(folder.path(), &owner("a", "x"), 1, &watch).is_none());
    }
}
