//! What was seen of a guest.

use std::path::{Component, Path, PathBuf};

use metastable_analysis::probe::noise_floor::NoiseFloor;
use metastable_guests::{ProcessConfig, Session};
use serde::{Deserialize, Serialize};

/// What was seen of a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// What it calls itself, and its own version.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The requests that it answers.
    pub(crate) offers: Vec<String>,
    /// What it says of itself: that labels, and the order of its supports, matter to it.
    pub(crate) label_bound: bool,
    pub(crate) order_bound: bool,
    /// Modules that it imported from the working folder and that are not among its `files`: they can change without the run's
    /// identity.
    pub(crate) undeclared: Vec<String>,
    /// Differences between the answers to equal questions; absent if it was not tested.
    pub(crate) noise_floor: Option<NoiseFloor>,
}

impl Visit {
    pub(super) fn of(session: &Session, config: &ProcessConfig) -> Self {
        let ready = session.ready();
        let files: Vec<PathBuf> = config.files.iter().map(|name| place(name)).collect();
        let modules = ready.modules.keys();
        let undeclared = modules.filter(|module| !files.contains(&place(module)));
        Self {
            name: ready.name.clone(),
            version: ready.version.clone(),
            offers: ready.offers.clone(),
            label_bound: ready.label_bound,
            order_bound: ready.order_bound,
            undeclared: undeclared.cloned().collect(),
            noise_floor: None,
        }
    }
}

/// Where a file lies, however its path is written: `./mine.py` is `mine.py`.
fn place(name: &str) -> PathBuf {
    let path = Path::new(name);
    path.canonicalize().unwrap_or_else(|_| {
        let parts = path.components();
        parts.filter(|part| *part != Component::CurDir).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_however_its_path_is_written() {
        for name in ["./no-such-file.py", "././no-such-file.py"] {
            assert_eq!(place(name), place("no-such-file.py"));
        }
        assert_eq!(place("./Cargo.toml"), place("src/../Cargo.toml"));
        assert_ne!(place("a/mine.py"), place("mine.py"));
    }
}
