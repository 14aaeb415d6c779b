//! Who is at work: enough to tell one process from any other that shares the files.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::files::process_token;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// Different for every process, on whatever machine.
    pub(crate) token: String,
    /// Name of the machine, for people.
    pub(crate) host: String,
    /// The machine since its last start; containers of one machine share it, two machines never do. Empty where the
    /// system does not tell.
    pub(crate) boot: String,
    pub(crate) pid: u32,
}

impl Owner {
    /// This process.
    pub(crate) fn here() -> Self {
        let read = |path: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.trim().to_owned()
        };
        Self {
            token: process_token().to_owned(),
            host: host_name(),
            boot: read("/proc/sys/kernel/random/boot_id"),
            pid: std::process::id(),
        }
    }

    /// Whether a lock of that process would be seen here: only then does its absence say anything.
    pub(crate) fn is_of_this_machine(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }
}

/// The machine's name, as far as the system tells without being asked through C.
fn host_name() -> String {
    let file = |path: &str| fs::read_to_string(path).ok();
    let variable = |name: &str| std::env::var(name).ok();
    file("/proc/sys/kernel/hostname")
        .or_else(|| variable("HOSTNAME"))
        .or_else(|| variable("COMPUTERNAME"))
        .or_else(|| file("/etc/hostname"))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| String::from("this machine"))
}
