//! Process groups of the guests that live, and the folders that they write to, so that a program that has to end at once can take
//! them with it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::child::{End, signal};

/// How often a folder is removed in which a process that is being killed may still write.
const TRIES: usize = 10;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// What is there.
struct Living {
    /// Leaders of the groups.
    leaders: BTreeSet<u32>,
    scratches: BTreeSet<PathBuf>,
}

/// A guest is a process of the machine, and its scratch folder one of the disk, which no owner inside of a program outlives; whoever
/// ends the program without unwinding has to find them.
static LIVING: Mutex<Living> = Mutex::new(Living {
    leaders: BTreeSet::new(),
    scratches: BTreeSet::new(),
});

fn with<T>(act: impl FnOnce(&mut Living) -> T) -> T {
    act(&mut LIVING.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn note(leader: u32) {
    with(|living| living.leaders.insert(leader));
}

pub(crate) fn forget(leader: u32) {
    with(|living| living.leaders.remove(&leader));
}

/// A folder of a guest, which is removed when it is dropped, or by [`kill_all`].
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = TempDir::with_prefix("metastable-guest-")?;
        with(|living| living.scratches.insert(folder.path().to_owned()));
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        with(|living| living.scratches.remove(self.0.path()));
    }
}

/// Kills every guest of this program, with whatever it has started, and removes their scratch folders: what is done before a
/// program ends at once.
pub fn kill_all() {
    // Both under one lock: whoever waits for one of these guests notes its end there first, and would else take it for a failure.
    with(|living| {
        for leader in std::mem::take(&mut living.leaders) {
            signal(leader, End::Now);
        }
        for scratch in std::mem::take(&mut living.scratches) {
            remove(&scratch);
        }
    });
}

/// Removes a folder. What cannot be removed stays, as after a crash: the program ends, and nobody is left to be told.
fn remove(folder: &Path) {
    for _ in 0..TRIES {
        match fs::remove_dir_all(folder) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No other unit test of this crate may have guests or scratch folders: this one removes all there are.
    #[test]
    fn scratch_folders_go_with_their_owner_or_with_all() {
        let (one, other) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        let places = [&one, &other].map(|scratch| scratch.path().to_owned());
        fs::write(places[1].join("state"), "learnt").unwrap();
        drop(one);
        assert!(!places[0].exists() && places[1].exists());
        kill_all();
        assert!(!places[1].exists());
        // Its owner finds it gone, and does not mind.
        drop(other);
        assert!(with(|living| living.scratches.is_empty()));
    }
}
