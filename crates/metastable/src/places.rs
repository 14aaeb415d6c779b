//! Where data sets and what is made once lie on this machine.

use std::path::{Path, PathBuf};

/// The folder of the data sets: the flag, else the environment, else the user's data folder.
pub(crate) fn data_dir(flag: Option<&Path>) -> PathBuf {
    if let Some(dir) = flag {
        return dir.to_owned();
    }
    variable("METASTABLE_DATA")
        .or_else(|| Some(variable("XDG_DATA_HOME")?.join("metastable")))
        .or_else(|| Some(variable("LOCALAPPDATA")?.join("metastable")))
        .or_else(|| Some(variable("HOME")?.join(".local/share/metastable")))
        .unwrap_or_else(|| PathBuf::from("data"))
}

/// Where decoded images and measured costs are kept; nowhere if the system names no place.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .map(|dir| dir.join("metastable"))
        .or_else(|| Some(variable("HOME")?.join(".cache/metastable")))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
