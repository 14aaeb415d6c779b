//! Room for one more run: how many of a process go on side by side is bounded by memory as well as by cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A further run needs this much more than those at work have on average.
const MARGIN: f64 = 1.2;

/// The runs of this process that are at work.
#[derive(Debug, Default)]
pub(crate) struct Room {
    taken: Mutex<Taken>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    seats: usize,
    /// Of those, runs that have made a step: their memory has its full size.
    warm: usize,
}

/// A run at work.
#[derive(Debug)]
pub(crate) struct Seat<'r> {
    room: &'r Room,
    is_warm: AtomicBool,
}

impl Room {
    /// Waits until one more run has room; nothing if `gives_up` says so meanwhile. A run alone always has.
    pub(crate) fn enter(&self, gives_up: impl Fn() -> bool) -> Option<Seat<'_>> {
        let mut taken = self.lock();
        loop {
            if gives_up() {
                return None;
            }
            let is_free = taken.seats == 0
                || (taken.warm == taken.seats && has_memory_for_one_more(taken.seats));
            if is_free {
                taken.seats += 1;
                return Some(Seat {
                    room: self,
                    is_warm: AtomicBool::new(false),
                });
            }
            taken = self
                .changed
                .wait_timeout(taken, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// The run has made a step.
    pub(crate) fn warm(&self) {
        if !self.is_warm.swap(true, Ordering::Relaxed) {
            self.room.lock().warm += 1;
            self.room.changed.notify_all();
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.seats -= 1;
        taken.warm -= usize::from(self.is_warm.load(Ordering::Relaxed));
        drop(taken);
        self.room.changed.notify_all();
    }
}

/// Whether the machine has left what one more run will need. Where the system does not tell, it has.
#[allow(clippy::cast_precision_loss, reason = "a comparison of sizes")]
fn has_memory_for_one_more(n_runs: usize) -> bool {
    match (used(), available()) {
        (Some(used), Some(available)) => MARGIN * used as f64 / n_runs as f64 <= available as f64,
        _ => true,
    }
}

/// Bytes that this process has in memory.
fn used() -> Option<u64> {
    line_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Bytes that are left: of the machine, or of a group that this process is confined to, such as a job of a cluster.
fn available() -> Option<u64> {
    let machine = line_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left = |group: PathBuf| -> Option<u64> {
        let number = |name: &str| -> Option<u64> {
            let text = fs::read_to_string(group.join(name)).ok()?;
            text.trim().parse().ok()
        };
        Some(number("memory.max")?.saturating_sub(number("memory.current")?))
    };
    Some(groups(&own).filter_map(left).fold(machine, u64::min))
}

/// Folders of control groups (version 2), from a process's own to the root, by what the system says of the process.
fn groups(text: &str) -> impl Iterator<Item = PathBuf> {
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"));
    let ancestors = Path::new(own.unwrap_or_default()).ancestors();
    ancestors.map(|group| Path::new("/sys/fs/cgroup").join(group))
}

/// `VmRSS:   1234 kB` in bytes.
fn line_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(1024 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first_step_of_the_first() {
        let room = Room::default();
        let first = room.enter(|| false).unwrap();
        let patience = std::cell::Cell::new(2);
        let gives_up = || {
            patience.set(patience.get() - 1);
            patience.get() < 0
        };
        assert!(room.enter(gives_up).is_none());
        first.warm();
        first.warm();
        let second = room.enter(|| false).unwrap();
        drop(first);
        drop(second);
        let taken = room.lock();
        assert_eq!((taken.seats, taken.warm), (0, 0));
    }

    #[test]
    fn a_job_is_in_all_groups_above_its_own() {
        let text = "1:name=systemd:/x\n0::/system.slice/job_12\n";
        let found: Vec<PathBuf> = groups(text).collect();
        let root = Path::new("/sys/fs/cgroup");
        let expected = [
            root.join("system.slice/job_12"),
            root.join("system.slice"),
            root.join(""),
        ];
        assert_eq!(found, expected);
        assert_eq!(groups("").count(), 1);
    }

    #[test]
    fn sizes_of_the_system_are_read() {
        assert_eq!(line_of("A: 1\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12_288));
        assert_eq!(line_of("A: 1\n", "VmRSS:"), None);
        if cfg!(target_os = "linux") {
            assert!(used().unwrap() > 100_000 && available().unwrap() > 100_000);
        }
    }
}
