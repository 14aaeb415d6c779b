//! Process groups of the guests that live, so that a program that has to end at once can take them with it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::child::{End, signal};

/// Leaders of the groups. A guest is a process of the machine, which no owner inside of a program outlives; whoever ends the
/// program without unwinding has to find them.
static LIVING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn with<T>(act: impl FnOnce(&mut BTreeSet<u32>) -> T) -> T {
    act(&mut LIVING.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn note(leader: u32) {
    with(|living| living.insert(leader));
}

pub(crate) fn forget(leader: u32) {
    with(|living| living.remove(&leader));
}

/// Kills every guest of this program, with whatever it has started: what is done before a program ends at once.
pub fn kill_all() {
    with(|living| {
        for leader in std::mem::take(living) {
            signal(leader, End::Now);
        }
    });
}
